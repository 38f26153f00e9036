"""Training in this process, on CPU or one accelerator, with the prompt of a group computed once.

    sequences -> micro-batches -> log-probabilities -> loss -> gradients, added up -> AdamW

What it leaves out: more than one accelerator. The loss has the whole batch's denominators, so the
gradients of micro-batches add up to the batch's exactly, whatever the machine can hold at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import torch
from torch import Tensor, nn

from longloom.engines.local_config import LocalEngineConfig
from longloom.engines.machine import resolve, return_freed_memory, told_when_memory_ends
from longloom.engines.memory_plan import plan_memory, work_of
from longloom.engines.micro_batches import micro_batches
from longloom.engines.offload import offloaded_activations
from longloom.engines.optimizer import Optimizer
from longloom.engines.optimizer_file import read_optimizer, write_optimizer
from longloom.engines.packed_values import answer_tokens, packed_values
from longloom.engines.reference import AdapterlessPolicy, ReferencePolicy
from longloom.engines.step_sums import StepSums
from longloom.engines.telling_sampler import TellingSampler
from longloom.errors import CheckpointError, EngineError, ModelError
from longloom.models.loading import load_network, save_network, saved_weights
from longloom.models.local_policy import score_sequences
from longloom.models.local_sampler import LocalSampler
from longloom.models.lora import add_adapters, save_adapters
from longloom.models.network import Network
from longloom.models.protocols import Sampler
from longloom.models.yarn_config import YarnConfig
from longloom.records import TrainingSequence
from longloom.text.tokenizer import FolderTokenizer
from longloom.training.engine import Update
from longloom.training.loss_config import LossConfig, SupervisedLossConfig
from longloom.training.losses import policy_gradient_loss, supervised_loss

ADAPTER_FOLDER = "adapter"
"""Where a policy folder has its adapters alone."""


class LocalEngine:
    """One network and one AdamW optimizer (see `training.engine.TrainEngine`)."""

    def __init__(
        self,
        folder: Path,
        *,
        config: LocalEngineConfig | None = None,
        reference: Path | None = None,
        yarn: YarnConfig | None = None,
    ) -> None:
        """Load the policy of a model folder with a new optimizer.

        Args:
            folder: a Hugging Face model folder.
            config: how the machine is used; None is the default.
            reference: the model folder that a KL term compares with; None is `folder`.
            yarn: lengthens the window; None leaves it as the folder says.

        Raises:
            ModelError: the folder cannot be used.
            EngineError: the device is not there, or its memory does not hold the network.
        """
        self._folder = folder
        self._config = config or LocalEngineConfig()
        self._use = resolve(self._config)
        if self._use.recomputes_layers and self._use.device.type == "cpu":
            return_freed_memory()
        with told_when_memory_ends(lambda: "the network does not fit; take a smaller one"):
            self._network = self._load(folder, yarn)
            self._trained = self._prepare()
            self._optimizer = Optimizer(
                self._trained,
                self._config.optimizer,
                keeps_weights=self._config.lora is not None,
            )
        max_tokens = self._use.max_cache_tokens
        self._sampler = TellingSampler(
            LocalSampler(self._network, FolderTokenizer(folder), max_batch_tokens=max_tokens),
            max_cache_tokens=max_tokens,
        )
        self._reference: AdapterlessPolicy | ReferencePolicy
        if reference is None and self._config.lora is not None:
            self._reference = AdapterlessPolicy(self._network)
        else:
            self._reference = ReferencePolicy(lambda: self._load(reference or folder, yarn))

    def _load(self, folder: Path, yarn: YarnConfig | None) -> Network:
        return load_network(folder, device=self._use.device, dtype=self._use.dtype, yarn=yarn)

    def _prepare(self) -> dict[str, nn.Parameter]:
        """Set the network up for training; return the weights that are trained, by name."""
        self._network.recomputes_layers = self._use.recomputes_layers
        lora = self._config.lora
        if lora is not None:
            add_adapters(
                self._network,
                rank=lora.rank,
                alpha=lora.alpha,
                target_modules=lora.target_modules,
            )
        weights = self._network.named_parameters()
        return {name: weight for name, weight in weights if weight.requires_grad}

    @property
    def sampler(self) -> Sampler:
        """Samples from the policy as it is after the last update."""
        return self._sampler

    def update(
        self, update: Update, *, loss: LossConfig | SupervisedLossConfig
    ) -> Mapping[str, float]:
        """Take one optimizer step; see `training.engine.TrainEngine`.

        Raises:
            EngineError: the gradient is not finite, or the memory does not suffice; the weights
                are as before.
        """
        if not update.sequences:
            raise EngineError("an update has no sequences; expected at least 1; skip the step")
        self._optimizer.drop_gradients()  # of an update that failed
        sums = StepSums()
        with told_when_memory_ends(lambda: self._advice(update.sequences)):
            for sequences in self._micro_batches(update.sequences):
                self._add_gradients(sequences, update, loss, sums)
            norm = self._optimizer.step(
                learning_rate=update.learning_rate, max_grad_norm=update.max_grad_norm
            )
        return {**sums.metrics(), "training/grad_norm": norm}

    def _add_gradients(
        self,
        sequences: Sequence[TrainingSequence],
        update: Update,
        loss: LossConfig | SupervisedLossConfig,
        sums: StepSums,
    ) -> None:
        with ExitStack() as stack:
            if self._config.activation_offload:
                weights = (weight for _, weight in self._network.named_parameters())
                stack.enter_context(offloaded_activations(weights))
            logprobs, _ = score_sequences(self._network, sequences, temperature=update.temperature)
        if isinstance(loss, SupervisedLossConfig):
            value, metrics = supervised_loss(logprobs, update.denominators)
        else:
            value, metrics = self._policy_gradient(sequences, logprobs, update, loss, sums)
        value.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        sums.add({"training/loss": value, **metrics})

    def _policy_gradient(
        self,
        sequences: Sequence[TrainingSequence],
        logprobs: Tensor,
        update: Update,
        loss: LossConfig,
        sums: StepSums,
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        device = logprobs.device
        old_logprobs = packed_values(sequences, "old_logprobs", device)
        rollout_logprobs = packed_values(sequences, "rollout_logprobs", device)
        if rollout_logprobs is not None:
            # Of the policy that was sampled: in a later update of a batch, no longer this one.
            sums.add_sampler_gap(
                logprobs if old_logprobs is None else old_logprobs, rollout_logprobs
            )
        ref_logprobs = None
        if loss.kl_coefficient > 0:
            ref_logprobs = self._reference.logprobs(sequences, temperature=update.temperature)
        advantages = packed_values(sequences, "advantages", device)
        assert advantages is not None
        return policy_gradient_loss(
            logprobs,
            old_logprobs,
            advantages,
            loss,
            update.denominators,
            sequence_tokens=answer_tokens(sequences, device),
            ref_logprobs=ref_logprobs,
            rollout_logprobs=rollout_logprobs,
        )

    @torch.no_grad()
    def score(
        self, sequences: Sequence[TrainingSequence], *, temperature: float
    ) -> list[tuple[float, ...]]:
        """Return the present policy's log-probabilities; see `training.engine.TrainEngine`.

        In the micro-batches of an update over the same sequences, so on CPU in the same bits.

        Raises:
            EngineError: the memory does not suffice.
        """
        scores: list[tuple[float, ...]] = [()] * len(sequences)
        with told_when_memory_ends(lambda: self._advice(sequences)):
            for batch in micro_batches(sequences, max_tokens=self._use.max_batch_tokens):
                logprobs, _ = score_sequences(
                    self._network, [sequences[index] for index in batch], temperature=temperature
                )
                rows = torch.split(
                    logprobs, [len(sequences[index].response_ids) for index in batch]
                )
                for index, row in zip(batch, rows, strict=True):
                    scores[index] = tuple(row.tolist())
        return scores

    def _micro_batches(self, sequences: Sequence[TrainingSequence]) -> list[list[TrainingSequence]]:
        return [
            [sequences[index] for index in batch]
            for batch in micro_batches(sequences, max_tokens=self._use.max_batch_tokens)
        ]

    def _advice(self, sequences: Sequence[TrainingSequence]) -> str:
        plan = plan_memory(self._folder, self._config, work_of(sequences))
        return plan.advice(plan.peak_bytes * 3 // 4)

    def save_policy(self, folder: Path) -> None:
        """Write the policy alone, as a model folder that others load.

        Adapters are added to the weights, and are written in peft's format in `adapter/` too.
        """
        save_network(self._network, folder, like=self._folder)
        if self._config.lora is not None:
            save_adapters(self._network, folder / ADAPTER_FOLDER, base=self._folder)

    def save(self, folder: Path) -> None:
        """Write the policy as a model folder, with the optimizer's state beside it.

        Raises:
            CheckpointError: a file cannot be written.
        """
        try:
            self.save_policy(folder)
        except ModelError as error:
            raise CheckpointError(str(error)) from None
        write_optimizer(folder, self._optimizer.tensors())

    def load(self, folder: Path) -> None:
        """Restore what `save` wrote; see `training.engine.TrainEngine`.

        Everything is checked before anything changes; then weights are read one by one into those
        of the network, so that no second network is held.
        """
        try:
            saved = saved_weights(self._network, folder)
            self._optimizer.restore(read_optimizer(folder))
        except (CheckpointError, ModelError) as error:
            raise CheckpointError(
                f"checkpoint {folder} is damaged ({error}); delete it to go back, or use --fresh"
            ) from None
        if self._config.lora is not None:  # the optimizer has the adapters, the rest never changes
            return
        try:
            self._copy(saved)
        except ModelError as error:
            raise CheckpointError(
                f"checkpoint {folder} was damaged while it was read ({error}); some weights have "
                "been replaced and this engine cannot be used; start the command again"
            ) from None

    @torch.no_grad()
    def _copy(self, saved: Iterable[tuple[str, Tensor]]) -> None:
        for name, weight in saved:
            self._trained[name].copy_(weight)
