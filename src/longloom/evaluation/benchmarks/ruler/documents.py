"""Questions about paragraphs (RULER's qa.py), made where a SQuAD or HotpotQA file is given.

The question's own paragraphs stand among others of the file, in random order, all numbered.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longloom.errors import DataError
from longloom.evaluation.benchmarks.hotpot import numbered, read_hotpot
from longloom.evaluation.benchmarks.ruler.sample import Sample

SQUAD_FILE = "squad.json"
"""SQuAD 2.0's development file, under RULER's name."""
HOTPOT_FILE = "hotpotqa.json"
"""HotpotQA's development file, under RULER's name."""
_FORM = "Answer the question based on the documents. Give the answer alone, without other words."


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentQuestion:
    """One question about paragraphs."""

    query: str
    """What is asked."""
    outputs: tuple[str, ...]
    """Accepted answers."""
    paragraphs: tuple[int, ...]
    """Paragraphs that must be there, by number."""
    golds: tuple[int, ...]
    """Those of them that hold the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFile:
    """A file of questions about paragraphs."""

    questions: Sequence[DocumentQuestion]
    """In the file's order."""
    paragraphs: Sequence[str]
    """All of them, each once, sorted."""

    def make(self, index: int, size: int, dice: random.Random) -> Sample:
        """Make the sample of question `index` with `size` paragraphs."""
        one = self.questions[index % len(self.questions)]
        own = set(one.paragraphs)
        num_others = max(0, min(size, len(self.paragraphs)) - len(own))
        drawn = dice.sample(
            range(len(self.paragraphs)), min(len(self.paragraphs), num_others + len(own))
        )
        others = [number for number in drawn if number not in own]
        order = [*one.paragraphs, *others[:num_others]]
        dice.shuffle(order)
        context, spans = numbered([self.paragraphs[number] for number in order])
        golds = sorted(spans[order.index(number)] for number in one.golds)
        return Sample(
            before=f"{_FORM}\n\nThe documents:\n\n",
            context=context,
            question=f"\n{_FORM}\n\nQuestion: {one.query}",
            answer_prefix=" Answer:",
            outputs=one.outputs,
            evidence=tuple(golds),
        )


def read_documents(path: Path) -> DocumentFile:
    """Read a SQuAD or HotpotQA file.

    Raises:
        DataError: the file is damaged, of another format, or has no question with an answer.
    """
    found = _read_squad(path) if path.name == SQUAD_FILE else _read_hotpot(path)
    if not found.questions:
        raise DataError(f"{path} has no question with an answer; give the official file")
    return found


def _read_hotpot(path: Path) -> DocumentFile:
    hotpot = read_hotpot(path)
    questions = [
        DocumentQuestion(
            query=one.question,
            outputs=(one.answer,),
            paragraphs=one.paragraphs,
            golds=one.gold_paragraphs,
        )
        for one in hotpot.questions
    ]
    return DocumentFile(questions=questions, paragraphs=hotpot.paragraphs)


def _read_squad(path: Path) -> DocumentFile:
    try:
        articles = json.loads(path.read_text("utf-8"))["data"]
        paragraphs = [one for article in articles for one in article["paragraphs"]]
        texts = sorted({str(one["context"]) for one in paragraphs})
        number_by_text = {text: number for number, text in enumerate(texts)}
        questions = [
            _squad_question(stated, number_by_text[str(one["context"])])
            for one in paragraphs
            for stated in one["qas"]
            if not stated.get("is_impossible") and stated["answers"]
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{path} is no SQuAD file ({type(error).__name__}: {error}); give dev-v2.0.json under "
            "this name"
        ) from None
    return DocumentFile(questions=questions, paragraphs=texts)


def _squad_question(stated: Any, number: int) -> DocumentQuestion:
    return DocumentQuestion(
        query=str(stated["question"]),
        outputs=tuple(dict.fromkeys(str(answer["text"]) for answer in stated["answers"])),
        paragraphs=(number,),
        golds=(number,),
    )
