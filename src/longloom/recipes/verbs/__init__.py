"""The verbs as functions: each part usable alone, on the files that the others write.

    synthesize -> train -> merge -> evaluate -> report, and read; run does it all

Each file holds one verb with the record it returns. Settings come from a recipe (`tiny-cpu` unless
another is named) with `a.b=c` overrides, as on the command line, which calls these functions.
No section of the paper: `longloom.recipes.api` and the command line are its two faces.

Read `train.py`, `evaluate.py`, `read.py`.
"""
