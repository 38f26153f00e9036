"""Read conversations of any of the common forms, one document a conversation.

    JSON, JSON Lines -> annotated task dialogues   (schema_guided.py)
                     -> QMSum meetings             (meetings.py)
                     -> [{role, content}], {"messages": [...]}, {"conversations": [{from, value}]}
    plain text       -> `NAME: text` lines         (transcripts.py)

Chat turns are labelled with their role in capitals (`USER`, `ASSISTANT`). Parts of a message that
are not text are left out.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from longloom.errors import DataError
from longloom.synthesis.documents.building import Reading
from longloom.synthesis.documents.meetings import is_meeting, meeting_readings
from longloom.synthesis.documents.reader import SourceFile
from longloom.synthesis.documents.schema_guided import is_schema_guided, schema_guided_readings
from longloom.synthesis.documents.transcripts import (
    MAX_TURNS,
    MIN_TURNS,
    conversation_builder,
    read_transcript,
    write_turn,
)

_MAX_CONVERSATIONS = 100_000
_LIST_KEYS = ("messages", "conversations", "conversation", "turns", "dialogue", "dialog")
_ROLE_KEYS = ("role", "from", "speaker", "author", "name")
_TEXT_KEYS = ("content", "value", "text", "utterance", "message")
_NAME_KEYS = ("id", "conversation_id", "dialogue_id", "dialog_id", "uuid")
_ROLE_NAMES = {"gpt": "assistant", "chatgpt": "assistant", "model": "assistant", "human": "user"}


def read_dialogues(source: SourceFile) -> Iterable[Reading]:
    """Yield the conversations of a file.

    Raises:
        DataError: the file holds no conversation of a form that is known.
    """
    lowered = source.name.lower()
    if lowered.endswith((".jsonl", ".ndjson")):
        return _from_lines(source)
    if lowered.endswith(".json") or source.payload.lstrip()[:1] in (b"[", b"{"):
        return _from_parsed(_parsed(source.payload), source)
    return read_transcript(source)


def _parsed(payload: bytes) -> object:
    try:
        return json.loads(payload.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"not JSON: {type(error).__name__}") from None


def _from_parsed(parsed: object, source: SourceFile) -> Iterable[Reading]:
    if isinstance(parsed, list) and is_schema_guided(parsed):
        return _some(schema_guided_readings(parsed, source))
    if isinstance(parsed, Mapping) and is_meeting(parsed):
        return meeting_readings(parsed, source)
    stem = PurePosixPath(source.name).stem
    if _messages(parsed):
        return _some(_chats([parsed], stem, source))
    return _some(_chats(parsed if isinstance(parsed, list) else [], stem, source))


def _from_lines(source: SourceFile) -> Iterable[Reading]:
    """Read one conversation a line; lines that are none are passed over."""
    parsed = []
    for line in source.payload.splitlines()[:_MAX_CONVERSATIONS]:
        try:
            parsed.append(_parsed(line))
        except DataError:
            continue
    stem = PurePosixPath(source.name).stem
    if parsed and not any(_messages(entry) for entry in parsed[:100]) and _messages(parsed):
        return _some(_chats([parsed], stem, source))
    return _some(_chats(parsed, stem, source))


def _some(readings: Iterable[Reading]) -> Iterable[Reading]:
    """Refuse a file without a single conversation."""
    kept = list(readings)
    if not kept:
        raise DataError("no conversation: expected lists of turns with a role and a text")
    return kept


def _chats(entries: list[object], stem: str, source: SourceFile) -> Iterator[Reading]:
    is_one = len(entries) == 1
    for number, entry in enumerate(entries[:_MAX_CONVERSATIONS], start=1):
        turns = _messages(entry)
        if not MIN_TURNS <= len(turns) <= MAX_TURNS or len({role for role, _ in turns}) < 2:
            continue
        name = _name(entry) or (stem if is_one else f"{stem}-{number}")
        builder = conversation_builder(f"Dialogue {name}", "dialogue", source)
        for place, (role, utterance) in enumerate(turns, start=1):
            write_turn(builder, role, utterance, place)
        yield builder.build()


def _messages(entry: object) -> list[tuple[str, str]]:
    """Return the turns of a conversation, or nothing if it is none."""
    if isinstance(entry, Mapping):
        entry = next((entry[key] for key in _LIST_KEYS if isinstance(entry.get(key), list)), None)
    if not isinstance(entry, list) or not all(isinstance(turn, Mapping) for turn in entry):
        return []
    turns = [(_role(turn), _content(turn)) for turn in entry]
    return [(role, text) for role, text in turns if role and text]


def _role(turn: Mapping[str, Any]) -> str:
    role = next((turn[key] for key in _ROLE_KEYS if isinstance(turn.get(key), str)), "")
    plain = " ".join(role.split())[:40].lower()
    return _ROLE_NAMES.get(plain, plain).upper()


def _content(turn: Mapping[str, Any]) -> str:
    content = next((turn[key] for key in _TEXT_KEYS if turn.get(key)), "")
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, Mapping)]
        content = "\n".join(part for part in parts if isinstance(part, str))
    return content.strip() if isinstance(content, str) else ""


def _name(entry: object) -> str:
    if not isinstance(entry, Mapping):
        return ""
    name = next((entry[key] for key in _NAME_KEYS if isinstance(entry.get(key), str | int)), "")
    return " ".join(str(name).split())[:60]
