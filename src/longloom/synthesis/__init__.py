"""Synthesis: long documents become questions that programs answer.

    documents/ -> curation/ -> facts/ -> weaving/ (contexts, generators/, programs/, checks/)
               -> selection/ -> storage

Documents are rendered once to text; facts are statements with spans; a question is a program over
facts, asked about a context of whole documents, and kept only if execution on that very context
gives its answer alone. `miniature/` is the same idea in prompts of a few hundred tokens, for the
tiny CPU recipe. Paper: QwenLong-L1.5, section 3; the five task types of section 4.2.

Read `programs/node.py`, `generators/draft.py`, `miniature/pipeline.py`.
"""
