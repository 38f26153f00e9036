"""Synthesis on a Ray cluster (the extra `ray`): the same files as on one machine, from many.

    tasks of a step -> Ray Data, a Ray task each -> a process beside each Ray worker -> shard files
    calls of a model -> an async actor per endpoint -> HTTP

Shards are named by what they are made of, so local and Ray runs make identical files and continue
each other's. A lost worker or node loses nothing: its shards are made again elsewhere (paper:
QwenLong-L1.5, section 3, whose pipeline runs on a cluster).

Read `executor.py`, `shard_tasks.py` (what runs on a worker), `model.py`. Ray is imported inside
functions only.
"""
