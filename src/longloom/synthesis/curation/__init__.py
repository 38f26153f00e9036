"""Curation: which documents are kept, and why the others are not.

    Document -> rules (language, length, repetition, symbols) -> a reason, or kept
    signatures of all documents -> duplicates (exact, then MinHash confirmed by Jaccard)

Every dropped document keeps its reason. Paper: QwenLong-L1.5, section 3 (rule-based filtering),
SPELL's corpus recipe for near duplicates.

Read `decisions.py`, `rules.py`, `duplicates.py`.
"""
