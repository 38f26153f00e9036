"""Which of verl's parts run on the CPU: FSDP2, and rollouts by `server.py`."""

ROLLOUT_NAME = "longloom_cpu"
"""`actor_rollout_ref.rollout.name` of the servers."""
SERVER = f"{ROLLOUT_NAME}_server"
"""Beginning of their names in Ray; the rank and a 0 follow."""


def register_backends() -> None:
    """Let verl's FSDP engines train on the CPU, and make our servers known."""
    import verl.workers.engine.fsdp  # noqa: F401  # registers itself for GPUs
    from verl.workers.engine.base import EngineRegistry
    from verl.workers.rollout.base import _ROLLOUT_REGISTRY
    from verl.workers.rollout.replica import RolloutReplicaRegistry

    for backends in EngineRegistry._engines.values():
        for name, engine_by_device in backends.items():
            if name in ("fsdp", "fsdp2") and "cuda" in engine_by_device:
                engine_by_device.setdefault("cpu", engine_by_device["cuda"])
    _ROLLOUT_REGISTRY[ROLLOUT_NAME, "async"] = f"{__package__}.server.ServerAdapter"
    RolloutReplicaRegistry.register(ROLLOUT_NAME, _replica)


def _replica() -> type:
    from longloom.engines.verl.on_cpu.server import CpuReplica

    return CpuReplica
