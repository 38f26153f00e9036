"""The engine behind the server: requests join and leave while others are answered.

    sampler.py (threads, event loops) -> engine.py (who runs) -> running_rows.py (a step)
                                                              -> shelves.py (where rows are kept)

Training samples in groups with `models.generate`; here every request comes by itself, shares only
the beginning of its prompt with others, and may be cancelled at any step.

Read `engine.py`, `shelves.py`, `sampler.py`.
"""
