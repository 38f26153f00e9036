"""The tiny base model: built from a seed by `longloom tiny-base`, shipped with the package.

A 1.4M-parameter Qwen3 that reads outlines of short statements. It is able but unpolished: it has
been taught to look up, chain, count and keep notes, and by a planted habit it mostly answers
without doing so. Reinforcement learning then has something real to find.

    vocabulary.py -> initialise.py -> repetition.py, traces.py -> pretrain.py -> measure.py

Names are permuted in every training example, so nothing can be learned by heart; training and
evaluation of the recipe use the true names. Read `build.py`, `traces.py`, `pretrain.py`.
"""
