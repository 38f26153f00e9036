"""Evaluation: how well a checkpoint answers held-out questions (QwenLong-L1.5, section 5.1).

    examples -> evaluate.py (an agent answers, rewards score) -> cells.py (one cell per suite)
             -> statistics.py (pass@k, paired intervals)

Documents longer than the window are read by the memory agent, or lose their middle
(`truncation.py`), or are withheld (closed book), and the three are compared.

Read `evaluate.py`, `cells.py`, `statistics.py`.
"""
