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
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.weaving.collection import Collection, CollectionDocument
from longloom.text.token_counts import TokenCounter

MAX_UNFILLED_FRACTION = 0.005
"""A context is full when less than this fraction of its length is left."""

_MIN_EXCERPT_TOKENS = 250.0
_MAX_SHARE = 0.5
"""A document takes at most this share of a context, so that several fit."""
_LINKED_CHANCE, _SAME_GENRE_CHANCE = 0.6, 0.3
_NUM_CANDIDATES = 4
_NUM_WINDOWS = 4
_MAX_MISSES = 60


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
        spans = self.spans
        return tuple(
            fact
            for fact in self.entry.facts
            if any(start <= fact.start and fact.end <= end for start, end in spans)
        )


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
    chosen: list[Placed] = []
    refused: set[str] = set()
    remaining = float(max_tokens)
    misses = 0
    candidates = _candidates(collection, seed_id, split, chosen, refused, usage, rng)
    for entry in candidates:
        number = len(chosen) + 1
        refused.add(entry.doc_id)
        title_tokens = counter.measure(f"Document {number} (excerpt): {entry.document.title}\n\n")
        placed = _fit(entry, collection, remaining - title_tokens, max_tokens, rng)
        if placed is None:
            misses += 1
            if misses > _MAX_MISSES:
                break
            continue
        chosen.append(placed)
        refused |= entry.near_copies
        remaining -= placed.num_tokens + title_tokens
        if remaining <= MAX_UNFILLED_FRACTION * max_tokens:
            break
    return chosen


def _candidates(
    collection: Collection,
    seed_id: str,
    split: Split,
    chosen: Sequence[Placed],
    refused: set[str],
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
    while len(refused) < len(allowed):
        draw = rng.random()
        pool: Sequence[CollectionDocument] = allowed
        if draw < _LINKED_CHANCE and chosen:
            around = rng.choice(chosen).entry.doc_id
            linked = [
                collection.entry_by_id[other]
                for other in collection.neighbours(around)
                if other in allowed_ids and other not in refused
            ]
            pool = linked[:_NUM_CANDIDATES] or same_genre
        elif draw < _LINKED_CHANCE + _SAME_GENRE_CHANCE:
            pool = same_genre
        fresh = [entry for entry in pool if entry.doc_id not in refused]
        fresh = fresh or [entry for entry in same_genre if entry.doc_id not in refused]
        fresh = fresh or [entry for entry in allowed if entry.doc_id not in refused]
        if not fresh:
            return
        tried = rng.sample(fresh, min(_NUM_CANDIDATES, len(fresh)))
        yield min(tried, key=lambda entry: usage[entry.doc_id])


def _fit(
    entry: CollectionDocument,
    collection: Collection,
    remaining: float,
    max_tokens: int,
    rng: Random,
) -> Placed | None:
    """Return the document whole or cut, or None if it has no place."""
    whole = collection.num_tokens_by_id[entry.doc_id]
    limit = min(remaining, _MAX_SHARE * max_tokens)
    if whole <= (remaining if not entry.document.may_be_altered else limit):
        return Placed(
            entry=entry,
            headings=(),
            first_block=0,
            last_block=len(entry.document.blocks),
            num_tokens=whole,
        )
    if not entry.document.may_be_altered or remaining < _MIN_EXCERPT_TOKENS:
        return None
    return _excerpt(entry, limit, rng)


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
