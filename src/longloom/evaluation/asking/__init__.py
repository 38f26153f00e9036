"""Asking: how a model gets every question of a benchmark once, whatever happens meanwhile.

    runner.py -> text by reference -> fitting.py (cut to the window) -> one_answer.py (single call,
              memory agent, a benchmark's own agent) -> answers.py (answers.jsonl)

Read `runner.py`, `one_answer.py`, `answers.py`.
"""
