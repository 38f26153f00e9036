"""Engines: where training runs.

`local.py` is the default: one process, on CPU, with our own network. It adapts the `TrainEngine`
protocol of `longloom.training.engine`; the algorithms it runs are pure functions of the training
room, so every engine computes the same advantages and losses (QwenLong-L1.5, section 4).

Read `longloom/training/engine.py`, then `local.py`.
"""
