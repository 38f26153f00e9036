"""Facts: statements found in documents, each with the span that makes it.

    Reading -> an extractor -> facts (subject, relation, value, span)

Certainty 1 is asserted by markup, 2 by grammar or syntax tree, 3 by a model that quoted its span.
Relations are declared beside their extractor and carry their wording. Paper: QwenLong-L1.5,
section 3 (knowledge graph construction, schema extraction).

Read `fact.py`, `relation.py`, then the extractor of one genre.
"""
