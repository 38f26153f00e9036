"""Longloom: long-context post-training by the QwenLong-L1.5 recipe.

Documents are woven into verified questions, a model is trained on them with stabilised
reinforcement learning over growing contexts, a memory agent learns to read beyond the window,
the two are merged, and the result is evaluated exactly.

Start reading at `recipes/tiny_cpu.py` (a whole run as one typed config), then
`recipes/pipeline.py` (how the parts are joined) and `records/` (what flows between them).
"""

__version__ = "0.1.0"
