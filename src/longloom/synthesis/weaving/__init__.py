"""Weaving: contexts of whole documents, and the questions asked about each.

    Collection -> assembly (documents of one context) -> World -> generators -> checks -> examples

A context is made first and asked about several times with the question last, so that a sampler
computes it once. The other documents of the context are the distractors: linked ones (hard), of
the same genre, and others; near copies never meet. Paper: QwenLong-L1.5, section 3 (long-context
extension, verification).

Read `assembly.py`, `weave.py`.
"""
