"""Split a chat request that is longer than the window into documents and a question.

    messages -> turns -> the first recogniser that finds most of the text -> ReadingRequest

In this order: the request's own field; a layout with marks (Open WebUI, `<text>`, CorpusQA,
LongBench, RULER); a long conversation; a long system prompt; the largest text. Nothing of a
document is lost: every character of the messages is in a document, in the question, in a message
for the final call, or listed as dropped.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from longloom.serving.explicit import explicit_reading
from longloom.serving.layouts import (
    Piece,
    PieceKind,
    corpus_qa,
    longbench,
    open_webui,
    plain_text,
    ruler,
    tagged_text,
)
from longloom.serving.layouts.pieces import document, nonempty, question
from longloom.serving.reading_request import ReadingRequest, Recogniser
from longloom.serving.turns import ChatTurn, chat_turns, rendered

MAX_KEPT_CHARS = 8_000
"""Earlier turns with more text than this are read as a document, not repeated at every step."""
_CONVERSATION = "conversation"
_MIN_EARLIER_QUESTIONS = 2


_Layout = Callable[[str], tuple[Piece, ...] | None]
_LAYOUTS: tuple[tuple[Recogniser, _Layout], ...] = (
    (Recogniser.OPEN_WEBUI, open_webui),
    (Recogniser.TAGGED_TEXT, tagged_text),
    (Recogniser.CORPUS_QA, corpus_qa),
    (Recogniser.LONGBENCH, longbench),
    (Recogniser.RULER, ruler),
)


@dataclass(frozen=True, slots=True)
class _Chat:
    """A request's turns, and which of them asks."""

    turns: tuple[ChatTurn, ...]
    asking: int
    max_kept_chars: int

    @property
    def num_chars(self) -> int:
        return sum(len(turn.text) for turn in self.turns)


def split_request(
    messages: Sequence[Mapping[str, object]],
    *,
    extra: Mapping[str, object] | None = None,
    max_kept_chars: int = MAX_KEPT_CHARS,
) -> ReadingRequest | None:
    """Return documents and question of a chat request; None if one of them is not to be found.

    Args:
        messages: as they came, in OpenAI's form.
        extra: the request's own word on it: `document` (a text) or `documents` (texts, or objects
            with `name` and `text`), and `question`, which may stand alone.
        max_kept_chars: earlier turns up to this much text are kept for the final call.

    Raises:
        DataError: a message holds what is no text, or `extra` is malformed.
    """
    turns = chat_turns(messages)
    asking = max((at for at, turn in enumerate(turns) if turn.role == "user"), default=-1)
    chat = _Chat(turns, asking, max_kept_chars)
    documents, asked = explicit_reading(extra or {})
    if documents:
        return _given(chat, documents, asked)
    if asking < 0:
        return None
    if asked:
        return _asked_of_largest(chat, asked)
    for recogniser, pieces_by_turn in _readings(chat):
        request = _request(chat, recogniser, pieces_by_turn)
        if request.documents and request.question:
            return request
    return None


def _given(chat: _Chat, documents: Sequence[tuple[str, str]], asked: str) -> ReadingRequest | None:
    """Return the request whose documents came in a field of their own."""
    if not asked and chat.asking < 0:
        return None
    is_asking_turn_kept = bool(asked)
    kept, folded = _kept(chat, {}, is_asking_turn_kept=is_asking_turn_kept)
    asked = asked or chat.turns[chat.asking].text.strip()
    named = _named([*documents, *folded])
    if not named or not asked:
        return None
    return ReadingRequest(
        documents=named,
        question=asked,
        messages=kept,
        recogniser=Recogniser.EXPLICIT,
        dropped=(),
    )


def _asked_of_largest(chat: _Chat, asked: str) -> ReadingRequest | None:
    """Return the request whose question came in a field of its own, so that the rest is read."""
    largest = max(range(len(chat.turns)), key=lambda at: len(chat.turns[at].text))
    read = {largest: (document(0, len(chat.turns[largest].text)),)}
    request = _request(chat, Recogniser.EXPLICIT, read, asked=asked)
    return request if request.documents else None


def _readings(chat: _Chat) -> Iterator[tuple[Recogniser, dict[int, tuple[Piece, ...]]]]:
    """Yield the ways to read the chat, the likeliest first."""
    for recogniser, layout in _LAYOUTS:
        found = {
            at: pieces
            for at, turn in enumerate(chat.turns)
            if turn.is_system or turn.role == "user"
            if (pieces := layout(turn.text)) is not None
        }
        if 2 * _document_chars(found) >= chat.num_chars:
            yield recogniser, found
    if _is_conversation(chat):
        yield Recogniser.CONVERSATION, _earlier_turns(chat)
    largest = max(range(len(chat.turns)), key=lambda at: len(chat.turns[at].text))
    turn = chat.turns[largest]
    if turn.is_system:
        yield Recogniser.SYSTEM_PROMPT, {largest: _all_but_opening(turn.text)}
    yield Recogniser.LARGEST_TEXT, {largest: _largest(chat, largest)}


def _document_chars(pieces_by_turn: Mapping[int, tuple[Piece, ...]]) -> int:
    return sum(
        piece.end - piece.start
        for pieces in pieces_by_turn.values()
        for piece in pieces
        if piece.kind is PieceKind.DOCUMENT
    )


def _is_conversation(chat: _Chat) -> bool:
    """Whether the long part is the turns before the question, none of which is most of it."""
    earlier = [turn for turn in chat.turns[: chat.asking] if not turn.is_system]
    num_chars = sum(len(turn.spoken) for turn in earlier)
    num_questions = sum(turn.role == "user" for turn in earlier)
    longest = max((len(turn.spoken) for turn in earlier), default=0)
    return (
        num_questions >= _MIN_EARLIER_QUESTIONS
        and 2 * num_chars >= chat.num_chars
        and 2 * longest < num_chars
    )


def _earlier_turns(chat: _Chat) -> dict[int, tuple[Piece, ...]]:
    return {
        at: (document(0, len(turn.text), _CONVERSATION),)
        for at, turn in enumerate(chat.turns[: chat.asking])
        if not turn.is_system
    }


def _all_but_opening(text: str) -> tuple[Piece, ...]:
    """Return a system prompt's first paragraph as instruction, if it is short, and the rest."""
    end = text.find("\n\n", 0, MAX_KEPT_CHARS)
    return nonempty([question(0, max(end, 0)), document(max(end, 0), len(text))])


def _largest(chat: _Chat, largest: int) -> tuple[Piece, ...]:
    """Return the pieces of the largest turn: its largest part, or all but the question in it."""
    turn = chat.turns[largest]
    if len(turn.parts) > 1:
        start, end = max(turn.parts, key=lambda span: span[1] - span[0])
        return nonempty([question(0, start), document(start, end), question(end, len(turn.text))])
    pieces = plain_text(turn.text) if turn.role == "user" else None
    return pieces or (document(0, len(turn.text)),)


def _request(
    chat: _Chat,
    recogniser: Recogniser,
    pieces_by_turn: Mapping[int, tuple[Piece, ...]],
    *,
    asked: str = "",
) -> ReadingRequest:
    """Put the pieces of every turn where they belong; `asked` is a question given apart."""
    documents: list[tuple[str, str]] = []
    left_out: list[str] = []
    rests: dict[int, str] = {}
    if recogniser is Recogniser.CONVERSATION:
        documents = [(_CONVERSATION, rendered([chat.turns[at] for at in pieces_by_turn]))]
        rests = dict.fromkeys(pieces_by_turn, "")
        pieces_by_turn = {}
    for at, pieces in pieces_by_turn.items():
        text = chat.turns[at].text
        rests[at] = _joined(text, pieces)
        left_out += [text[p.start : p.end] for p in pieces if p.kind is PieceKind.DROPPED]
        documents += [
            (piece.name, text[piece.start : piece.end])
            for piece in pieces
            if piece.kind is PieceKind.DOCUMENT
        ]
    kept, folded = _kept(
        chat,
        rests,
        is_asking_turn_kept=bool(asked),
        is_conversation_read=recogniser is Recogniser.CONVERSATION,
    )
    asked = asked or rests.get(chat.asking, chat.turns[chat.asking].text.strip())
    return ReadingRequest(
        documents=_named([*documents, *folded]),
        question=asked,
        messages=kept,
        recogniser=recogniser,
        dropped=tuple(left_out),
    )


def _joined(text: str, pieces: Sequence[Piece]) -> str:
    texts = [text[p.start : p.end].strip() for p in pieces if p.kind is PieceKind.QUESTION]
    return "\n\n".join(part for part in texts if part)


def _kept(
    chat: _Chat,
    rests: Mapping[int, str],
    *,
    is_asking_turn_kept: bool,
    is_conversation_read: bool = False,
) -> tuple[tuple[Mapping[str, object], ...], list[tuple[str, str]]]:
    """Return the messages for the final call, and a document of earlier turns if they are long.

    A turn that was read whole keeps its place as a remark, so that roles go on alternating; in a
    conversation that was read it is left out.
    """
    last = len(chat.turns) - 1
    turns = [
        (turn, rests.get(at))
        for at, turn in enumerate(chat.turns)
        if at != chat.asking or last > chat.asking or (is_asking_turn_kept and rests.get(at) != "")
    ]
    spoken = [(turn, rest) for turn, rest in turns if not turn.is_system and rest != ""]
    num_chars = sum(len(turn.spoken if rest is None else rest) for turn, rest in spoken)
    is_folded = num_chars > chat.max_kept_chars
    kept: list[Mapping[str, object]] = []
    for turn, rest in turns:
        if turn.is_system:
            kept += [turn.message] if rest is None else _with_text(turn, rest)
        elif rest is None and not is_folded:
            kept.append(turn.message)
        elif not is_folded and (rest or not is_conversation_read):
            kept += _with_text(turn, rest or "[a document that was read]")
    if not is_folded:
        return tuple(kept), []
    return tuple(kept), [(_CONVERSATION, rendered([_shortened(*pair) for pair in spoken]))]


def _with_text(turn: ChatTurn, text: str) -> list[Mapping[str, object]]:
    return [{**turn.message, "content": text}] if text else []


def _shortened(turn: ChatTurn, rest: str | None) -> ChatTurn:
    return turn if rest is None else chat_turns([{**turn.message, "content": rest}])[0]


def _named(documents: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the documents that have text, under names that are all different."""
    named: dict[str, str] = {}
    count_by_name: dict[str, int] = {}
    for name, text in documents:
        if not text.strip():
            continue
        base = name or "document"
        count_by_name[base] = count_by_name.get(base, 0) + 1
        unique = base if count_by_name[base] == 1 else f"{base} ({count_by_name[base]})"
        while unique in named:
            count_by_name[base] += 1
            unique = f"{base} ({count_by_name[base]})"
        named[unique] = text
    return tuple(named.items())
