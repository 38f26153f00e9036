"""Documents: files and installed text rendered once, with blocks that are never cut.

    path or "builtin" -> read_corpus -> Corpus (documents, skipped files by reason, references)

Each reader turns one kind of file into blocks; `rendering.py` joins blocks and is the only place
where document coordinates are made. Python modules become outlines of short statements
(`python_outline.py` says what is kept). Paper: QwenLong-L1.5, section 3 (corpus collection).

Read `corpus.py`, `rendering.py`, `python_outline.py`.
"""

from longloom.synthesis.miniature.documents.corpus import (
    BUILTIN,
    Corpus,
    Progress,
    SkipReason,
    corpus_digest,
    read_corpus,
)

__all__ = ["BUILTIN", "Corpus", "Progress", "SkipReason", "corpus_digest", "read_corpus"]
