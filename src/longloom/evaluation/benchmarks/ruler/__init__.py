"""RULER (Hsieh et al., arXiv 2404.06654), generated here from a seed without any download.

    words.py -> needles.py, tracking.py, counting.py, documents.py   (one task each: size -> sample)
             -> sizing.py    (the largest haystack whose tokens fit)
             -> generate.py  (rows in RULER's format, one file a task, written once)
             -> benchmark.py (questions by reference)

Facts and short formats are those of NVIDIA/RULER, `scripts/data/synthetic` (Apache-2.0). Noise,
words, filler and opening sentences are ours, so figures are RULER's in kind, not to the decimal.

Read `sample.py`, `needles.py`, `generate.py`.
"""
