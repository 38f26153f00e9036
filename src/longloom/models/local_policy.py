"""Log-probabilities and entropies of responses; what their prompts share is computed once."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from longloom.models.logprob_head import logprobs_and_entropies
from longloom.models.network import Network
from longloom.models.packed_sequences import pack_sequences
from longloom.records import TrainingSequence


def score_sequences(
    network: Network, sequences: Sequence[TrainingSequence], *, temperature: float
) -> tuple[Float[Tensor, " N"], Float[Tensor, " N"]]:
    """Return log-probabilities (with gradient) and entropies (without) of all response tokens.

    Logits are divided by `temperature` before both. N counts the response tokens of all sequences,
    in order. Equal prompts share their forward and backward pass, and prompts that begin alike that
    of their beginning (see `prompt_groups`).
    """
    packed = pack_sequences(sequences, device=network.device)
    hidden = network.hidden(
        packed.token_ids,
        packed.plan.positions,
        packed.plan,
        num_silent=packed.plan.num_context_tokens,
    )
    logprobs, entropies = logprobs_and_entropies(
        hidden, network.head_weight, packed.targets, temperature=temperature
    )
    return logprobs[packed.places], entropies[packed.places]
