"""Pages of the answers to look at: a list that can be filtered, and the answers, 50 to a page.

    wrong_answers/NAME.html            the list: every question on a line
    wrong_answers/NAME--1.html, ...    question, gold, reply, verdict, evidence

A question's text is asked for when its page is written and forgotten after it, so contexts of
millions of characters pass through one at a time and only excerpts stay.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from longloom.errors import DataError
from longloom.evaluation.answers import AnswerKey
from longloom.evaluation.results import BenchmarkResults, QuestionResult, ScoredAnswer
from longloom.report.evaluation_contents import (
    EvaluationContents,
    is_worth_a_look,
    questions_to_show,
)
from longloom.report.evaluation_evidence import AskedOf, ShownText, shown_text
from longloom.report.evaluation_replies import ShownReply, opening, read_replies, shortened
from longloom.report.rollout_pages import embed_json
from longloom.report.templating import markup, render
from longloom.runlog import atomic_write_bytes

WRONG_FOLDER = "wrong_answers"
"""Beside results.json."""
QUESTIONS_PER_PAGE = 50
_MAX_ANSWERS = 4
"""Answers to one question that a page shows in full."""
_MAX_GOLDS = 12
_MAX_GOLD_CHARACTERS = 2_000
_LINE_CHARACTERS = 150
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._]+")
_OWN_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*\.html")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownAnswer:
    """One answer on a page."""

    sample_index: int
    """Which of several."""
    scored: ScoredAnswer
    """Its scores."""
    reply: ShownReply | None
    """What the model wrote; None where it is not there any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownQuestion:
    """One question on a page."""

    number: int
    """Place among those shown, from 1; its anchor is `q` and this."""
    result: QuestionResult
    """Its scores."""
    golds: tuple[str, ...]
    """The accepted answers, cut."""
    num_more_golds: int
    """Accepted answers that are not shown."""
    text: ShownText | None
    """What it asks, and evidence; None where the text is not at hand."""
    answers: tuple[ShownAnswer, ...]
    """The answers to look at, the first few."""
    num_more: int
    """Further answers to look at that are not shown."""
    num_right: int
    """Answers that are right in both modes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongPages:
    """Where the pages of a benchmark lie."""

    num_questions: int
    """Questions on them."""
    address: str
    """The list, from the page of the evaluation; empty if there is none."""


def write_wrong_pages(
    contents: EvaluationContents, asked_of: AskedOf | None
) -> Mapping[str, WrongPages]:
    """Write the pages of all benchmarks and remove those of an earlier report; return where.

    Raises:
        DataError: answers.jsonl is damaged, or a page cannot be written.
    """
    chosen = {one.name: questions_to_show(one) for one in contents.results.benchmarks}
    wanted = {
        (name, question.question_id, index)
        for name, questions in chosen.items()
        for question in questions
        for index, _ in _answers_to_show(question)
    }
    replies = read_replies(contents.path, wanted)
    folder = contents.path / WRONG_FOLDER
    written: set[str] = set()
    stems: set[str] = set()
    found: dict[str, WrongPages] = {}
    for number, benchmark in enumerate(contents.results.benchmarks):
        stem = file_stem(benchmark.name)
        # Two folders of examples of one's own may have names that differ in other characters alone.
        stem = f"{stem}_{number + 1}" if stem.lower() in stems else stem
        stems.add(stem.lower())
        questions = chosen[benchmark.name]
        if not questions:
            found[benchmark.name] = WrongPages(num_questions=0, address="")
            continue
        writer = _Writer(contents, benchmark, folder, stem, replies, asked_of)
        written |= writer.write(questions)
        found[benchmark.name] = WrongPages(
            num_questions=len(questions), address=f"{WRONG_FOLDER}/{stem}.html"
        )
    _remove_others(folder, written)
    return found


def file_stem(name: str) -> str:
    """Return a name that can be part of a file's name on any system, without a double hyphen."""
    stem = _NOT_IN_NAMES.sub("-", name).strip(".-")[:80]
    return stem or "benchmark"


def _remove_others(folder: Path, written: set[str]) -> None:
    """Remove pages of a report that had more of them."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if path.is_file() and _OWN_FILE.fullmatch(path.name) and path.name not in written:
            path.unlink(missing_ok=True)


def _answers_to_show(question: QuestionResult) -> list[tuple[int, ScoredAnswer]]:
    found = [
        (index, answer) for index, answer in enumerate(question.answers) if is_worth_a_look(answer)
    ]
    return found[:_MAX_ANSWERS]


class _Writer:
    """Writes the pages of one benchmark."""

    def __init__(
        self,
        contents: EvaluationContents,
        benchmark: BenchmarkResults,
        folder: Path,
        stem: str,
        replies: Mapping[AnswerKey, ShownReply],
        asked_of: AskedOf | None,
    ) -> None:
        self._contents = contents
        self._benchmark = benchmark
        self._folder = folder
        self._stem = stem
        self._replies = replies
        self._asked_of = asked_of

    def write(self, questions: Sequence[QuestionResult]) -> set[str]:
        """Write all pages; return the names of the files."""
        lines: list[list[object]] = []
        names = [f"{self._stem}.html"]
        num_pages = -(-len(questions) // QUESTIONS_PER_PAGE)
        for page in range(1, num_pages + 1):
            first = (page - 1) * QUESTIONS_PER_PAGE
            shown = list(self._shown(questions[first : first + QUESTIONS_PER_PAGE], first))
            lines += [self._line(one, page) for one in shown]
            names.append(f"{self._stem}--{page}.html")
            text = render(
                "wrong_page.html.j2",
                run=self._contents.results,
                benchmark=self._benchmark,
                questions=shown,
                page=page,
                num_pages=num_pages,
                stem=self._stem,
                num_questions=len(questions),
            )
            self._save(names[-1], text)
        payload = {
            "stem": self._stem,
            "facets": self._facet_names(questions),
            "rows": lines,
        }
        text = render(
            "wrong_list.html.j2",
            scripts=("wrong_list.js",),
            run=self._contents.results,
            benchmark=self._benchmark,
            num_questions=len(questions),
            num_pages=num_pages,
            stem=self._stem,
            list_json=markup(embed_json(payload)),
        )
        self._save(names[0], text)
        return set(names)

    def _save(self, name: str, text: str) -> None:
        # Text of a model may hold half a surrogate pair, which UTF-8 cannot.
        atomic_write_bytes(self._folder / name, text.encode("utf-8", "replace"))

    def _shown(self, questions: Sequence[QuestionResult], before: int) -> Iterator[ShownQuestion]:
        for number, question in enumerate(questions, start=before + 1):
            answers = tuple(
                ShownAnswer(
                    sample_index=index,
                    scored=answer,
                    reply=self._replies.get((self._benchmark.name, question.question_id, index)),
                )
                for index, answer in _answers_to_show(question)
            )
            num_worth = sum(map(is_worth_a_look, question.answers))
            golds = question.golds[:_MAX_GOLDS]
            yield ShownQuestion(
                number=number,
                result=question,
                golds=tuple(shortened(gold, _MAX_GOLD_CHARACTERS) for gold in golds),
                num_more_golds=len(question.golds) - len(golds),
                text=self._text(question),
                answers=answers,
                num_more=num_worth - len(answers),
                num_right=len(question.answers) - num_worth,
            )

    def _text(self, question: QuestionResult) -> ShownText | None:
        if self._asked_of is None:
            return None
        try:
            asked = self._asked_of(self._benchmark.name, question.question_id)
        except DataError:  # the files are there no more, or others
            return None
        return shown_text(asked, question.golds) if asked is not None else None

    def _facet_names(self, questions: Sequence[QuestionResult]) -> list[str]:
        named = dict.fromkeys(self._benchmark.facets)
        named |= dict.fromkeys(name for question in questions for name in question.facets)
        return list(named)

    def _line(self, shown: ShownQuestion, page: int) -> list[object]:
        """Return what the list says of a question; the script knows the order."""
        question = shown.result
        first = shown.answers[0].scored
        query = opening(shown.text.query, _LINE_CHARACTERS) if shown.text else ""
        return [
            shown.number,
            page,
            opening(question.question_id, _LINE_CHARACTERS),
            query,
            opening(question.golds[0], _LINE_CHARACTERS) if question.golds else "",
            opening(first.extracted or "", _LINE_CHARACTERS),
            round(question.mean("strict"), 4),
            round(question.mean("parity"), 4),
            sorted({one.scored.failure for one in shown.answers if one.scored.failure}),
            sorted({one.scored.verdict for one in shown.answers if one.scored.verdict}),
            question.num_prompt_tokens,
            {name: opening(value, 80) for name, value in question.facets.items()},
        ]
