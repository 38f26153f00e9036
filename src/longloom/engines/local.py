"""Training in this process, with the prompt of a group computed once."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from longloom.errors import CheckpointError, EngineError, ModelError
from longloom.models.folder import load_model, load_weights, read_shape, save_model
from longloom.models.local_policy import score_sequences
from longloom.models.local_sampler import LocalSampler
from longloom.models.protocols import Sampler
from longloom.models.qwen3 import Qwen3
from longloom.records import TrainingSequence
from longloom.text.tokenizer import FolderTokenizer
from longloom.training.engine import Update
from longloom.training.losses import LossConfig, policy_gradient_loss

OPTIMIZER_FILE = "optimizer.safetensors"
_OPTIMIZER_STATE = ("exp_avg", "exp_avg_sq", "step")


class LocalEngine:
    """One network, one AdamW optimizer, on CPU (see `training.engine.TrainEngine`)."""

    def __init__(self, folder: Path, *, max_batch_tokens: int = 3_072) -> None:
        """Load the policy of a model folder with a new optimizer.

        Args:
            folder: a dense Qwen3 model folder.
            max_batch_tokens: tokens of one micro-batch, a shared prompt counted once. Small ones
                spend less on padding and stay in the processor's cache: 3,072 took 0.8 of the
                time of 16,384.

        Raises:
            ModelError: the folder cannot be used.
        """
        self._folder = folder
        self._max_batch_tokens = max_batch_tokens
        self._model = load_model(folder)
        self._tokenizer = FolderTokenizer(folder)
        self._sampler = LocalSampler(self._model, self._tokenizer)
        self._reference: Qwen3 | None = None
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
        gap = _SamplerGap()
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
                ref_logprobs=self._reference_logprobs(micro_batch, update, loss),
                sequence_tokens=_sequence_tokens(micro_batch),
            )
            value.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            totals["training/loss"] += float(value.detach())
            for name, part in metrics.items():
                totals[name] += float(part)
            gap.add(logprobs.detach(), rollout_logprobs)
        norm = self._step(update)
        return {**totals, **gap.metrics(), "training/grad_norm": norm}

    def _step(self, update: Update) -> float:
        norm = torch.nn.utils.clip_grad_norm_(self._model.parameters(), update.max_grad_norm)
        if not torch.isfinite(norm):
            raise EngineError(
                f"gradient norm is {float(norm)}; expected a finite number; lower the learning "
                "rate and resume from the last checkpoint"
            )
        for group in self._optimizer.param_groups:
            group["lr"] = update.learning_rate
        self._optimizer.step()
        return float(norm)

    @torch.no_grad()
    def _reference_logprobs(
        self, sequences: Sequence[TrainingSequence], update: Update, loss: LossConfig
    ) -> Tensor | None:
        """Return the log-probabilities of the policy this engine started from, if the loss asks."""
        if loss.kl_coefficient == 0:
            return None
        if self._reference is None:
            self._reference = load_model(self._folder)
        return score_sequences(self._reference, sequences, temperature=update.temperature)[0]

    def save_policy(self, folder: Path) -> None:
        """Write the policy alone, as a model folder that others load."""
        save_model(self._model, folder, like=self._folder)

    def save(self, folder: Path) -> None:
        """Write the policy as a model folder, with the optimizer's state beside it."""
        self.save_policy(folder)
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
            if read_shape(folder) != self._model.shape:
                raise ModelError("its config.json describes another network")
            weights = load_weights(folder, tied=self._model.shape.tie_word_embeddings)
            tensors = load_file(folder / OPTIMIZER_FILE)
        except (ModelError, OSError, SafetensorError) as error:
            raise CheckpointError(
                f"checkpoint {folder} is damaged ({error}); delete it to go back, or use --fresh"
            ) from None
        state = {
            name: {key: tensors.pop(f"{name}.{key}", None) for key in _OPTIMIZER_STATE}
            for name, _ in self._model.named_parameters()
        }
        parts = [part for parts in state.values() for part in parts.values()]
        is_new = all(part is None for part in parts)  # saved before the first step
        if tensors or (not is_new and any(part is None for part in parts)):
            raise CheckpointError(
                f"{folder / OPTIMIZER_FILE} does not fit the model; expected {_OPTIMIZER_STATE} of "
                "every parameter; delete the checkpoint to go back, or use --fresh"
            )
        self._model.load_state_dict(weights)
        self._optimizer.state.clear()
        for name, parameter in self._model.named_parameters():
            if not is_new:
                self._optimizer.state[parameter] = state[name]


class _SamplerGap:
    """How far the sampler's log-probabilities are from the trainer's; 0 but for rounding."""

    def __init__(self) -> None:
        self.num_tokens = 0
        self.total_nats = 0.0
        self.largest_nats = 0.0
        self.total_ratio = 0.0

    def add(self, logprobs: Tensor, rollout_logprobs: Tensor) -> None:
        difference = logprobs - rollout_logprobs
        self.num_tokens += len(difference)
        self.total_nats += float(difference.abs().sum())
        self.largest_nats = max(self.largest_nats, float(difference.abs().max()))
        self.total_ratio += float(difference.exp().sum())

    def metrics(self) -> dict[str, float]:
        return {
            "training/sampler_gap_nats": self.total_nats / self.num_tokens,
            "training/sampler_gap_max_nats": self.largest_nats,
            "training/sampler_ratio_mean": self.total_ratio / self.num_tokens,
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
