"""The questions a report shows, with program, documents and evidence, as safe embedded JSON.

What leaves this file contains no `<`: nothing a document wrote can end the script.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from longloom.errors import DataError
from longloom.records import ContextPart
from longloom.report.excerpts import Excerpt, Span, cut_excerpts
from longloom.report.parquet_rows import Row, parquet_rows
from longloom.report.program_drawing import Line, draw_program
from longloom.report.rollout_pages import embed_json
from longloom.report.synthesis_contents import StoredTitle, SynthesisContents, read_contexts
from longloom.report.synthesis_sample import balanced_sample
from longloom.synthesis.corpus_files import read_facts
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.programs.world import World
from longloom.synthesis.schemas import EXAMPLES_SCHEMA_NAME
from longloom.synthesis.storage import EXAMPLES_FILE
from longloom.synthesis.verification import FACTS_FOLDER, context_world

MAX_PAYLOAD_CHARACTERS = 6_000_000
"""Size of the embedded JSON; texts are shortened until they fit."""
_REACHES = (300, 150, 60)
"""Characters of text on each side of evidence."""
_MAX_EXCERPTS = 14
"""Stretches of text an example shows."""
_MAX_TEXT = 4_000
"""Characters of a question or an answer."""
_MAX_TITLE = 200

_OPTION = re.compile(r"([A-Z])\. (.*)")

Facts = Mapping[str, Sequence[Fact]]


def examples_payload(contents: SynthesisContents, *, num_examples: int, seed: int) -> str:
    """Return a balanced sample of the examples as JSON that is safe inside a script element.

    Raises:
        DataError: a file is damaged, or an example's context is missing.
    """
    places = balanced_sample(contents.tally.keys, num_examples, seed=seed)
    rows = _rows(contents.path / EXAMPLES_FILE, places)
    contexts = read_contexts(
        contents.path, dict.fromkeys(row["extra_info"]["context_id"] for _, row in rows)
    )
    shown = {part["doc_id"] for context in contexts.values() for part in context["parts"]}
    facts = _facts(contents.path / FACTS_FOLDER, shown)
    worlds = {key: _world(context, facts) for key, context in contexts.items()} if facts else {}
    for reach in _REACHES:
        index = _DocumentIndex(contents.documents)
        pages = []
        for place, row in rows:
            context_id = row["extra_info"]["context_id"]
            try:
                pages.append(
                    _page(place, row, contexts[context_id], worlds.get(context_id), index, reach)
                )
            except (KeyError, TypeError, AttributeError) as error:
                raise DataError(
                    f"{contents.path / EXAMPLES_FILE}, row {place}: {error}; expected no empty "
                    "values"
                ) from None
        payload = embed_json(
            {
                "num_examples": contents.tally.num_examples,
                "documents": index.pages,
                "examples": pages,
            }
        )
        if len(payload) <= MAX_PAYLOAD_CHARACTERS:
            return payload
    # Even short excerpts are too long: fewer examples, not a larger page.
    return examples_payload(contents, num_examples=num_examples // 2, seed=seed)


class _DocumentIndex:
    """Titles, each written once and then referred to by its place."""

    def __init__(self, documents: Mapping[str, StoredTitle]) -> None:
        self._documents = documents
        self._place_by_id: dict[str, int] = {}
        self.pages: list[dict[str, str]] = []

    def place(self, doc_id: str) -> int:
        """Return the place of a document."""
        if doc_id not in self._place_by_id:
            self._place_by_id[doc_id] = len(self.pages)
            self.pages.append(self._page(doc_id))
        return self._place_by_id[doc_id]

    def _page(self, doc_id: str) -> dict[str, str]:
        found = self._documents.get(doc_id)
        if found is None:
            return {"title": doc_id, "genre": "", "source": "", "licence": "", "date": ""}
        return {
            "title": _shortened(found.title, _MAX_TITLE),
            "genre": found.genre,
            "source": _shortened(found.source, _MAX_TITLE),
            "licence": _shortened(found.licence, _MAX_TITLE),
            "date": found.date,
        }


def _rows(path: Path, places: Sequence[int]) -> list[tuple[int, Row]]:
    columns = ("data_source", "ability", "reward_model", "extra_info")
    wanted = frozenset(places)
    rows = enumerate(parquet_rows(path, EXAMPLES_SCHEMA_NAME, columns))
    row_by_place = {place: row for place, row in rows if place in wanted}
    return [(place, row_by_place[place]) for place in places]


def _facts(folder: Path, shown: set[str]) -> Facts:
    facts: dict[str, list[Fact]] = {}
    for path in sorted(folder.glob("*.parquet")):
        for fact in read_facts(path):
            if fact.doc_id in shown:
                facts.setdefault(fact.doc_id, []).append(fact)
    return facts


def _world(context: Row, facts: Facts) -> World:
    return context_world([ContextPart(**part) for part in context["parts"]], facts)


def _page(
    place: int, row: Row, context: Row, world: World | None, index: _DocumentIndex, reach: int
) -> dict[str, Any]:
    extra = row["extra_info"]
    question, options = split_options(extra["question"])
    extents = _extents(context)
    spans: dict[str, list[Span]] = {}
    for span in extra["evidence"]:
        spans.setdefault(span["doc_id"], []).append((span["context_start"], span["context_end"]))
    excerpts = cut_excerpts(context["text"], spans, extents, reach=reach)
    num_characters = max(1, len(context["text"]))
    lines = draw_program(extra["program"], world, answer=row["reward_model"]["ground_truth"])
    return {
        "number": place + 1,
        "id": extra["example_id"],
        "task": row["data_source"],
        "ability": row["ability"],
        "genres": extra["genres"],
        "split": extra["split"],
        "question": _shortened(question, _MAX_TEXT),
        "options": [[letter, _shortened(text, _MAX_TEXT)] for letter, text in options],
        "answer": _shortened(row["reward_model"]["ground_truth"], _MAX_TEXT),
        "rule": extra["reward_rule"],
        "num_tokens": extra["num_context_tokens"],
        "num_hops": extra["num_hops"],
        "num_spans": len(extra["evidence"]),
        "licences": extra["licences"],
        "program": [_line_page(line) for line in lines],
        "gold": [index.place(doc_id) for doc_id in spans],
        "strip": [
            [index.place(doc_id), _percent(start / num_characters), _percent(end / num_characters)]
            for doc_id, (start, end) in extents.items()
        ],
        "ticks": [_percent(span["context_start"] / num_characters) for span in extra["evidence"]],
        "excerpts": [_excerpt_page(excerpt, index) for excerpt in excerpts[:_MAX_EXCERPTS]],
        "num_hidden": sum(excerpt.num_spans for excerpt in excerpts[_MAX_EXCERPTS:]),
    }


def split_options(question: str) -> tuple[str, list[tuple[str, str]]]:
    """Return a question without its lettered lines, and these; `A.`, `B.`, ... in order."""
    lines = question.split("\n")
    options: list[tuple[str, str]] = []
    while len(options) < len(lines):
        match = _OPTION.fullmatch(lines[-1 - len(options)])
        if match is None:
            break
        options.append((match[1], match[2]))
    options.reverse()
    letters = "".join(letter for letter, _ in options)
    if len(options) < 2 or not "ABCDEFGHIJKLMNOPQRSTUVWXYZ".startswith(letters):
        return question, []
    return "\n".join(lines[: len(lines) - len(options)]).rstrip(), options


def _extents(context: Row) -> dict[str, Span]:
    """Return where each document stands in the context, in order; one in parts spans them all."""
    extents: dict[str, Span] = {}
    for part in context["parts"]:
        start = part["context_start"]
        end = start + part["doc_end"] - part["doc_start"]
        before = extents.get(part["doc_id"], (start, end))
        extents[part["doc_id"]] = (min(before[0], start), max(before[1], end))
    return extents


def _line_page(line: Line) -> list[Any]:
    page = asdict(line)
    return [page["depth"], page["role"], page["step"], list(page["parts"]), page["found"]]


def _excerpt_page(excerpt: Excerpt, index: _DocumentIndex) -> list[Any]:
    return [
        index.place(excerpt.doc_id),
        _percent(excerpt.depth_fraction),
        [[kind[0], text] for kind, text in excerpt.segments],
    ]


def _percent(fraction: int | float) -> float:
    return round(100 * min(1.0, max(0.0, fraction)), 2)


def _shortened(text: str, max_characters: int) -> str:
    return text if len(text) <= max_characters else f"{text[: max_characters - 6]} [...]"
