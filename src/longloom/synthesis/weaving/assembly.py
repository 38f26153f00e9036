"""Choose the documents of one context, cut what is too long, and lay them out.

A context is filled to its length: never above, and within `MAX_UNFILLED_FRACTION` below as far as
the documents allow. Documents stand whole; one that is too long is cut to a run of blocks with
the headings above it, unless its licence forbids changes.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from longloom.records import BlockKind, Context, ContextPart, Split
from longloom.synthesis.documents.building import BLOCK_SEPARATOR
from longloom.synthesis.facts.fact import Fact, facts_within
from longloom.synthesis.weaving.collection import Collection, CollectionDocument
from longloom.text.token_counts import TokenCounter

MAX_UNFILLED_FRACTION = 0.005
"""A context is full when less than this fraction of its length is left."""

_MIN_EXCERPT_TOKENS = 250.0
_MAX_SHARE = 0.5
"""What is cut takes at most this share of a context, so that several fit."""
_MAX_WHOLE_SHARE = 0.6
"""A longer document is cut, if its licence allows it."""
_LINKED_CHANCE, _SAME_GENRE_CHANCE = 0.6, 0.3
_NUM_CANDIDATES = 4
_NUM_WINDOWS = 4
_MAX_MISSES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A document, or a run of its blocks, chosen for a context."""

    entry: CollectionDocument
    """The document."""
    headings: tuple[int, ...]
    """Blocks of the headings above the run; empty for a whole document."""
    first_block: int
    """First block of the run."""
    last_block: int
    """One past the last block of the run."""
    num_tokens: float
    """Tokens of these blocks."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out."""
        return self.first_block == 0 and self.last_block == len(self.entry.document.blocks)

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """The pieces of the document that are shown, in document coordinates."""
        blocks = self.entry.document.blocks
        above = tuple((blocks[place].start, blocks[place].end) for place in self.headings)
        return (*above, (blocks[self.first_block].start, blocks[self.last_block - 1].end))

    def visible_facts(self) -> tuple[Fact, ...]:
        """Return the facts whose spans are shown."""
        if self.is_whole:
            return self.entry.facts
        return facts_within(self.entry.facts, self.spans)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """A context with the facts it shows."""

    context: Context
    """The text and its parts."""
    placed: tuple[Placed, ...]
    """The documents in order."""
    facts_by_document: Mapping[str, tuple[Fact, ...]]
    """Visible facts by document, in the order of the context."""
    num_tokens: int
    """Tokens of the text."""


def header(number: int, placed: Placed) -> str:
    """Return the line above a document."""
    note = "" if placed.is_whole else " (excerpt)"
    return f"Document {number}{note}: {placed.entry.document.title}"


def assemble(
    collection: Collection,
    counter: TokenCounter,
    *,
    seed_id: str,
    split: Split,
    max_tokens: int,
    usage: Counter[str],
    rng: Random,
) -> Assembled | None:
    """Return a context around a document, or None if not even two pieces fit.

    Args:
        collection: where documents are drawn from.
        counter: counts tokens.
        seed_id: the document the context is about.
        split: training contexts hold training documents only.
        max_tokens: length of the context.
        usage: how often each document was used; counted up here.
        rng: the stream of this context.
    """
    placed = _choose(collection, counter, seed_id, split, max_tokens, usage, rng)
    if not placed:
        return None
    rng.shuffle(placed)
    usage.update(entry.entry.doc_id for entry in placed)
    context = lay_out(placed)
    # Exact recount: headers and cuts were estimated one by one.
    measured = counter.measure(context.text)
    while measured > max_tokens and len(placed) > 1:
        placed.pop()
        context = lay_out(placed)
        measured = counter.measure(context.text)
    if measured > max_tokens:
        return None
    return Assembled(
        context=context,
        placed=tuple(placed),
        facts_by_document={entry.entry.doc_id: entry.visible_facts() for entry in placed},
        num_tokens=-(-int(measured * 100) // 100),
    )


def _choose(
    collection: Collection,
    counter: TokenCounter,
    seed_id: str,
    split: Split,
    max_tokens: int,
    usage: Counter[str],
    rng: Random,
) -> list[Placed]:
    """Place whole documents first, then fill up with parts, of other genres if possible.

    What is cut hides facts, and a question that speaks of all documents of a genre is asked only
    where none of them is cut.
    """
    filling = _Filling(collection, counter, max_tokens, rng)
    candidates = _candidates(collection, seed_id, split, filling, usage, rng)
    for entry in candidates:
        filling.tried.add(entry.doc_id)
        if filling.is_full or filling.misses > _MAX_MISSES:
            break
        filling.place(entry, may_cut=False)
    genre = collection.entry_by_id[seed_id].document.genre
    rest = [
        entry
        for entry in collection.entries
        if (split is Split.HELD_OUT or entry.split is split) and entry.doc_id not in filling.refused
    ]
    rng.shuffle(rest)
    rest.sort(key=lambda entry: (entry.document.genre == genre, usage[entry.doc_id]))
    for entry in rest[:_MAX_MISSES]:
        if filling.is_full:
            break
        if entry.doc_id not in filling.refused:
            filling.place(entry, may_cut=True)
    return filling.chosen


class _Filling:
    """A context while documents are placed in it."""

    def __init__(
        self, collection: Collection, counter: TokenCounter, max_tokens: int, rng: Random
    ) -> None:
        self.chosen: list[Placed] = []
        self.refused: set[str] = set()
        self.tried: set[str] = set()
        self.misses = 0
        self._collection = collection
        self._counter = counter
        self._max_tokens = max_tokens
        self._remaining = float(max_tokens)
        self._rng = rng

    @property
    def is_full(self) -> bool:
        """Whether hardly anything is left."""
        return self._remaining <= MAX_UNFILLED_FRACTION * self._max_tokens

    def place(self, entry: CollectionDocument, *, may_cut: bool) -> None:
        """Place a document if it fits, cut if that is allowed or it is long by itself."""
        number = len(self.chosen) + 1
        title = f"Document {number} (excerpt): {entry.document.title}\n\n"
        title_tokens = self._counter.measure(title)
        room = self._remaining - title_tokens
        placed = _fit(entry, self._collection, room, self._max_tokens, may_cut, self._rng)
        if placed is None:
            self.misses += 1
            return
        self.chosen.append(placed)
        self.refused |= {entry.doc_id, *entry.near_copies}
        self.tried |= self.refused
        self._remaining -= placed.num_tokens + title_tokens


def _candidates(
    collection: Collection,
    seed_id: str,
    split: Split,
    filling: "_Filling",
    usage: Counter[str],
    rng: Random,
) -> Iterator[CollectionDocument]:
    """Yield documents to try: the seed, then linked ones, ones of its genre, and others."""
    seed = collection.entry_by_id[seed_id]
    yield seed
    allowed = [
        entry for entry in collection.entries if split is Split.HELD_OUT or entry.split is split
    ]
    same_genre = [entry for entry in allowed if entry.document.genre == seed.document.genre]
    allowed_ids = {entry.doc_id for entry in allowed}
    while len(filling.tried) < len(allowed):
        draw = rng.random()
        pool: Sequence[CollectionDocument] = allowed
        if draw < _LINKED_CHANCE and filling.chosen:
            around = rng.choice(filling.chosen).entry.doc_id
            linked = [
                collection.entry_by_id[other]
                for other in collection.neighbours(around)
                if other in allowed_ids and other not in filling.tried
            ]
            pool = linked[:_NUM_CANDIDATES] or same_genre
        elif draw < _LINKED_CHANCE + _SAME_GENRE_CHANCE:
            pool = same_genre
        fresh = [entry for entry in pool if entry.doc_id not in filling.tried]
        fresh = fresh or [entry for entry in same_genre if entry.doc_id not in filling.tried]
        fresh = fresh or [entry for entry in allowed if entry.doc_id not in filling.tried]
        if not fresh:
            return
        tried = rng.sample(fresh, min(_NUM_CANDIDATES, len(fresh)))
        yield min(tried, key=lambda entry: usage[entry.doc_id])


def _fit(
    entry: CollectionDocument,
    collection: Collection,
    remaining: float,
    max_tokens: int,
    may_cut: bool,
    rng: Random,
) -> Placed | None:
    """Return the document whole or cut, or None if it has no place."""
    whole = collection.num_tokens_by_id[entry.doc_id]
    may_alter = entry.document.may_be_altered
    if whole <= remaining and (whole <= _MAX_WHOLE_SHARE * max_tokens or not may_alter):
        return Placed(
            entry=entry,
            headings=(),
            first_block=0,
            last_block=len(entry.document.blocks),
            num_tokens=whole,
        )
    is_long = whole > _MAX_WHOLE_SHARE * max_tokens
    if not may_alter or not (may_cut or is_long) or remaining < _MIN_EXCERPT_TOKENS:
        return None
    return _excerpt(entry, min(remaining, _MAX_SHARE * max_tokens), rng)


def _excerpt(entry: CollectionDocument, max_tokens: float, rng: Random) -> Placed | None:
    """Return the run of blocks with most facts among a few that begin at drawn headings."""
    blocks = entry.document.blocks
    starts = [place for place, block in enumerate(blocks) if block.kind is BlockKind.HEADING]
    if entry.document.genre == "table":
        starts = [0]  # the columns are named in the first row
    elif len(starts) < _NUM_WINDOWS:
        starts = list(range(len(blocks)))
    tried = rng.sample(starts, min(_NUM_WINDOWS, len(starts)))
    windows = [
        window for start in tried if (window := _window(entry, start, max_tokens)) is not None
    ]
    return max(windows, key=lambda window: len(window.visible_facts()), default=None)


def _window(entry: CollectionDocument, start: int, max_tokens: float) -> Placed | None:
    headings = _headings_above(entry, start)
    num_tokens = sum(entry.block_tokens[place] for place in headings)
    last = start
    while last < len(entry.block_tokens) and num_tokens + entry.block_tokens[last] <= max_tokens:
        num_tokens += entry.block_tokens[last]
        last += 1
    while start > 0 and num_tokens + entry.block_tokens[start - 1] <= max_tokens:
        start -= 1  # the document ended: take what stands before
        num_tokens += entry.block_tokens[start]
    if last == start:
        return None
    headings = tuple(place for place in headings if place < start)
    return Placed(
        entry=entry,
        headings=headings,
        first_block=start,
        last_block=last,
        num_tokens=num_tokens,
    )


def _headings_above(entry: CollectionDocument, start: int) -> tuple[int, ...]:
    """Return the headings a block stands under, outermost first."""
    blocks = entry.document.blocks
    level = blocks[start].level if blocks[start].kind is BlockKind.HEADING else 1_000
    above: list[int] = []
    for place in range(start - 1, -1, -1):
        if level <= 1:
            break
        if blocks[place].kind is BlockKind.HEADING and 0 < blocks[place].level < level:
            above.append(place)
            level = blocks[place].level
    return tuple(reversed(above))


def lay_out(placed: Sequence[Placed]) -> Context:
    """Return the context that shows the documents in this order under their titles."""
    texts: list[str] = []
    parts: list[ContextPart] = []
    length = 0
    for number, entry in enumerate(placed, start=1):
        pieces = [header(number, entry)]
        start = length + len(pieces[0]) + len(BLOCK_SEPARATOR)
        for doc_start, doc_end in entry.spans:
            parts.append(
                ContextPart(
                    doc_id=entry.entry.doc_id,
                    doc_start=doc_start,
                    doc_end=doc_end,
                    context_start=start,
                )
            )
            pieces.append(entry.entry.document.text[doc_start:doc_end])
            start += doc_end - doc_start + len(BLOCK_SEPARATOR)
        texts.append(BLOCK_SEPARATOR.join(pieces))
        length += len(texts[-1]) + len(BLOCK_SEPARATOR)
    text = BLOCK_SEPARATOR.join(texts)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return Context(context_id=digest, text=text, parts=tuple(parts))
