"""The benchmarks of the papers, one file each: how their official files become questions.

Read `longbench_v2.py` (the shortest), `files.py`, `l1_template.py`, `catalogue.py`.
"""
