"""What `longloom evaluate` joins: benchmarks and their files, examples of one's own, agents.

Read `targets.py`, `examples.py`, `asked_model.py`.
"""
