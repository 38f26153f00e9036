"""The seam between a network's weights and how tokens attend to each other.

A network sees N packed tokens, a position for each, and a function that attends. It knows nothing
of prompts, groups, padding or caches. Who attends to whom is the business of an *attention plan*:

    training    `shared_prefix.SharedPrefix`    each prompt once, its responses over its keys
    rollouts    `decoding`                      the same over caches, one token at a time
    plain rows  `shared_prefix.SharedPrefix`    a sequence without a prompt attends to itself

So prefix sharing, packing and decoding are written once, and a new architecture is one adapter.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkShape:
    """The sizes that plans and planners need of any network."""

    vocab_size: int
    """V."""
    hidden_size: int
    """D."""
    num_layers: int
    """Layers."""
    num_heads: int
    """Query heads H."""
    num_key_heads: int
    """Key and value heads K; H is a multiple of K."""
    head_dim: int
    """Width d of one head."""
    window_tokens: int
    """Longest sequence the positions are made for."""


class Attend(Protocol):
    """Attention of one layer over packed tokens."""

    def __call__(
        self,
        layer: int,
        query: Float[Tensor, "Q H d"],
        key: Float[Tensor, "N K d"],
        value: Float[Tensor, "N K d"],
    ) -> Float[Tensor, "Q H d"]:
        """Return what the queries attend to; keys and queries are already rotated.

        There are N queries, or only those of the last Q tokens (see `Network.hidden`).
        """


class SampledNetwork(Protocol):
    """A causal language model without its output matrix, as sampling sees it."""

    @property
    def sizes(self) -> NetworkShape:
        """Its sizes."""

    @property
    def head_weight(self) -> Float[Tensor, "V D"]:
        """The output matrix."""

    @property
    def device(self) -> torch.device:
        """Where its weights are."""

    @property
    def dtype(self) -> torch.dtype:
        """In what it computes; the type of caches and hidden states."""

    def hidden(
        self,
        token_ids: Int[Tensor, " N"],
        positions: Int[Tensor, " N"],
        attend: Attend,
        *,
        num_silent: int = 0,
    ) -> Float[Tensor, "Q D"]:
        """Return the final hidden states of all tokens but the first `num_silent`.

        Silent tokens are there for their keys and values: a network may leave out what only their
        output needs. In the last layer it then passes `attend` the queries of the other Q tokens
        alone; if it does not, it drops their hidden states at the end.
        """


class Network(SampledNetwork, Protocol):
    """One that can be trained and saved too."""

    recomputes_layers: bool
    """Whether backward passes compute each layer again instead of keeping its insides."""

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield the trained weights by their name in a Hugging Face model folder."""
