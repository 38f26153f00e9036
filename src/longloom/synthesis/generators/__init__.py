"""Generators: from the facts of one context to drafts of questions.

    World (+ Random) -> a generator -> drafts -> checks

A generator draws programs that may hold on the documents of a context, words them and says what
they should answer; whether a draft is kept is decided by `checks/`. Paper: QwenLong-L1.5,
section 3 (the three generators) and section 4.2 (task types).

Read `draft.py`, then the generator of one task.
"""
