"""Which documents are woven together: small genres in one collection, a large one in several.

A worker holds one collection in memory, so its size bounds the memory of synthesis whatever the
size of the corpus.
"""

from collections import Counter
from collections.abc import Sequence

from longloom.records import Split
from longloom.synthesis.corpus_steps import SettledCorpus
from longloom.synthesis.weaving.weave import CollectionSource

COLLECTION_TOKENS = 6_000_000
"""About so many tokens of documents stand in one collection."""


def plan_collections(
    corpus: SettledCorpus, *, max_tokens: float = COLLECTION_TOKENS
) -> list[CollectionSource]:
    """Return the collections of a corpus; each shard and genre stands in exactly one."""
    by_genre: Counter[str] = Counter()
    for (genre, _), tokens in corpus.num_tokens.items():
        by_genre[genre] += int(tokens)
    sources: list[CollectionSource] = []
    group: list[str] = []
    for genre in sorted(by_genre):
        if by_genre[genre] > max_tokens:
            sources += _chunks(corpus, genre, max_tokens)
            continue
        if sum(by_genre[name] for name in group) + by_genre[genre] > max_tokens:
            sources.append(_source(corpus, range(len(corpus.documents)), tuple(group)))
            group = []
        group.append(genre)
    if group:
        sources.append(_source(corpus, range(len(corpus.documents)), tuple(group)))
    return sources


def _chunks(corpus: SettledCorpus, genre: str, max_tokens: float) -> list[CollectionSource]:
    """Cut a large genre into runs of shards; a single shard is never cut."""
    chunks: list[list[int]] = [[]]
    num_tokens = 0.0
    for place, tokens in enumerate(corpus.tokens_by_shard):
        own = sum(tokens.get((genre, split), 0.0) for split in Split)
        if own and num_tokens and num_tokens + own > max_tokens:
            chunks.append([])
            num_tokens = 0.0
        if own:
            chunks[-1].append(place)
            num_tokens += own
    return [_source(corpus, chunk, (genre,)) for chunk in chunks]


def _source(
    corpus: SettledCorpus, places: Sequence[int], genres: tuple[str, ...]
) -> CollectionSource:
    """Return a collection of the genres, from those of the shards that hold any of them."""
    holding = [
        place
        for place in places
        if any(
            (genre, split) in corpus.tokens_by_shard[place] for genre in genres for split in Split
        )
    ]
    return CollectionSource(
        documents=tuple(corpus.documents[place] for place in holding),
        facts=tuple(corpus.facts[place] for place in holding),
        decisions=corpus.decisions,
        genres=genres,
    )


def tokens_of(corpus: SettledCorpus, source: CollectionSource, genre: str, split: Split) -> float:
    """Return the tokens of one genre and split within a collection."""
    shards = set(source.documents)
    return sum(
        tokens.get((genre, split), 0.0)
        for path, tokens in zip(corpus.documents, corpus.tokens_by_shard, strict=True)
        if path in shards
    )
