"""The phrases of an answer that a document may hold word for word.

"Therefore, the answer is Paris and Rome." -> paris and rome | paris | rome
"""

import json
import re
from collections.abc import Iterator

from longloom.memory.words import is_telling, words_of

_MAX_PHRASES = 16
_MAX_PHRASE_WORDS = 30
_MAX_CHARACTERS = 20_000
"""Phrases are looked for in so much of an answer's end."""
_CUE = re.compile(
    r"(?:\banswer|\bantwort|\u7b54\u6848)\s{0,3}(?:is\b|ist\b|[:\uff1a]|\u662f|\u4e3a)\s{0,3}:?",
    re.IGNORECASE,
)
_BREAK = re.compile(r"[\n;\u3001\uff1b|]|,\s|\s(?:and|und|or|oder|&)\s|[\u548c\u3002]|[.!?]\s")
_FENCE = re.compile(r"```[a-z]{0,10}\n|```")


def answer_phrases(answer: str) -> tuple[tuple[str, ...], ...]:
    """Return the folded words of each phrase, whole answers before their parts."""
    phrases: dict[tuple[str, ...], None] = {}
    for text in _texts(answer[-_MAX_CHARACTERS:]):
        words = tuple(words_of(text))
        if words and len(words) <= _MAX_PHRASE_WORDS and any(map(is_telling, words)):
            phrases[words] = None
        if len(phrases) == _MAX_PHRASES:
            break
    return tuple(phrases)


def _texts(answer: str) -> Iterator[str]:
    leaves = list(_leaves(_FENCE.sub("", answer).strip()))
    if leaves:
        yield from leaves
        return
    last = None
    for cue in _CUE.finditer(answer):
        last = cue
    told = answer[last.end() :] if last else answer
    yield told
    yield from _BREAK.split(told)


def _leaves(text: str) -> Iterator[str]:
    """Yield the values of a JSON answer; nothing where it is none."""
    if text[:1] not in ("{", "["):
        return
    try:
        waiting = [json.loads(text)]
    except (ValueError, RecursionError):
        return
    while waiting:
        value = waiting.pop(0)
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            yield str(value)
