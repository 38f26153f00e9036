"""Recipes: whole runs as functions returning one typed config, and what carries them out.

    tiny_cpu() -> RunConfig -> run_recipe: synthesis -> stages -> evaluation -> report

A recipe pairs the parts, which do not know each other: it hands the memory agent to training, the
merge its parents, and the evaluation every checkpoint. A later stage is the earlier one with
changes (QwenLong-L1.5, section 4.1, Fig. 6).

Read `tiny_cpu.py`, `pipeline.py`, `catalogue.py`.
"""
