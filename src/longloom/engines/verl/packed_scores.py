"""A causal model that scores packed tokens instead of returning logits.

Hooks of FSDP2 run around calls of a module, so what is computed inside of one call of the model,
and the output matrix, whose weight may be sharded apart, inside of a call of its own. The classes
are left alone: other engines of the process may use them.
"""

from types import MethodType
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from longloom.models.logprob_head import logprobs_and_entropies
from longloom.models.network import Attend
from longloom.models.transformers_network import packed_hidden


def make_scoring(causal_lm: Any) -> None:
    """Let a model loaded with packed attention return scores; it is changed in place.

    It is then called with `input_ids` and `position_ids` [1, N], `packed_attend`, `targets` [R] and
    `temperature`, and returns log-probabilities (with gradient) and entropies (without) of the
    targets, which the last R packed tokens predict.
    """
    head = causal_lm.get_output_embeddings()
    causal_lm.forward = MethodType(_score, causal_lm)
    head.forward = MethodType(_score_hidden, head)


def _score(
    causal_lm: Any,
    *,
    input_ids: Int[Tensor, "1 N"],
    position_ids: Int[Tensor, "1 N"],
    packed_attend: Attend,
    targets: Int[Tensor, " R"],
    temperature: float,
    **_unused: Any,
) -> tuple[Float[Tensor, " R"], Float[Tensor, " R"]]:
    """Stand in for the model's forward pass.

    What adapters and verl pass besides says that nothing is masked, cached or labelled.
    """
    hidden = packed_hidden(
        causal_lm,
        input_ids[0],
        position_ids[0],
        packed_attend,
        num_silent=input_ids.shape[1] - len(targets),
    )
    scores: tuple[Tensor, Tensor] = causal_lm.get_output_embeddings()(
        hidden, targets=targets, temperature=temperature
    )
    return scores


def _score_hidden(
    head: nn.Linear,
    hidden: Float[Tensor, "R D"],
    *,
    targets: Int[Tensor, " R"],
    temperature: float,
) -> tuple[Float[Tensor, " R"], Float[Tensor, " R"]]:
    """Stand in for the output matrix's forward pass."""
    # The head sums in fp32 on its own; autocast would round its products.
    with torch.autocast(hidden.device.type, enabled=False):
        return logprobs_and_entropies(
            hidden.to(head.weight.dtype), head.weight, targets, temperature=temperature
        )
