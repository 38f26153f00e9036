"""Read QMSum meetings: turns of named speakers and the topic segments they fall into.

Recogniser marks (`{disfmarker}`, `{vocalsound}`) are left out and punctuation is closed up, so
that a reply can be repeated word for word by a reader; words are not touched. Topics and queries
are written by annotators and are not part of what was said: topics become marks, queries are left
out.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from longloom.errors import DataError
from longloom.synthesis.documents.building import DocumentBuilder, Reading, Span
from longloom.synthesis.documents.reader import SourceFile
from longloom.synthesis.documents.transcripts import (
    MAX_TURNS,
    MIN_TURNS,
    conversation_builder,
    write_turn,
)

_MARK = re.compile(r"\{[a-z]{1,24}\}")
_BEFORE_PUNCTUATION = re.compile(r"\s+([,.?!;:])(?=\s|$)")
_CLITIC = re.compile(r"(?<=[A-Za-z])\s+('(?:s|t|re|ve|ll|d|m))\b")
_NUMBER = re.compile(r"\d{1,6}")


def is_meeting(parsed: object) -> bool:
    """Return whether `parsed` has the form of a QMSum meeting."""
    return isinstance(parsed, Mapping) and isinstance(parsed.get("meeting_transcripts"), list)


def meeting_readings(parsed: Mapping[str, Any], source: SourceFile) -> Iterable[Reading]:
    """Yield the one document of a meeting.

    Raises:
        DataError: it has too few turns with a speaker, or too many.
    """
    turns: Sequence[object] = parsed["meeting_transcripts"]
    if len(turns) > MAX_TURNS:
        raise DataError(f"a meeting of {len(turns)} turns; expected at most {MAX_TURNS}")
    title = f"Meeting {PurePosixPath(source.name).stem}"
    builder = conversation_builder(title, "meeting", source)
    span_by_line: dict[int, Span] = {}
    for line, turn in enumerate(turns):
        speaker, utterance = _turn(turn)
        if speaker and utterance:
            span_by_line[line] = write_turn(builder, speaker, utterance, len(span_by_line) + 1)
    if len(span_by_line) < MIN_TURNS:
        raise DataError(f"a meeting of {len(span_by_line)} turns; expected at least {MIN_TURNS}")
    _mark_topics(builder, parsed.get("topic_list"), span_by_line)
    yield builder.build()


def spoken_words(text: str) -> str:
    """Return what was said, without recogniser marks and with closed-up punctuation."""
    bare = " ".join(_MARK.sub(" ", text).split())
    return _CLITIC.sub(r"\1", _BEFORE_PUNCTUATION.sub(r"\1", bare)).replace(" - ", "-").strip()


def _turn(turn: object) -> tuple[str, str]:
    if not isinstance(turn, Mapping):
        return "", ""
    speaker, content = turn.get("speaker"), turn.get("content")
    if not isinstance(speaker, str) or not isinstance(content, str):
        return "", ""
    utterance = spoken_words(content)
    has_words = any(character.isalnum() for character in utterance)
    return " ".join(speaker.split())[:60], utterance if has_words else ""


def _mark_topics(
    builder: DocumentBuilder, topics: object, span_by_line: Mapping[int, Span]
) -> None:
    """Mark each segment from its first to its last turn that is kept."""
    for topic in topics if isinstance(topics, list) else ():
        name = topic.get("topic") if isinstance(topic, Mapping) else None
        segments = topic.get("relevant_text_span") if isinstance(topic, Mapping) else None
        if not isinstance(name, str) or not isinstance(segments, list):
            continue
        for segment in segments[:100]:
            first, last = _bounds(segment)
            spans = [span_by_line[line] for line in range(first, last + 1) if line in span_by_line]
            if spans:
                builder.mark("topic", (spans[0][0], spans[-1][1]), topic=name)


def _bounds(segment: object) -> tuple[int, int]:
    """Return first and last line; an empty range for what is not two numbers."""
    if not isinstance(segment, list) or len(segment) != 2:
        return 0, -1
    first, last = (int(line) if _NUMBER.fullmatch(str(line)) else -1 for line in segment)
    return (first, min(last, MAX_TURNS)) if first >= 0 else (0, -1)
