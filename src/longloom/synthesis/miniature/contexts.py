"""Assemble contexts: required pieces, distractors up to a token budget, and a drawn order.

What it leaves out: cutting. Pieces are placed whole. A distractor never repeats a key (relation
and subject) that the context already holds, so it can change no answer; the checks execute the
program again all the same.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from longloom.records import Context, ContextPart, Evidence
from longloom.synthesis.miniature.fact import Fact
from longloom.synthesis.miniature.index import Key, Piece, View, turn_prefix

_MAX_MISSES = 16
_SAME_RELATION_CHANCE = 0.6

Measure = Callable[[str], int]
"""Tokens that count against the limit when the context has this text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a context must hold and which distractors suit it."""

    required: tuple[Piece, ...]
    """Gold pieces and pieces that state options, in the program's order."""
    relations: tuple[str, ...]
    """Relations asked about; distractors state them by preference."""
    dialogue_topic: str = ""
    """Makes the context a transcript in which no distractor is a reply about this topic."""
    is_in_order: bool = False
    """Whether required pieces keep their order."""
    min_values: int = 3
    """Distinct values of the last relation that the context must hold at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembly:
    """A context with its pieces in order."""

    context: Context
    """The text and its parts."""
    pieces: tuple[Piece, ...]
    """The pieces in the order of the text."""
    num_counted_tokens: int
    """The measured length."""


def assemble(
    view: View,
    request: Request,
    *,
    measure: Measure,
    num_fixed_tokens: int,
    max_tokens: int,
    rng: Random,
) -> Assembly | None:
    """Return a context whose measure is at most `max_tokens`, filled as far as pieces allow.

    `num_fixed_tokens` estimates the measure of an empty context; the result is counted exactly.
    None if the required pieces do not fit or contradict each other.
    """
    budget = max_tokens - num_fixed_tokens
    chosen = _fill(view, request, budget, rng)
    if chosen is None:
        return None
    order = _ordered(chosen, request, rng)
    separator = "\n" if request.dialogue_topic else "\n\n"
    while True:
        context = join_pieces(order, separator)
        num_tokens = measure(context.text)
        if num_tokens <= max_tokens:
            return Assembly(context=context, pieces=tuple(order), num_counted_tokens=num_tokens)
        if len(chosen) == len(request.required):
            return None
        dropped = chosen.pop()  # lengths do not add up exactly over joins
        order.remove(dropped)


def _fill(view: View, request: Request, budget_tokens: int, rng: Random) -> list[Piece] | None:
    chosen: list[Piece] = []
    used: set[Key] = set()
    remaining = budget_tokens
    for piece in request.required:
        if not used.isdisjoint(piece.keys):
            return None
        chosen.append(piece)
        used |= piece.keys
        remaining -= piece.num_tokens
    if remaining < 0:
        return None
    last = request.relations[-1]
    values = {fact.value for piece in chosen for fact in piece.facts if fact.relation == last}
    misses = 0
    while misses < _MAX_MISSES:
        needs_value = len(values) < request.min_values
        piece = _draw(view, request, last if needs_value else "", rng)
        new = {fact.value for fact in piece.facts if fact.relation == last} - values
        if (
            piece.num_tokens > remaining
            or not used.isdisjoint(piece.keys)
            or (needs_value and not new)
            or (not piece.keys and piece in chosen)
        ):
            misses += 1
            continue
        misses = 0
        chosen.append(piece)
        used |= piece.keys
        values |= new
        remaining -= piece.num_tokens
    return chosen if len(values) >= request.min_values else None


def _draw(view: View, request: Request, relation: str, rng: Random) -> Piece:
    if request.dialogue_topic:
        return _draw_turn(view, turn_prefix(request.dialogue_topic), rng)
    if relation:
        return rng.choice(view.pool_by_relation[relation])
    if view.prose_pool and rng.random() < view.index.config.prose_fraction:
        return rng.choice(view.prose_pool)
    if rng.random() < _SAME_RELATION_CHANCE:
        return rng.choice(view.pool_by_relation[rng.choice(request.relations)])
    return rng.choice(view.pool)


def _draw_turn(view: View, asked_prefix: str, rng: Random) -> Piece:
    turns = view.turns()
    for _ in range(_MAX_MISSES):
        turn = rng.choice(turns)
        if turn.prefix != asked_prefix:
            return turn
    # Almost every turn is about the asked topic: look for another one.
    return rng.choice([turn for turn in turns if turn.prefix != asked_prefix])


def _ordered(chosen: Sequence[Piece], request: Request, rng: Random) -> list[Piece]:
    """Return a uniformly drawn order; with `is_in_order` required pieces keep theirs."""
    order = list(chosen)
    rng.shuffle(order)
    if request.is_in_order:
        required = set(request.required)
        places = [place for place, piece in enumerate(order) if piece in required]
        for place, piece in zip(places, request.required, strict=True):
            order[place] = piece
    return order


def join_pieces(pieces: Sequence[Piece], separator: str) -> Context:
    """Return the context that holds `pieces` in this order."""
    texts: list[str] = []
    parts = []
    start = 0
    for piece in pieces:
        texts.append(piece.prefix + piece.text)
        parts.append(
            ContextPart(
                doc_id=piece.doc_id,
                doc_start=piece.start,
                doc_end=piece.end,
                context_start=start + len(piece.prefix),
            )
        )
        start += len(texts[-1]) + len(separator)
    text = separator.join(texts)
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    return Context(context_id=digest, text=text, parts=tuple(parts))


def place_evidence(context: Context, facts: Sequence[Fact]) -> tuple[Evidence, ...]:
    """Return where each fact is stated in the context.

    Raises:
        KeyError: a fact is not in the context.
    """
    placed = []
    for fact in facts:
        for part in context.parts:
            if part.doc_id == fact.doc_id and part.doc_start <= fact.start < part.doc_end:
                shift = part.context_start - part.doc_start
                placed.append(
                    Evidence(
                        doc_id=fact.doc_id,
                        doc_start=fact.start,
                        doc_end=fact.end,
                        context_start=fact.start + shift,
                        context_end=fact.end + shift,
                    )
                )
                break
        else:
            raise KeyError(f"{fact} is not in context {context.context_id}")
    return tuple(placed)
