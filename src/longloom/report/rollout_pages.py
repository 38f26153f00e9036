"""The rollouts a report shows: a spread over stages, tasks and steps, as safe embedded JSON.

Documents are cut into segments here, because positions count characters and a browser's do not.
What leaves this file contains no `<`: nothing a document or a model wrote can end the script.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from longloom.report.rollout_records import (
    LoggedGroup,
    LoggedRollout,
    LoggedTurn,
    iterate_rollout_groups,
)

MAX_GROUPS = 60
"""Groups on a page."""
MAX_PAYLOAD_CHARACTERS = 3_000_000
"""Size of the embedded JSON; texts are shortened until they fit."""

_TEXT_LIMITS = (12_000, 4_000, 1_500, 600)
_SECTION_OPENING, _SECTION_CLOSING = "<section>", "</section>"

Key = tuple[str, str, int, int]
"""Stage, task, step and position of a logged group among all."""


def rollouts_payload(files: Sequence[tuple[Path, int]]) -> str:
    """Return the chosen groups as JSON that is safe inside a script element.

    Args:
        files: of logged rollouts, and how many steps of the run come before those of each.

    Raises:
        DataError: a file is damaged.
    """
    keys = [
        (group.stage, group.task_type, group.step, position)
        for position, group in enumerate(_all_groups(files))
    ]
    chosen = {position for _, _, _, position in spread(keys, MAX_GROUPS)}
    groups = [group for position, group in enumerate(_all_groups(files)) if position in chosen]
    while True:
        for max_characters in _TEXT_LIMITS:
            shown = [_group_page(group, max_characters) for group in groups]
            payload = embed_json({"num_logged": len(keys), "groups": shown})
            if len(payload) <= MAX_PAYLOAD_CHARACTERS or not groups:
                return payload
        groups = groups[::2] if len(groups) > 1 else []


def _all_groups(files: Sequence[tuple[Path, int]]) -> Iterator[LoggedGroup]:
    for path, steps_before in files:
        yield from iterate_rollout_groups(path, steps_before=steps_before)


def spread(keys: Sequence[Key], num_wanted: int) -> list[Key]:
    """Return at most `num_wanted` keys: every stage and task, first and last steps first."""
    rows: dict[tuple[str, str], list[Key]] = {}
    for key in keys:
        rows.setdefault(key[:2], []).append(key)
    ordered = [_ends_first(sorted(row, key=lambda key: key[2:])) for row in rows.values()]
    chosen: list[Key] = []
    for rank in range(max(map(len, ordered), default=0)):
        chosen += [row[rank] for row in ordered if rank < len(row)]
    return sorted(chosen[:num_wanted], key=lambda key: key[2:])


def _ends_first(row: Sequence[Key]) -> list[Key]:
    """Order by halving: first, last, middle, quarters, ..."""
    order = [0, len(row) - 1]
    num_parts = 2
    while num_parts < 2 * len(row):
        order += [part * (len(row) - 1) // num_parts for part in range(1, num_parts, 2)]
        num_parts *= 2
    order += range(len(row))
    return [row[position] for position in dict.fromkeys(order)]


def embed_json(value: Mapping[str, object]) -> str:
    """Return ASCII JSON without `<`, `>` and `&`, and with `/` escaped, for a script element."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    for character, written in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"), ("/", "\\/")):
        text = text.replace(character, written)
    return text


def document_segments(
    text: str, evidence: Sequence[tuple[int, int]], *, max_characters: int
) -> list[tuple[str, str]]:
    """Return the text as (kind, text) pieces: `plain`, `evidence`, or `cut` with a number.

    Overlapping spans are merged. A text that is too long keeps what surrounds the evidence; the
    pieces other than `cut`, joined, are then parts of it in order.
    """
    spans = _merged(evidence)
    keeps_all = len(text) <= max_characters
    reach = 0 if keeps_all else max_characters // (2 * max(1, len(spans)))
    windows = [(0, len(text))] if keeps_all else _windows(len(text), spans, reach)
    segments: list[tuple[str, str]] = []
    position = 0
    for start, end in windows:
        if start > position:
            segments.append(("cut", str(start - position)))
        position = start
        for span_start, span_end in spans:
            if start <= span_start < end:
                segments.append(("plain", text[position:span_start]))
                segments.append(("evidence", text[span_start:span_end]))
                position = span_end
        segments.append(("plain", text[position:end]))
        position = max(position, end)
    if position < len(text):
        segments.append(("cut", str(len(text) - position)))
    return [(kind, piece) for kind, piece in segments if piece]


def _merged(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _windows(
    num_characters: int, spans: Sequence[tuple[int, int]], reach: int
) -> list[tuple[int, int]]:
    places = spans or [(0, 0)]
    widened = [(max(0, start - reach), min(num_characters, end + reach)) for start, end in places]
    return _merged(widened)


def _group_page(group: LoggedGroup, max_characters: int) -> dict[str, object]:
    return {
        "step": group.step,
        "stage": group.stage,
        "task": group.task_type,
        "question": _shortened(group.question, max_characters),
        "answer": _shortened(group.answer, max_characters),
        "program": _shortened(group.program, max_characters),
        "sources": [_shortened(source, 200) for source in dict.fromkeys(group.sources)][:40],
        "document": document_segments(
            group.context_text, group.evidence, max_characters=max_characters
        ),
        "sections": _sections(group, max_characters),
        "rollouts": [_rollout_page(rollout, max_characters) for rollout in group.rollouts],
    }


def _sections(group: LoggedGroup, max_characters: int) -> list[str]:
    """Return the sections that a memory agent read; all rollouts of a group read the same."""
    readers = [rollout for rollout in group.rollouts if _is_memory_rollout(rollout)]
    longest = max((rollout.turns for rollout in readers), key=len, default=())
    sections = []
    for turn in longest:
        section = turn.prompt_text.partition(_SECTION_OPENING)[2].rpartition(_SECTION_CLOSING)[0]
        if section:
            sections.append(_shortened(section.strip("\n"), min(1_500, max_characters)))
    return sections


def _is_memory_rollout(rollout: LoggedRollout) -> bool:
    # A single pass has one call, and none if it failed.
    return len(rollout.turns) > (0 if rollout.error else 1)


def _rollout_page(rollout: LoggedRollout, max_characters: int) -> dict[str, object]:
    num_updates = 0
    if _is_memory_rollout(rollout):
        num_updates = len(rollout.turns) - (not rollout.error)  # a failed one never answered
    updates = _update_pages(rollout.turns[:num_updates], max_characters)
    answers = [_turn_page(turn, max_characters) for turn in rollout.turns[num_updates:]]
    return {
        "reward": round(rollout.reward, 4),
        "answer": _shortened(rollout.extracted_answer, max_characters),
        "error": _shortened(rollout.error, max_characters),
        "turns": updates + answers,
    }


def _update_pages(turns: Sequence[LoggedTurn], max_characters: int) -> list[dict[str, object]]:
    """Return memory updates with what the agent took from them."""
    if not turns:
        return []
    # Imported here: the room of the memory agent loads torch, which most reports do not need.
    from longloom.memory.parsing import MemoryState, parse_update

    state = MemoryState()
    pages = []
    for turn in turns:
        parsed = parse_update(turn.response_text, previous=state, finish_reason=turn.finish_reason)
        state = parsed or state
        pages.append(
            {
                **_turn_page(turn, max_characters),
                "is_update": True,
                "is_usable": parsed is not None,
                "memory": _shortened(state.memory, max_characters),
                "plan": _shortened(state.plan, max_characters),
            }
        )
    return pages


def _turn_page(turn: LoggedTurn, max_characters: int) -> dict[str, object]:
    thinking, closing, visible = turn.response_text.rpartition("</think>")
    if not closing:
        thinking, visible = turn.response_text, ""
    return {
        "thinking": _shortened(thinking.removeprefix("<think>").strip(), max_characters),
        "text": _shortened(visible.strip(), max_characters),
        "has_thought": bool(closing),
        "finish": turn.finish_reason,
        "num_prompt_tokens": turn.num_prompt_tokens,
    }


def _shortened(text: str, max_characters: int) -> str:
    if len(text) <= max_characters:
        return text
    half = max_characters // 2
    left_out = len(text) - 2 * half
    return f"{text[:half]}\n[... {left_out} characters left out ...]\n{text[-half:]}"
