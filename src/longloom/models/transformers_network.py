"""Any causal language model of transformers as a network over packed tokens.

The model computes everything but attention: its attention layers call a function registered with
transformers, which calls the attention plan. No mask is made and no cache is kept.

Fits: decoders whose every layer attends to all earlier tokens with rotary positions and softmax,
such as Qwen2, Qwen3, Qwen3-MoE, Llama and Mistral without its window. What does not fit is refused
by name; what no name is known for is found by comparing the model's own logits with those computed
here (`check_equals_own_logits`).
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from longloom.errors import ModelError
from longloom.models.network import Attend, NetworkShape
from longloom.models.rotary import read_scaling, window_tokens

ATTENTION = "longloom_packed"
"""The name under which transformers knows our attention."""

_FITTING = (
    "packed attention runs decoders with full softmax attention and rotary positions, such as "
    "Qwen2, Qwen3, Qwen3-MoE, Llama and Mistral without a sliding window"
)
_OWN_ATTENTION = ("sliding_window", "softcap", "s_aux", "position_bias", "cu_seq_lens_q")
"""What attention layers may ask for that a plan does not compute."""
_HEAD_SCALES = (
    "final_logit_softcapping",
    "logit_scale",
    "logits_scaling",
    "lm_head_multiplier",
    "output_multiplier_scale",
)
"""Settings that change the logits behind the output matrix."""
_TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-3}
"""Relative difference of logits that is rounding; 0.1 for shorter types."""


class TransformersNetwork(nn.Module):
    """A transformers model (see `network.Network`).

    Always in evaluation mode: dropout would make the trainer's log-probabilities another policy's
    than the sampler's. Names of weights and the state are the model's own.
    """

    def __init__(self, causal_lm: Any) -> None:
        """Wrap a model loaded with attention `ATTENTION`.

        Raises:
            ModelError: the model is of a kind that plans cannot attend for.
        """
        super().__init__()
        check_fits(causal_lm)
        self.causal_lm = causal_lm.eval()
        self.scaling = read_scaling(causal_lm.config.to_dict())
        self._recomputes_layers = False

    @property
    def sizes(self) -> NetworkShape:
        """Its sizes."""
        config = self.causal_lm.config
        vocab_size, hidden_size = self.head_weight.shape
        num_heads = config.num_attention_heads
        return NetworkShape(
            vocab_size=vocab_size,
            hidden_size=hidden_size,
            num_layers=config.num_hidden_layers,
            num_heads=num_heads,
            num_key_heads=getattr(config, "num_key_value_heads", None) or num_heads,
            head_dim=getattr(config, "head_dim", None) or hidden_size // num_heads,
            window_tokens=window_tokens(self.scaling, config.max_position_embeddings),
        )

    @property
    def head_weight(self) -> Float[Tensor, "V D"]:
        """The output matrix."""
        weight: Tensor = self.causal_lm.get_output_embeddings().weight
        return weight

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return self.head_weight.device

    @property
    def dtype(self) -> torch.dtype:
        """In what it computes."""
        return self.head_weight.dtype

    @property
    def recomputes_layers(self) -> bool:
        """Whether backward passes compute each layer again instead of keeping its insides."""
        return self._recomputes_layers

    @recomputes_layers.setter
    def recomputes_layers(self, value: bool) -> None:
        again = partial(checkpoint, use_reentrant=False)
        self.causal_lm._set_gradient_checkpointing(enable=value, gradient_checkpointing_func=again)
        for module in self.causal_lm.modules():
            if hasattr(module, "gradient_checkpointing"):
                # The layer asks whether it trains; the layers within it stay in evaluation mode.
                module.training = value
        self._recomputes_layers = value

    def hidden(
        self,
        token_ids: Int[Tensor, " N"],
        positions: Int[Tensor, " N"],
        attend: Attend,
        *,
        num_silent: int = 0,
    ) -> Float[Tensor, "Q D"]:
        """Return the final hidden states; see `network.Network`."""
        return packed_hidden(self.causal_lm, token_ids, positions, attend, num_silent=num_silent)

    def train(self, mode: bool = True) -> "TransformersNetwork":
        """Stay in evaluation mode."""
        return self

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield the weights by the model's own names (fused experts by transformers' names)."""
        found: Iterator[tuple[str, nn.Parameter]] = self.causal_lm.named_parameters(
            prefix=prefix, recurse=recurse, remove_duplicate=remove_duplicate
        )
        return found

    def state_dict(  # type: ignore[override]  # torch overloads it by the kind of mapping
        self, *args: Any, **kwargs: Any
    ) -> dict[str, Any]:
        """Return the model's own state."""
        state: dict[str, Any] = self.causal_lm.state_dict(*args, **kwargs)
        return state

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Load what `state_dict` returned."""
        return self.causal_lm.load_state_dict(*args, **kwargs)


def packed_hidden(
    causal_lm: Any,
    token_ids: Int[Tensor, " N"],
    positions: Int[Tensor, " N"],
    attend: Attend,
    *,
    num_silent: int = 0,
) -> Float[Tensor, "Q D"]:
    """Return a model's final hidden states of packed tokens; see `network.Network.hidden`.

    Args:
        causal_lm: loaded with attention `ATTENTION`.
        token_ids: packed.
        positions: one for each.
        attend: the attention plan.
        num_silent: first tokens whose hidden states are left out.
    """
    output = causal_lm.get_decoder()(
        input_ids=token_ids[None],
        position_ids=positions[None],
        use_cache=False,
        packed_attend=attend,
    )
    hidden: Tensor = output.last_hidden_state[0, num_silent:]
    return hidden


def register_attention() -> None:
    """Make our attention known to transformers; again does nothing.

    No mask is registered with it: transformers makes none for attention it has no mask for.
    """
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    ALL_ATTENTION_FUNCTIONS.register(ATTENTION, _attention)


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    packed_attend: Attend | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Attend for one layer: queries [1, H, N, d], keys and values [1, K, N, d] -> [1, N, H, d].

    Dropout of attention is left out on purpose (see `TransformersNetwork`).
    """
    asked = [name for name in _OWN_ATTENTION if options.get(name) is not None]
    if asked:
        raise ModelError(f"{type(module).__name__} needs attention with {asked[0]}; {_FITTING}")
    if packed_attend is None or attention_mask is not None or query.shape[-1] != value.shape[-1]:
        raise ModelError(
            f"{type(module).__name__} does not pass on what attention needs, makes a mask of its "
            f"own, or has keys and values of different widths; {_FITTING}"
        )
    natural = query.shape[-1] ** -0.5
    if scaling is not None and scaling != natural:
        query = query * (scaling / natural)
    layer = int(module.layer_idx)  # type: ignore[arg-type]
    rows = (part[0].transpose(0, 1) for part in (query, key, value))
    return packed_attend(layer, *rows)[None], None


def check_fits(causal_lm: Any) -> None:
    """Refuse models that need more than a plan computes.

    Raises:
        ModelError: says what it needs.
    """
    config = causal_lm.config
    name = type(causal_lm).__name__

    def refuse(what: str) -> None:
        raise ModelError(f"{name} has {what}; {_FITTING}")

    if config.is_encoder_decoder or config.sub_configs:
        refuse("an encoder, or several models in one")
    kinds = set(getattr(config, "layer_types", None) or ()) - {"full_attention"}
    if kinds:
        refuse(f"layers of {', '.join(sorted(kinds))}")
    if getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True):
        refuse(f"a sliding window of {config.sliding_window} tokens")
    if not getattr(config, "rope_parameters", None):
        refuse("no rotary positions")
    for setting in _HEAD_SCALES:
        if getattr(config, setting, None) not in (None, 1, 1.0):
            refuse(f"{setting} {getattr(config, setting)} behind its output matrix")
    head = causal_lm.get_output_embeddings()
    if head is None or getattr(head, "bias", None) is not None:
        refuse("an output matrix with a bias, or none")


@torch.no_grad()
def check_equals_own_logits(network: TransformersNetwork) -> None:
    """Compare logits of two packed rows with the model's own logits of the rows apart.

    Finds what settings do not tell: positions or states that leak from row to row, logits changed
    behind the output matrix, heads of other sizes. Costs a forward pass of a few tokens.

    Raises:
        ModelError: they differ by more than rounding.
    """
    model = network.causal_lm
    num_rows, row_tokens = 2, 6
    tokens = 3 + 7 * torch.arange(num_rows * row_tokens, device=network.device)
    tokens = (tokens % network.sizes.vocab_size).view(num_rows, row_tokens)
    positions = torch.arange(row_tokens, device=network.device).repeat(num_rows)
    attend = _AttendRows(network.sizes, row_tokens)
    hidden = network.hidden(tokens.flatten(), positions, attend)
    found = (hidden @ network.head_weight.T).view(num_rows, row_tokens, -1).double()
    model.set_attn_implementation("eager")
    try:
        expected = model(input_ids=tokens, use_cache=False).logits.double()
    finally:
        model.set_attn_implementation(ATTENTION)
    differences = (found - expected).norm(dim=-1) / expected.norm(dim=-1).clamp(min=1e-12)
    # Of a row's tokens the median: in short types a token may be routed to another expert.
    difference = float(differences.median(dim=-1).values.max())
    if not difference <= _TOLERANCE.get(network.dtype, 0.1):
        raise ModelError(
            f"logits of {type(model).__name__} computed over packed rows differ from its own by "
            f"{difference:.1e}, relative; {_FITTING}"
        )


class _AttendRows:
    """Attends within rows of equal length, causally; checks that heads have the sizes given."""

    def __init__(self, sizes: NetworkShape, row_tokens: int) -> None:
        self._query_sizes = (sizes.num_heads, sizes.head_dim)
        self._key_sizes = (sizes.num_key_heads, sizes.head_dim)
        self._row_tokens = row_tokens

    def __call__(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        found = tuple(query.shape[1:]), tuple(key.shape[1:])
        if found != (self._query_sizes, self._key_sizes):
            raise ModelError(
                f"layer {layer} has queries and keys of {found[0]} and {found[1]} heads and "
                f"widths, but config.json says {self._query_sizes} and {self._key_sizes}; "
                f"{_FITTING}"
            )
        query, key, value = (
            part.view(-1, self._row_tokens, *part.shape[1:]).transpose(1, 2)
            for part in (query, key, value)
        )
        attended = functional.scaled_dot_product_attention(
            query, key, value, is_causal=True, enable_gqa=query.shape[1] != key.shape[1]
        )
        return attended.transpose(1, 2).flatten(0, 1)
