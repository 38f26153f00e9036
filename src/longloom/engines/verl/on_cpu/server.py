"""Rollout servers of verl's on Longloom's own sampler: one for each rank, tokens in, tokens out."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import ray
import torch
from torch import Tensor
from verl.workers.rollout.base import BaseRollout
from verl.workers.rollout.replica import RolloutReplica, TokenOutput

from longloom.engines.verl.agents import KEY_FIELD
from longloom.engines.verl.on_cpu.backends import SERVER
from longloom.errors import EngineError
from longloom.models.loading import load_network
from longloom.models.local_sampler import LocalSampler
from longloom.records import SampleRequest, SamplingParams
from longloom.text.tokenizer import FolderTokenizer


class CpuServer:
    """A network in a process of its own; every call is one step of an async actor."""

    def __init__(self, folder: str) -> None:
        """Load the model folder that training starts from."""
        torch.set_num_threads(1)
        self._network = load_network(
            Path(folder), device=torch.device("cpu"), dtype=torch.float32, yarn=None
        )
        self._sampler = LocalSampler(self._network, FolderTokenizer(Path(folder)))
        self._step: int | None = None

    async def ready(self) -> bool:
        """Return once the model is loaded."""
        return True

    async def rest(self, *given: Any, **named: Any) -> None:
        """Do nothing: a CPU has no memory to give back and no cache to clear."""

    sleep = wake_up = rest
    clear_kv_cache = release_kv_cache = resume_kv_cache = rest
    abort_all_requests = resume_generation = rest

    async def load(self, weights: dict[str, Tensor], step: int | None) -> None:
        """Take the policy's weights of a step.

        Raises:
            EngineError: a weight has no place in the network.
        """
        places = dict(self._network.named_parameters())
        with torch.no_grad():
            for name, weight in weights.items():
                if name in places:
                    places[name].copy_(weight)
                elif name != "lm_head.weight":  # of tied embeddings, which are there already
                    raise EngineError(
                        f"weight {name!r} of the trained policy is not among the {len(places)} of "
                        "the rollout server; expected those of the model folder"
                    )
        self._step = step

    async def generate(
        self,
        request_id: str,
        prompt_ids: list[int],
        sampling_params: dict[str, Any],
        **others: Any,
    ) -> TokenOutput:
        """Return one answer; its random stream is the one that the local engine would draw."""
        completion = await self._sampler.sample(
            SampleRequest(
                prompt_ids=tuple(prompt_ids),
                params=SamplingParams(
                    temperature=sampling_params["temperature"],
                    top_p=sampling_params["top_p"],
                    max_new_tokens=sampling_params["max_tokens"],
                ),
                key=sampling_params.get("extra_args", {}).get(KEY_FIELD, request_id),
            )
        )
        return TokenOutput(
            token_ids=list(completion.token_ids),
            log_probs=list(completion.logprobs),
            stop_reason="completed",
            num_preempted=0,
            extra_fields={"global_steps": self._step},
        )


class CpuReplica(RolloutReplica):
    """One server, as verl starts it."""

    async def launch_servers(self) -> None:
        """Start the server of this rank and wait until it is loaded."""
        actor = ray.remote(num_cpus=0)(CpuServer)
        server = actor.options(name=f"{SERVER}_{self.replica_rank}_0").remote(
            self.model_config.path
        )
        await server.ready.remote()
        self.servers = [server]
        self._server_handle = server
        self._server_address = f"{SERVER}:{self.replica_rank}"


class ServerAdapter(BaseRollout):
    """The training rank's side: sends the policy to its server."""

    def __init__(
        self, config: Any, model_config: Any, device_mesh: Any, *given: Any, **named: Any
    ) -> None:
        """Belong to the server of this process's rank."""
        super().__init__(config, model_config, device_mesh)
        self._name = f"{SERVER}_{os.environ['RANK']}_0"

    async def resume(self, tags: list[str]) -> None:
        """Do nothing: the server holds its weights all the time."""

    async def release(self) -> None:
        """Do nothing."""

    async def update_weights(
        self,
        weights: Iterable[tuple[str, Tensor]],
        global_steps: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Send the policy of a step."""
        state = {name: weight.detach().float().clone() for name, weight in weights}
        await ray.get_actor(self._name).load.remote(state, global_steps)
