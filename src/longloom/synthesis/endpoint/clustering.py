"""Group documents that speak about the same things, by BM25 (bm25s).

Self-evolution asks questions over several documents; they must have something in common. Each
cluster begins with the first document that is still free and takes its nearest free neighbours.
SPELL groups embeddings by k-means; BM25 needs no model.
"""

from collections.abc import Sequence

from longloom.errors import MissingDependencyError
from longloom.records import Document

_QUERY_CHARACTERS = 2_000
_INDEX_CHARACTERS = 40_000
_NEIGHBOURS_PER_PLACE = 8


def cluster_documents(
    documents: Sequence[Document], documents_per_cluster: int
) -> tuple[tuple[Document, ...], ...]:
    """Return disjoint clusters of alike documents; a document without company is left out.

    Raises:
        MissingDependencyError: bm25s is not installed.
    """
    if len(documents) < 2 or documents_per_cluster < 2:
        return ()
    neighbours = _neighbours(documents, documents_per_cluster * _NEIGHBOURS_PER_PLACE)
    is_free = [True] * len(documents)
    clusters: list[tuple[Document, ...]] = []
    for first in range(len(documents)):
        if not is_free[first]:
            continue
        alike = [place for place in neighbours[first] if place != first and is_free[place]]
        chosen = [first, *alike[: documents_per_cluster - 1]]
        if len(chosen) < 2:
            continue
        for place in chosen:
            is_free[place] = False
        clusters.append(tuple(documents[place] for place in chosen))
    return tuple(clusters)


def _neighbours(documents: Sequence[Document], num_wanted: int) -> list[list[int]]:
    """Return, for each document, the places of those most like it that share any word."""
    try:
        import bm25s
    except ImportError:
        raise MissingDependencyError(
            "bm25s is not installed; it groups documents; run: pip install bm25s"
        ) from None

    texts = [f"{document.title}\n{document.text[:_INDEX_CHARACTERS]}" for document in documents]
    retriever = bm25s.BM25()
    retriever.index(bm25s.tokenize(texts, stopwords="en", show_progress=False), show_progress=False)
    queries = bm25s.tokenize(
        [text[:_QUERY_CHARACTERS] for text in texts],
        stopwords="en",
        show_progress=False,
        return_ids=False,
    )
    found, scores = retriever.retrieve(
        queries, k=min(num_wanted, len(documents)), show_progress=False
    )
    return [
        [
            int(place)
            for place, score in sorted(
                zip(row, row_scores, strict=True), key=lambda pair: (-float(pair[1]), int(pair[0]))
            )
            if score > 0
        ]
        for row, row_scores in zip(found, scores, strict=True)
    ]
