"""verl's FSDP2 engine with the prompt of a group computed once.

What verl sends is what it always sends: rows of a prompt and a response each. Here equal prompts
are packed once and their responses attend over their keys (`models.shared_prefix`), with one call
of the wrapped model; log-probabilities and entropies come from hidden states of the response tokens
alone (`packed_scores`), so no logits of prompts are ever built. The results stand where verl
looks for them: at the token before the one they score, with zeros over the prompt, which nothing
reads. Loss, optimizer, sharding and checkpoints are verl's.

Not with it: sequence parallelism, images, value models, distillation, gradients of the entropy.

Importing this module registers the engine; verl does so because of `prefix_settings`.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from tensordict import TensorDict
from torch import Tensor
from verl.utils import tensordict_utils
from verl.utils.dataset.dataset_utils import DatasetPadMode
from verl.utils.device import get_device_id
from verl.utils.model import extract_multi_modal_inputs
from verl.workers.engine import EngineRegistry, FSDPEngineWithLMHead
from verl.workers.engine.utils import postprocess_batch_func, prepare_micro_batches

from longloom.engines.verl.group_order import cut_further, cut_rows
from longloom.engines.verl.packed_scores import make_scoring
from longloom.engines.verl.prefix_settings import MODEL_TYPE
from longloom.engines.verl.shared_rows import response_places, rows_of
from longloom.errors import ConfigError, EngineError
from longloom.models.packed_sequences import pack_sequences
from longloom.models.transformers_network import (
    ATTENTION,
    TransformersNetwork,
    check_equals_own_logits,
    register_attention,
)

_WITHOUT = "set shares_prompts: false in the cluster's settings, or "
_UNKNOWN_WORK = ("calculate_sum_pi_squared", "distillation_use_topk", "distillation_only")
"""What verl may ask of a batch that needs all logits."""


@EngineRegistry.register(model_type=MODEL_TYPE, backend="fsdp2", device=["cpu", "cuda"])
class PrefixSharingEngine(FSDPEngineWithLMHead):
    """FSDP2 engine of a causal language model that computes a group's prompt once."""

    def __init__(
        self, model_config: Any, engine_config: Any, optimizer_config: Any, checkpoint_config: Any
    ) -> None:
        """Check the settings; the model is built by `initialize`.

        Raises:
            ConfigError: a setting of verl cannot be combined with shared prompts.
        """
        _check_settings(model_config, engine_config)
        model_config.model_type = "language_model"  # what verl knows of
        super().__init__(model_config, engine_config, optimizer_config, checkpoint_config)

    def _build_module(self) -> Any:
        """Load the model with our attention, and let it return scores instead of logits.

        Raises:
            ModelError: packed attention is not what this model computes.
        """
        register_attention()
        self.model_config.hf_config._attn_implementation = ATTENTION
        module = super()._build_module()
        network = TransformersNetwork(module)
        if self.rank == 0:  # the other ranks may not have the weights yet
            check_equals_own_logits(network)
        make_scoring(module)
        return module

    def _build_lora_module(self, module: Any) -> Any:
        """Add adapters.

        Raises:
            ConfigError: the output matrix would get one.
        """
        head = module.get_output_embeddings()
        module = super()._build_lora_module(module)
        if module.get_base_model().get_output_embeddings() is not head:
            raise ConfigError(
                "an adapter or a copy was put on the output matrix, which shared prompts do not "
                f"compute; {_WITHOUT}leave lm_head out of model.target_modules"
            )
        return module

    def forward_backward_batch(
        self,
        batch: TensorDict,
        loss_function: Callable[..., Any] | None,
        forward_only: bool = False,
    ) -> Any:
        """Run a batch in micro-batches of whole groups; see verl's engine.

        Args:
            batch: rows of this rank.
            loss_function: verl's; None if scores alone are asked for.
            forward_only: whether there is no backward pass.
        """
        num_tokens = batch["loss_mask"].sum().to(get_device_id())
        dist.all_reduce(num_tokens, group=self.get_data_parallel_group())
        tensordict_utils.assign_non_tensor(
            batch,
            sp_size=1,
            dp_size=self.get_data_parallel_size(),
            batch_num_tokens=num_tokens.item(),
        )
        keeps_output = forward_only or _setting(batch, "return_model_output", False)
        micro_batches, places = self._micro_batches(batch)
        outputs = []
        for number, micro_batch in enumerate(micro_batches, start=1):
            output = self._run(micro_batch, loss_function, forward_only, number, len(micro_batches))
            if not keeps_output:
                del output["model_output"]
            outputs.append(output)
        return postprocess_batch_func(output_lst=outputs, indices=places, data=batch)

    def _run(
        self,
        micro_batch: TensorDict,
        loss_function: Callable[..., Any] | None,
        forward_only: bool,
        number: int,
        num_micro_batches: int,
    ) -> dict[str, Any]:
        with torch.profiler.record_function(f"micro_batch{number - 1}"):
            if forward_only:
                with torch.no_grad():
                    output: dict[str, Any] = self.forward_step(micro_batch, loss_function, True)[1]
                return output
            with self._gradient_sync_context(is_last_micro_batch=number == num_micro_batches):
                loss, output = self.forward_step(micro_batch, loss_function, False)
                (loss if self.scaler is None else self.scaler.scale(loss)).backward()
            return output

    def _micro_batches(self, batch: TensorDict) -> tuple[list[TensorDict], list[list[int]] | None]:
        """Return micro-batches, as many on every rank, and which rows they hold.

        With `use_dynamic_bsz` a micro-batch has whole groups of up to `max_token_len_per_gpu`
        tokens, prompts counted once; otherwise as many rows as verl says, in order.
        """
        group = self.get_data_parallel_group()
        if not _setting(batch, "use_dynamic_bsz", True):
            return list(prepare_micro_batches(data=batch, dp_group=group)[0]), None
        rows = rows_of(batch)
        batches = cut_rows(rows, max_tokens=int(batch["max_token_len_per_gpu"]))
        # Of what every rank has, the most micro-batches and the fewest rows.
        counts = torch.tensor([len(batches), -len(rows)], device=get_device_id())
        dist.all_reduce(counts, op=dist.ReduceOp.MAX, group=group)
        num_batches, num_rows = int(counts[0]), -int(counts[1])
        if num_batches > num_rows:  # on every rank, so none waits for another
            raise EngineError(
                f"a rank has {num_rows} rows and another needs {num_batches} micro-batches; "
                "expected as many rows on every rank"
            )
        cut = list(map(list, cut_further(rows, batches, num_batches=num_batches)))
        return [tensordict_utils.index_select_tensor_dict(batch, some) for some in cut], cut

    def prepare_model_inputs(
        self, micro_batch: TensorDict
    ) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Pack rows; return what the model is called with and where its scores belong.

        Raises:
            EngineError: the rows need what shared prompts do not compute.
        """
        _check_batch(micro_batch)
        rows = rows_of(micro_batch)
        packed = pack_sequences(rows, device=micro_batch["input_ids"].device)
        inputs = {
            "input_ids": packed.token_ids[None],
            "position_ids": packed.plan.positions[None],
            "packed_attend": packed.plan,
            "targets": packed.targets,
            "temperature": _temperature(micro_batch["temperature"]),
        }
        places = response_places(rows).to(packed.places.device)
        return inputs, {"packed_places": packed.places, "row_places": places}

    def prepare_model_outputs(
        self,
        output: tuple[Tensor, Tensor],
        output_args: dict[str, Tensor],
        micro_batch: TensorDict,
        logits_processor_func: Any,
    ) -> dict[str, Tensor]:
        """Return scores where verl looks for them, as nested tensors over prompts and responses."""
        logprobs, entropies = output
        found = {"log_probs": logprobs}
        if _setting(micro_batch, "calculate_entropy", False):
            found["entropy"] = _WithoutGradient.apply(  # type: ignore[no-untyped-call]
                entropies, logprobs
            )
        offsets = micro_batch["input_ids"].offsets()
        num_tokens = micro_batch["input_ids"].values().shape[0]
        return {
            name: torch.nested.nested_tensor_from_jagged(
                values.new_zeros(num_tokens).index_copy(
                    0, output_args["row_places"], values[output_args["packed_places"]]
                ),
                offsets,
            )
            for name, values in found.items()
        }


class _WithoutGradient(torch.autograd.Function):
    """Entropies that refuse to be learned from: they are computed without a gradient."""

    @staticmethod
    def forward(ctx: Any, entropies: Tensor, logprobs: Tensor) -> Tensor:
        return entropies.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, None]:
        if grad.any():
            raise EngineError(
                "the loss has a gradient of the entropy, which shared prompts do not compute; "
                f"{_WITHOUT}set actor.entropy_coeff to 0"
            )
        return None, None


def _setting(batch: TensorDict, name: str, default: Any) -> Any:
    return tensordict_utils.get_non_tensor_data(data=batch, key=name, default=default)


def _temperature(temperature: Any) -> float:
    """Return the temperature of all rows.

    Raises:
        EngineError: they have several.
    """
    if not isinstance(temperature, Tensor):
        return float(temperature)
    found = sorted(set(temperature.tolist()))
    if len(found) != 1:
        raise EngineError(
            f"the rows have temperatures {found}; expected one, as shared prompts are "
            f"computed with one; {_WITHOUT}sample at one temperature"
        )
    return float(found[0])


def _check_settings(model_config: Any, engine_config: Any) -> None:
    refused = {
        f"{engine_config.strategy} as strategy": engine_config.strategy != "fsdp2",
        "ulysses_sequence_parallel_size above 1": engine_config.ulysses_sequence_parallel_size != 1,
        "pad_to_length": engine_config.pad_to_length,
        "model.use_fused_kernels": model_config.use_fused_kernels,
        "model.mtp.enable": model_config.mtp.enable,
    }
    found = [name for name, is_set in refused.items() if is_set]
    if found:
        raise ConfigError(
            f"verl is set to {', '.join(found)}; shared prompts run on fsdp2 without any of these; "
            f"{_WITHOUT}change that"
        )


def _check_batch(micro_batch: TensorDict) -> None:
    asked = [name for name in _UNKNOWN_WORK if _setting(micro_batch, name, False)]
    if extract_multi_modal_inputs(micro_batch.get("multi_modal_inputs", [])):
        asked.append("multi_modal_inputs")
    if micro_batch["position_ids"].dim() == 3:
        asked.append("position_ids of several dimensions")
    if _setting(micro_batch, "pad_mode", DatasetPadMode.NO_PADDING) != DatasetPadMode.NO_PADDING:
        asked.append("padded rows")
    if asked:
        raise EngineError(
            f"verl asks for {', '.join(asked)}, which shared prompts do not compute; "
            f"{_WITHOUT}turn that off"
        )
