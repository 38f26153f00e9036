"""Stages of a recipe on a cluster: `longloom run RECIPE --engine verl`.

    stage -> settings, layout -> verl's file -> a process of verl's, followed -> model folder

The stage's folder is that of any stage: metrics.jsonl, rollouts.jsonl and `final` come out the
same. Beside them lie verl's file (`verl.yaml`), its log and, while it trains, its checkpoints
(`verl/`).

Read `stages.py`, then `recorder.py`.
"""
