"""Engines: where training runs.

`local.py` is the default: one process, on CPU or one accelerator. It adapts the `TrainEngine`
protocol of `longloom.training.engine`; the algorithms it runs are pure functions of the training
room, so every engine computes the same advantages and losses (QwenLong-L1.5, section 4).

    sequences -> micro-batches -> log-probabilities -> loss -> gradients, added up -> AdamW

Read `longloom/training/engine.py`, then `local.py`; `memory_plan.py` says what fits before anything
is loaded.
"""
