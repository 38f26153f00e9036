"""Evaluation: every benchmark of the papers, scored exactly (QwenLong-L1.5, section 5).

    Benchmark (official files -> Question, Asked) -> runner.py (answers.jsonl)
             -> scoring_run.py (rules in two modes, judge) -> results.py -> summary.py -> report

    examples -> evaluate.py -> cells.py: the table of a recipe's own run

Texts are asked by reference and never kept; answers and verdicts are kept and never asked for
twice; scores are pure functions of them and computed anew whenever a run ends.

Read `benchmark.py`, `runner.py`, `scoring_run.py`; of the scorers `scoring/score.py`.
"""
