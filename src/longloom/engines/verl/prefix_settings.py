"""How verl is told to compute the prompt of a group once; needs nothing of verl."""

from collections.abc import Mapping

from pydantic import JsonValue

MODEL_TYPE = "longloom_shared_prompts"
"""The kind of model for which verl finds `prefix_engine.PrefixSharingEngine`."""
SHARING_SETTINGS: Mapping[str, JsonValue] = {
    "actor_rollout_ref.actor.entropy_coeff": 0,
    "actor_rollout_ref.actor.fsdp_config.pad_to_length": False,
    "actor_rollout_ref.actor.fsdp_config.ulysses_sequence_parallel_size": 1,
    "actor_rollout_ref.actor.strategy": "fsdp2",
    "actor_rollout_ref.model.external_lib": "longloom.engines.verl.prefix_engine",
    "actor_rollout_ref.model.model_type": MODEL_TYPE,
    "actor_rollout_ref.model.use_fused_kernels": False,
}
"""Settings of verl by their dotted names. verl imports the library in the processes that have a
model, where it registers the engine. The reference policy has the same model settings and uses the
engine too, so what is said of the actor's sharding holds for `ref` as well."""
