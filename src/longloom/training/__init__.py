"""Training: stabilised reinforcement learning over growing contexts (QwenLong-L1.5, section 4).

    draw -> roll out -> score -> filter -> advantages -> entropy control -> sequences -> update

An algorithm is a pure function from scored rollouts to one advantage per token: `advantages.py`
(task-level std, Eq. 7), `entropy_control.py` (AEPO's latch and mask, Eq. 11),
`negative_clipping.py` (Eq. 8-10), `losses.py` (Eq. 4). `sampling.py` balances tasks,
`dynamic_sampling.py` fills the batch, `selection.py` chooses a stage's examples by difficulty,
`checkpoints.py` keeps what a killed run needs. `loop.py` wires them and names none of them;
`engine.py` is the seam to the place where it runs. `sft.py` is the warm-up of QwenLong-L1.

Read `loop.py`, `batch.py`, `advantages.py`.
"""
