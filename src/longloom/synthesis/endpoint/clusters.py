"""The documents that self-evolution asks about, and the context its questions are put in.

    entries of one split -> BM25 clusters -> views that fit -> cluster, and irrelevant documents

Documents stand whole where they fit and with a run of their blocks where they do not; one whose
licence forbids changes is whole or absent. A view keeps the document's id; its coordinates begin at
its first block.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from longloom.records import Document, Split
from longloom.synthesis.endpoint.clustering import cluster_documents
from longloom.synthesis.endpoint.fencing import speaks_to_a_model
from longloom.synthesis.weaving.assembly import Assembled, Placed, assemble, lay_out
from longloom.synthesis.weaving.collection import Collection, CollectionDocument
from longloom.text.token_counts import TokenCounter

_TITLE_TOKENS = 40
"""What a header takes, about."""
_MAX_FILLERS = 150
"""Irrelevant documents a context is filled from; links are looked for among them alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterView:
    """A cluster as it is shown."""

    placed: tuple[Placed, ...]
    """Its documents, each with the run of blocks that is shown."""

    @property
    def documents(self) -> tuple[Document, ...]:
        """The documents with the shown text alone."""
        return tuple(
            replace(
                placed.entry.document,
                text=placed.entry.document.text[start:end],
                blocks=(),
            )
            for placed in self.placed
            for start, end in placed.spans
        )

    def start_of(self, doc_id: str) -> int:
        """Return where the shown text of a document begins, in document coordinates."""
        return next(p.spans[0][0] for p in self.placed if p.entry.doc_id == doc_id)

    @property
    def num_tokens(self) -> float:
        """Tokens of the shown blocks."""
        return sum(placed.num_tokens + _TITLE_TOKENS for placed in self.placed)


def draw_clusters(
    entries: Sequence[CollectionDocument],
    *,
    num_clusters: int,
    documents_per_cluster: int,
    max_tokens: float,
    rng: Random,
) -> list[ClusterView]:
    """Return so many clusters of alike documents at most, drawn from all there are."""
    usable = [
        entry
        for entry in entries
        if not speaks_to_a_model(f"{entry.document.title}\n{entry.document.text}")
    ]
    by_id = {entry.doc_id: entry for entry in usable}
    groups = cluster_documents([entry.document for entry in usable], documents_per_cluster)
    views: list[ClusterView] = []
    for group in rng.sample(groups, len(groups)):
        if len(views) == num_clusters:
            break
        placed = _fit([by_id[document.doc_id] for document in group], max_tokens, rng)
        if len(placed) > 1:
            views.append(ClusterView(placed=tuple(placed)))
    return views


def _fit(entries: Sequence[CollectionDocument], max_tokens: float, rng: Random) -> list[Placed]:
    """Return the entries as far as they fit, short ones first so that they leave room."""
    placed: list[Placed] = []
    refused: set[str] = set()
    left = max_tokens
    ordered = sorted(entries, key=lambda entry: (sum(entry.block_tokens), entry.doc_id))
    for place, entry in enumerate(ordered):
        if entry.doc_id in refused:
            continue
        allowance = left / (len(ordered) - place) - _TITLE_TOKENS
        view = _view(entry, allowance, left - _TITLE_TOKENS, rng)
        if view is not None:
            placed.append(view)
            refused |= entry.near_copies
            left -= view.num_tokens + _TITLE_TOKENS
    return placed


def _view(
    entry: CollectionDocument, allowance: float, max_tokens: float, rng: Random
) -> Placed | None:
    whole = sum(entry.block_tokens)
    limit = allowance if entry.document.may_be_altered else max_tokens
    num_blocks = len(entry.block_tokens)
    if whole <= limit and num_blocks:
        return _run(entry, 0, num_blocks)
    if not entry.document.may_be_altered:
        return None
    # Rows of a table say nothing without the first one, which names the columns.
    first = 0 if entry.document.genre == "table" else rng.randrange(max(1, num_blocks))
    last = first
    num_tokens = 0.0
    while last < num_blocks and num_tokens + entry.block_tokens[last] <= allowance:
        num_tokens += entry.block_tokens[last]
        last += 1
    return _run(entry, first, last) if last > first else None


def _run(entry: CollectionDocument, first: int, last: int) -> Placed:
    return Placed(
        entry=entry,
        headings=(),
        first_block=first,
        last_block=last,
        num_tokens=sum(entry.block_tokens[first:last]),
    )


def context_of(
    view: ClusterView,
    collection: Collection,
    counter: TokenCounter,
    *,
    split: Split,
    max_tokens: int,
    rng: Random,
) -> Assembled | None:
    """Return a context of the cluster and, as far as there is room, of other documents."""
    cluster = {placed.entry.doc_id for placed in view.placed}
    near = {doc_id for placed in view.placed for doc_id in placed.entry.near_copies}
    others = [
        entry
        for entry in collection.entries
        if entry.doc_id not in cluster | near and (split is Split.HELD_OUT or entry.split is split)
    ]
    fillers: list[Placed] = []
    room = int(max_tokens - view.num_tokens)
    if others and room > 0:
        drawn = Collection(rng.sample(others, min(_MAX_FILLERS, len(others))))
        filled = assemble(
            drawn,
            counter,
            seed_id=drawn.entries[0].doc_id,
            split=split,
            max_tokens=room,
            usage=Counter(),
            rng=rng,
        )
        fillers = list(filled.placed) if filled is not None else []
    while True:
        placed = [*view.placed, *fillers]
        rng.shuffle(placed)
        context = lay_out(placed)
        num_tokens = counter.measure(context.text)
        if num_tokens <= max_tokens:
            break
        if not fillers:
            return None
        fillers.pop()
    return Assembled(
        context=context,
        placed=tuple(placed),
        facts_by_document={entry.entry.doc_id: entry.visible_facts() for entry in placed},
        num_tokens=-(-int(num_tokens * 100) // 100),
    )
