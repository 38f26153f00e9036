"""Exact scoring: every benchmark's own rule, quirk by quirk, and the same with its faults repaired.

    text of an answer, gold answers -> one function per rule -> Score(parity, strict, parts)

All functions are pure and bounded in time, whatever a model wrote; nothing it wrote is executed.
Thinking is removed before; without a gold answer nothing is right. Two things need the extra
`eval`: `chinese.py` cuts words, and `math_workers.py` compares formulas, in processes of its own.
A judge's prompts and its replies are `judging.py`.

Read `score.py`, `squad.py`, `docmath.py`.
"""
