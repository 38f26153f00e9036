"""Split a question into what is asked and how the answer shall look (QwenLong-L1.5, section 2.3).

The form is kept from the steps that read, where a JSON schema or a word limit would disturb the
notes, and given back to the step that answers. The paper does not say how it splits; here rules
decide, and a model is asked only where they cannot.

    question -> pieces (sentences, headings, options, blocks) -> core or instruction, piece by piece

A wrong cut is worse than none: a core that misses the question spoils every note, an instruction
that stays in it disturbs a little. So a piece is cut off only if a pattern knows it, it names
little that could be asked about, and what is left still asks something. Options of a
multiple-choice question always stay in the core. "Prepend XYZ to the second poem about tapirs" is
instruction and question in one sentence (MRCR): all of it stays in the core, for half of it says
nothing by itself.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from longloom.memory.query_pieces import Piece, PieceKind, cut_pieces
from longloom.memory.query_rules import (
    ASKS,
    FORM_HEADING,
    FORM_LABEL,
    FORM_WORDS,
    FRAME,
    GOES_ON,
    INSTRUCTION,
    LEAD_IN,
    LEADING_CLAUSE,
    LIST_LINE,
    OTHER_LABEL,
    QUOTED,
    SCHEMA,
    SIGNS,
    TRAILING_CLAUSE,
)

_MAX_LEAD_INS = 6
_MAX_OTHER_WORDS = 8
"""More words that are not about form, and a sentence is not only an instruction."""
_MAX_OTHER_WORDS_ALONE = 2
"""The same where nothing else of the question asks something."""
_WORD = re.compile(r"[A-Za-z][A-Za-z_'\u2019-]*|\d[\d.,]*")
_COLON = re.compile(r":(?=\s)|\uff1a")
_LOOKED_AT = 2_000
"""Characters of a piece that patterns are tried on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question in its two parts; joined they are the question, but for white space."""

    core: str
    """What is asked; shown at every step."""
    instructions: str
    """How the answer shall look; shown to the last step alone. May be empty."""
    is_decided: bool
    """False where the rules found signs of instructions but no place to cut."""


def split_question(question: str) -> Query:
    """Return the parts of `question` by rule; its words stay in their order within each part."""
    shares = list(_shares(cut_pieces(question)))
    core = [share for share in shares if not share.is_form]
    form = [share for share in shares if share.is_form and share.text.strip()]
    if form and _still_asks(core, form):
        return Query(core=_joined(core), instructions=_joined(form), is_decided=True)
    has_signs = bool(form) or any(
        SIGNS.search(share.text, 0, _LOOKED_AT) for share in shares if share.is_looked_at
    )
    return Query(core=question, instructions="", is_decided=not has_signs)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Share:
    """A piece, or a part of one, and where it belongs."""

    text: str
    is_form: bool
    kind: PieceKind

    @property
    def is_looked_at(self) -> bool:
        """Whether its words may be about the form of the answer."""
        return self.kind in (PieceKind.SENTENCE, PieceKind.HEADING)


class _Scope(StrEnum):
    """How far the instruction before a piece reaches."""

    NONE = "none"
    """It has ended."""
    SENTENCE = "sentence"
    """A block, or a sentence that goes on with it."""
    NEXT = "next"
    """What follows, a blank line between them or none."""
    PARAGRAPH = "paragraph"
    """The rest of the paragraph, and lists and blocks behind it."""
    HEADING = "heading"
    """All up to the next heading."""


def _shares(pieces: Sequence[Piece]) -> Iterator[_Share]:
    """Say of every piece in order where it belongs; the last instruction may reach further."""
    scope = _Scope.NONE
    for number, piece in enumerate(pieces):
        bare = piece.bare[:_LOOKED_AT]
        scope = _reach(scope, piece, bare)
        if opened := _opens_form(piece, bare):
            scope = opened
            yield _Share(text=piece.text, is_form=True, kind=piece.kind)
        elif scope is not _Scope.NONE:
            yield _Share(text=piece.text, is_form=True, kind=piece.kind)
            if scope is _Scope.NEXT:
                scope = _Scope.SENTENCE if piece.kind is PieceKind.BLOCK else _Scope.PARAGRAPH
        elif piece.kind is PieceKind.BLOCK:
            is_schema = number == len(pieces) - 1 and SCHEMA.search(bare) is not None
            yield _Share(text=piece.text, is_form=is_schema, kind=piece.kind)
        else:
            parts = list(_sentence_shares(piece))
            yield from parts
            if parts[-1].is_form:
                scope = _Scope.NEXT if bare.endswith((":", "\uff1a")) else _Scope.SENTENCE


def _reach(scope: _Scope, piece: Piece, bare: str) -> _Scope:
    """Return what is left of the scope of an instruction when this piece follows."""
    if piece.kind in (PieceKind.HEADING, PieceKind.BULK):
        return _Scope.NONE
    if piece.begins_line and OTHER_LABEL.match(bare):
        return _Scope.NONE
    if scope is _Scope.SENTENCE and piece.kind is not PieceKind.BLOCK:
        goes_on = not piece.begins_paragraph and GOES_ON.match(bare)
        return scope if goes_on else _Scope.NONE
    if scope is _Scope.PARAGRAPH and piece.begins_paragraph:
        is_list = piece.kind is PieceKind.BLOCK or LIST_LINE.match(bare)
        return scope if is_list else _Scope.NONE
    return scope


def _opens_form(piece: Piece, bare: str) -> _Scope | None:
    """Return how far a title of instructions reaches; None if the piece is none."""
    if piece.kind is PieceKind.HEADING:
        return _Scope.HEADING if FORM_HEADING.match(bare) else None
    if piece.kind is not PieceKind.SENTENCE:
        return None
    if piece.begins_line and bare.startswith(("**", "[", "\u3010")) and FORM_HEADING.match(bare):
        return _Scope.NEXT
    label = FORM_LABEL.match(bare)
    # "Answer: who is it?" is a question after all.
    if label is None or ASKS.search(bare, label.end()):
        return None
    if label.end() == len(bare):
        return _Scope.NEXT if piece.begins_line else None
    return _Scope.PARAGRAPH if piece.begins_line or "format" in label[0].lower() else None


def _sentence_shares(piece: Piece) -> Iterator[_Share]:
    """Say where a sentence belongs, or its two parts where a question stands behind a form."""
    text, kind = piece.text, piece.kind
    if kind is not PieceKind.SENTENCE or OTHER_LABEL.match(text):
        yield _Share(text=text, is_form=False, kind=kind)
        return
    start = _after_lead_ins(text)
    if clause := LEADING_CLAUSE.match(text, start):
        yield _Share(text=text[: clause.end()], is_form=True, kind=kind)
        yield _Share(text=text[clause.end() :], is_form=False, kind=kind)
        return
    if INSTRUCTION.match(text, start, start + _LOOKED_AT):
        colon = _asking_part(text)
        if colon is not None:
            yield _Share(text=text[:colon], is_form=True, kind=kind)
            yield _Share(text=text[colon:], is_form=False, kind=kind)
            return
        is_form = _num_other_words(text) <= _MAX_OTHER_WORDS
        yield _Share(text=text, is_form=is_form, kind=kind)
        return
    tail = max(0, len(text) - 200)
    clause = None if "?" in text[tail:] else TRAILING_CLAUSE.search(text, tail)
    if clause and text[: clause.start()].strip():
        yield _Share(text=text[: clause.start()], is_form=False, kind=kind)
        yield _Share(text=text[clause.start() :], is_form=True, kind=kind)
        return
    yield _Share(text=text, is_form=False, kind=kind)


def _after_lead_ins(text: str) -> int:
    """Return where a sentence begins behind bullets, "please" and the like."""
    start = len(text) - len(text.lstrip())
    for _ in range(_MAX_LEAD_INS):
        lead_in = LEAD_IN.match(text, start)
        # "Remember to" may be followed by more, "Note:" by nothing: then it is no lead-in.
        if lead_in is None or lead_in.end() >= len(text.rstrip()):
            break
        start = lead_in.end()
    return start


def _asking_part(text: str) -> int | None:
    """Return where a question behind the first colon outside quotation marks begins, or None."""
    unquoted = QUOTED.sub(lambda quoted: " " * len(quoted[0]), text[:_LOOKED_AT])
    colon = _COLON.search(unquoted)
    if colon is None:
        return None
    asked = unquoted[colon.end() :].lstrip()
    is_asked = "?" in asked or "\uff1f" in asked
    is_asked = is_asked or (ASKS.match(asked) is not None and not GOES_ON.match(asked))
    return colon.start() + 1 if is_asked else None


def _num_other_words(text: str) -> int:
    """Return how many words of a sentence are not about the form of answers."""
    words = _WORD.findall(QUOTED.sub(" ", text[:_LOOKED_AT]))
    plain = (word.lower().removesuffix("'s") for word in words if not word[0].isdigit())
    return sum(word not in FORM_WORDS for word in plain)


def _still_asks(core: Sequence[_Share], form: Sequence[_Share]) -> bool:
    """Whether what is left asks something without what was cut off."""
    stated = False
    for share in core:
        bare = share.text.strip()[:_LOOKED_AT]
        is_frame = FRAME.match(bare) is not None and "?" not in bare
        if share.kind is PieceKind.BULK:
            return True
        if share.kind is PieceKind.SENTENCE and ASKS.search(bare) and not is_frame:
            return True
        stated = stated or (
            share.kind is PieceKind.SENTENCE
            and len(bare) >= 8
            and not is_frame
            and not OTHER_LABEL.fullmatch(bare)
        )
    return stated and all(
        share.kind is not PieceKind.SENTENCE
        or _num_other_words(share.text) <= _MAX_OTHER_WORDS_ALONE
        for share in form
    )


def _joined(shares: Sequence[_Share]) -> str:
    """Join parts; those that touched nothing before are kept apart by a space."""
    text = ""
    for share in shares:
        gap = " " if text and not text[-1].isspace() and not share.text[:1].isspace() else ""
        text += gap + share.text
    return text.strip()
