"""Selection: from all checked questions to the balanced set that is written.

    woven shards -> quotas, shape cap -> examples.parquet, contexts.parquet

Nothing is chosen by what is in it, only by balance: no program shape above its share of its task
type, kinds of questions by the quotas of the mix. Paper: QwenLong-L1.5, sections 3 and 4.2 (task
balance).

Read `balance.py`.
"""
