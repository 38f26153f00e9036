"""Read plain transcripts: `NAME: text` lines, with or without a time before or after the name.

Left out: layouts that put the name on a line of its own, and stage directions. A line without a
name continues the turn before it. A file counts as a transcript if most of its lines belong to
turns of a few speakers; everything else is refused, so that prose with colons is not taken for
talk.
"""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

from longloom.errors import DataError
from longloom.records import BlockKind, DocumentKind
from longloom.synthesis.documents.building import DocumentBuilder, Reading, Span, clean_text
from longloom.synthesis.documents.reader import SourceFile

MAX_TURNS = 20_000
"""More turns than a day of talk; a longer file is no single conversation."""
MIN_TURNS = 4
"""Fewer turns hold nothing to recall."""
_MAX_SPEAKERS = 60
_MAX_LINE_CHARACTERS = 100_000
_MIN_NAMED_FRACTION = 0.4
_TIME = r"[\[(]?\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d{1,3})?[\])]?"
_LINE = re.compile(
    rf"(?:{_TIME}\s+)?(?P<name>[^\W\d_][\w .'\-]{{0,38}}?)\s?(?:{_TIME})?\s?:\s+(?P<text>\S.*)"
)
_ROLES = frozenset(
    {"agent", "assistant", "bot", "caller", "customer", "human", "operator", "system", "user"}
)


def read_transcript(source: SourceFile) -> Iterable[Reading]:
    """Yield the one document of a plain transcript.

    Raises:
        DataError: the file is not text, or not mostly named turns.
    """
    try:
        text = source.payload.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError("not UTF-8 text") from None
    turns = _turns(clean_text(text))
    speakers = {name for name, _ in turns}
    is_dialogue = all(name.lower() in _ROLES for name in speakers)
    stem = PurePosixPath(source.name).stem
    builder = conversation_builder(
        f"Dialogue {stem}" if is_dialogue else f"Transcript {stem}",
        "dialogue" if is_dialogue else "transcript",
        source,
    )
    for number, (name, utterance) in enumerate(turns, start=1):
        write_turn(builder, name.upper() if is_dialogue else name, utterance, number)
    yield builder.build()


def conversation_builder(title: str, genre: str, source: SourceFile) -> DocumentBuilder:
    """Return a builder for a conversation whose title already stands in the text."""
    builder = DocumentBuilder(
        title=title,
        kind=DocumentKind.DIALOGUE,
        genre=genre,
        source=source.name,
        licence=source.licence,
        may_be_altered=source.may_be_altered,
    )
    builder.block(BlockKind.HEADING, title, level=1)
    return builder


def write_turn(builder: DocumentBuilder, label: str, utterance: str, number: int) -> Span:
    """Write `LABEL: utterance` as one block, mark it, and return where the utterance stands."""
    builder.begin(BlockKind.TURN)
    builder.add(f"{label}: ")
    span = builder.add(utterance.strip())
    builder.mark("turn", span, speaker=label, number=str(number))
    builder.end()
    return span


def _turns(text: str) -> list[tuple[str, str]]:
    turns: list[tuple[str, list[str]]] = []
    num_lines = num_named = 0
    for line in text.split("\n"):
        if not line.strip():
            continue
        if len(line) > _MAX_LINE_CHARACTERS or len(turns) > MAX_TURNS:
            raise DataError(f"a line or a count of turns above {_MAX_LINE_CHARACTERS}/{MAX_TURNS}")
        num_lines += 1
        match = _LINE.fullmatch(line.strip())
        if match is not None:
            num_named += 1
            turns.append((" ".join(match["name"].split()), [match["text"].strip()]))
        elif turns:
            turns[-1][1].append(line.strip())
    speakers = Counter(name for name, _ in turns)
    is_talk = 2 <= len(speakers) <= _MAX_SPEAKERS and len(turns) >= max(MIN_TURNS, len(speakers))
    has_regulars = sum(count > 1 for count in speakers.values()) >= 2
    if not (is_talk and has_regulars) or num_named < _MIN_NAMED_FRACTION * num_lines:
        raise DataError("not a transcript: too few lines are turns of recurring speakers")
    return [(name, "\n".join(lines)) for name, lines in turns]
