"""BFCL v4 memory: what a model keeps of conversations by calling a memory's functions.

    read -> questions: scenario x back end
    prepare: the earlier conversations of a scenario, in order -> snapshot of the memory
    agent: a question on that memory, functions called step by step -> answer

Three back ends, written anew with the limits and messages of bfcl_eval (ShishirPatil/gorilla,
Apache-2.0): `key_value.py`, `vectors.py`, `summary.py`. Calls are parsed, never executed.

Read `benchmark.py`, `playing.py`, `calls.py`.
"""
