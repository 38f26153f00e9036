"""Selection: from all checked questions to the balanced set that is written.

    woven shards -> shape cap, task shares -> examples.parquet, contexts.parquet

Nothing is chosen by what is in it, only by balance: no program shape above its share of its task
type, task types by their weights. Paper: QwenLong-L1.5, sections 3 and 4.2 (task balance).

Read `balance.py`.
"""
