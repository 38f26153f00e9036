"""Exact scoring: every benchmark's own rule, quirk by quirk, and the same with its faults repaired.

    text of an answer, gold answers -> one function per rule -> Score(parity, strict, parts)

All functions are pure and bounded in time, whatever a model wrote; nothing it wrote is executed.

Read `score.py`, `squad.py`, `docmath.py`.
"""
