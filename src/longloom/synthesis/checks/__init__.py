"""Checks: what decides, without a model, whether a question is kept.

`drafts.py` executes programs on the context, on the gold documents alone and without each of them;
`second_opinion.py` computes numerical answers again, as SQL on parsed values and in decimals from
the displayed text. Paper: QwenLong-L1.5, section 3; data.md, 3.3 and 3.4.
Read `drafts.py`, `second_opinion.py`, `../programs/node.py`.
"""
