"""Steps: a pipeline as a list of steps over shards that are kept on disk.

    Step.run(keys and tasks) -> paths of shards, made once and found again

A shard is named by a digest of everything it is made of (the step's version, its settings, its
inputs), so a killed run continues where it stopped and an edited step redoes only what follows.
Paper: none; this is what makes QwenLong-L1.5's pipeline (section 3) repeatable.

Read `shards.py`.
"""

from longloom.synthesis.steps.shards import ShardTask, Step, digest_of

__all__ = ["ShardTask", "Step", "digest_of"]
