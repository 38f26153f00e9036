"""Floating-point operations of a network, by the kinds that run at different rates.

With D the width, Hd and Kd the widths of queries and keys, I the MLP's, E the experts, L layers and
V words, one token costs in a forward pass

    layer      2 (D (2 Hd + 2 Kd) + 3 D I + E D)    in each of L layers: `linear`
    attention  4 Hd per key that it sees            in each of L layers: `attention`
    head       2 D V                                 where its successor is asked for: `head`

Our own network computes of *silent* tokens (a prompt but its last token) only the keys and values
of the last layer: 4 D Kd, and no attention there. Additions, norms and softmax are not counted.
"""

from dataclasses import dataclass

from longloom.engines.model_sizes import ModelSizes

Number = int | float
"""A count, or a mean of counts."""
ATTENTION_BACKWARD = 2.5
"""Flash attention going back does five products where it does two going forward."""
HEAD_PASSES = 4
"""The head forms its logits again and multiplies them into two gradients (`logprob_head`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """Operations by kind."""

    linear: Number = 0.0
    """Products with the weights of layers."""
    attention: Number = 0.0
    """Products of queries, keys and values."""
    head: Number = 0.0
    """Products with the output matrix."""

    @property
    def total(self) -> Number:
        """All of them."""
        return self.linear + self.attention + self.head

    def __add__(self, other: "Operations") -> "Operations":
        return Operations(
            linear=self.linear + other.linear,
            attention=self.attention + other.attention,
            head=self.head + other.head,
        )

    def times(
        self, linear: Number, attention: Number | None = None, head: Number | None = None
    ) -> "Operations":
        """Return each kind so many times; all as `linear` if only that is given."""
        return Operations(
            linear=self.linear * linear,
            attention=self.attention * (linear if attention is None else attention),
            head=self.head * (linear if head is None else head),
        )


def layer_operations(sizes: ModelSizes) -> Number:
    """Return the operations of one token in the linear parts of one layer."""
    width = sizes.hidden_size
    projections = width * (2 * sizes.query_width + 2 * sizes.key_width)
    return 2.0 * (projections + 3 * width * sizes.mlp_width + sizes.num_experts * width)


def causal_pairs(num_tokens: Number) -> Number:
    """Return the pairs of a token and a key it sees, itself among them: T (T + 1) / 2."""
    return num_tokens * (num_tokens + 1) / 2


def context_operations(sizes: ModelSizes, num_tokens: Number) -> Operations:
    """Return the forward pass over a prompt of which nothing but its keys and values is wanted."""
    layer, pairs = layer_operations(sizes), causal_pairs(num_tokens)
    if not sizes.is_own:
        return Operations(
            linear=sizes.num_layers * layer * num_tokens,
            attention=4.0 * sizes.query_width * sizes.num_layers * pairs,
        )
    keys = 4.0 * sizes.hidden_size * sizes.key_width
    return Operations(
        linear=((sizes.num_layers - 1) * layer + keys) * num_tokens,
        attention=4.0 * sizes.query_width * (sizes.num_layers - 1) * pairs,
    )


def answer_operations(sizes: ModelSizes, context_tokens: Number, num_tokens: Number) -> Operations:
    """Return the forward pass over an answer behind a context, its logits included.

    The same whether its tokens are drawn one by one or scored together.
    """
    pairs = num_tokens * context_tokens + causal_pairs(num_tokens)
    return Operations(
        linear=sizes.num_layers * layer_operations(sizes) * num_tokens,
        attention=4.0 * sizes.query_width * sizes.num_layers * pairs,
        head=2.0 * sizes.embedding_weights * num_tokens,
    )


def trained(forward: Operations, *, has_adapters: bool, recomputes_layers: bool) -> Operations:
    """Return the operations of forward and backward pass together.

    Going back costs as much as going forward for the gradients of what a layer reads, and as much
    again for those of its weights, which adapters leave out; recomputing adds a forward pass.
    """
    again = 1 if recomputes_layers else 0
    return forward.times(
        2 + again + (0 if has_adapters else 1),
        1 + ATTENTION_BACKWARD + again,
        HEAD_PASSES - (1 if has_adapters else 0),
    )
