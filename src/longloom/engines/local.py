"""Training in this process, with the prompt of a group computed once."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from longloom.errors import CheckpointError, EngineError, ModelError
from longloom.models.folder import load_model, load_weights, save_model
from longloom.models.local_policy import score_sequences
from longloom.models.local_sampler import LocalSampler
from longloom.models.protocols import Sampler
from longloom.records import TrainingSequence
from longloom.text.tokenizer import FolderTokenizer
from longloom.training.engine import Update
from longloom.training.losses import LossConfig, policy_gradient_loss

OPTIMIZER_FILE = "optimizer.safetensors"
_OPTIMIZER_STATE = ("exp_avg", "exp_avg_sq", "step")


class LocalEngine:
    """One network, one AdamW optimizer, on CPU (see `training.engine.TrainEngine`)."""

    def __init__(self, folder: Path, *, max_batch_tokens: int = 16_384) -> None:
        """Load the policy of a model folder with a new optimizer.

        Args:
            folder: a dense Qwen3 model folder.
            max_batch_tokens: tokens of one micro-batch, a shared prompt counted once.

        Raises:
            ModelError: the folder cannot be used.
        """
        self._folder = folder
        self._max_batch_tokens = max_batch_tokens
        self._model = load_model(folder)
        self._tokenizer = FolderTokenizer(folder)
        self._sampler = LocalSampler(self._model, self._tokenizer)
        self._optimizer = torch.optim.AdamW(
            self._model.parameters(), lr=0.0, betas=(0.9, 0.95), weight_decay=0.0
        )

    @property
    def sampler(self) -> Sampler:
        """Samples from the policy as it is after the last update."""
        return self._sampler

    def update(self, update: Update, *, loss: LossConfig) -> Mapping[str, float]:
        """Take one optimizer step; see `training.engine.TrainEngine`."""
        self._optimizer.zero_grad(set_to_none=True)
        totals: dict[str, float] = defaultdict(float)
        largest_gap = 0.0
        for micro_batch in _micro_batches(update.sequences, self._max_batch_tokens):
            logprobs, _ = score_sequences(self._model, micro_batch, temperature=update.temperature)
            rollout_logprobs = _packed([sequence.rollout_logprobs for sequence in micro_batch])
            value, metrics = policy_gradient_loss(
                logprobs,
                None,
                _packed([sequence.advantages for sequence in micro_batch]),
                loss,
                update.denominators,
                rollout_logprobs=rollout_logprobs,
                sequence_tokens=_sequence_tokens(micro_batch),
            )
            value.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            totals["training/loss"] += float(value.detach())
            for name, part in metrics.items():
                totals[name] += float(part)
            gap = float((logprobs.detach() - rollout_logprobs).abs().max())
            largest_gap = max(largest_gap, gap)
        norm = torch.nn.utils.clip_grad_norm_(self._model.parameters(), update.max_grad_norm)
        if not torch.isfinite(norm):
            raise EngineError(
                f"gradient norm is {float(norm)}; expected a finite number; lower the learning "
                "rate and resume from the last checkpoint"
            )
        for group in self._optimizer.param_groups:
            group["lr"] = update.learning_rate
        self._optimizer.step()
        return {
            **totals,
            "training/grad_norm": float(norm),
            "training/sampler_gap_nats": largest_gap,
        }

    def save(self, folder: Path) -> None:
        """Write the policy as a model folder, with the optimizer's state beside it."""
        save_model(self._model, folder, like=self._folder)
        tensors = {
            f"{name}.{key}": torch.as_tensor(value).contiguous()
            for name, parameter in self._model.named_parameters()
            for key, value in self._optimizer.state.get(parameter, {}).items()
        }
        try:
            save_file(tensors, folder / OPTIMIZER_FILE, metadata={"format": "pt"})
        except (OSError, SafetensorError) as error:
            raise CheckpointError(
                f"could not write {folder / OPTIMIZER_FILE}: {error}; free space and run again"
            ) from None

    def load(self, folder: Path) -> None:
        """Restore what `save` wrote; see `training.engine.TrainEngine`."""
        try:
            weights = load_weights(folder, tied=self._model.shape.tie_word_embeddings)
            tensors = load_file(folder / OPTIMIZER_FILE)
        except (ModelError, OSError, SafetensorError) as error:
            raise CheckpointError(
                f"checkpoint {folder} is damaged ({error}); delete it to go back, or use --fresh"
            ) from None
        self._model.load_state_dict(weights)
        self._optimizer.state.clear()
        for name, parameter in self._model.named_parameters():
            if f"{name}.step" in tensors:
                self._optimizer.state[parameter] = {
                    key: tensors[f"{name}.{key}"] for key in _OPTIMIZER_STATE
                }


def _micro_batches(
    sequences: Sequence[TrainingSequence], max_tokens: int
) -> Iterator[list[TrainingSequence]]:
    """Yield sequences with equal prompts together, up to `max_tokens` a batch.

    Groups are taken in order of prompt length, so that little is spent on padding.
    """
    by_prompt: dict[tuple[int, ...], list[TrainingSequence]] = defaultdict(list)
    for sequence in sequences:
        by_prompt[sequence.prompt_ids].append(sequence)
    batch: list[TrainingSequence] = []
    num_tokens = 0
    for prompt_ids, group in sorted(by_prompt.items(), key=lambda entry: len(entry[0])):
        longest = max(len(sequence.response_ids) for sequence in group)
        group_tokens = len(prompt_ids) + len(group) * longest
        if batch and num_tokens + group_tokens > max_tokens:
            yield batch
            batch, num_tokens = [], 0
        batch += group
        num_tokens += group_tokens
    if batch:
        yield batch


def _packed(values: Sequence[Sequence[float]]) -> Tensor:
    return torch.tensor([value for row in values for value in row], dtype=torch.float32)


def _sequence_tokens(sequences: Sequence[TrainingSequence]) -> Tensor:
    lengths = torch.tensor([len(sequence.response_ids) for sequence in sequences])
    return lengths.repeat_interleave(lengths)
