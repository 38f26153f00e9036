"""Facts: one statement of a document each, with the place that says it.

    Document -> extract_facts -> Fact (subject, relation, value, span)

`relations.py` is the table of relations and of the words that state them, `extract.py` reads the
statements of a rendered document, `tables.py` puts facts into DuckDB, read-only and shut in.
Paper: QwenLong-L1.5, section 3 (knowledge graph and structured tables of the corpus).

Read `relations.py`, `extract.py`, `tables.py`.
"""

from longloom.synthesis.miniature.facts.extract import extract_facts
from longloom.synthesis.miniature.facts.relations import (
    RELATIONS,
    Relation,
    relation_named,
    statement,
)

__all__ = ["RELATIONS", "Relation", "extract_facts", "relation_named", "statement"]
