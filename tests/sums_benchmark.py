"""A benchmark made for tests: sums in a context, with everything a benchmark has."""

from pathlib import Path

from longloom.evaluation.benchmark import Benchmark, JudgeRule, ReadSettings
from longloom.evaluation.questions import Asked, Question, QuestionSet
from longloom.evaluation.scoring.score import JudgePrompt, JudgeVerdict, Score
from longloom.rewards.judge import Verdict


def questions(num_questions: int) -> QuestionSet:
    """Question i asks for i + 1, which stands in the middle of its context."""
    return QuestionSet(
        questions=tuple(
            Question(
                question_id=f"q{number}",
                golds=(str(number + 1),),
                facets={"parity": "odd" if number % 2 else "even"},
                depths=(0.5,),
            )
            for number in range(num_questions)
        ),
        ask=asked,
        source={"sums.jsonl": "0" * 64},
    )


def asked(question: Question) -> Asked:
    number = int(question.question_id[1:])
    padding = "word " * 20
    return Asked(
        context=f"{padding}\nAfter {number} comes {number + 1}.\n{padding}",
        query=f"What comes after {number}?",
        before="Read:\n",
        after=f"\nWhat comes after {number}?",
    )


def score(question: Question, text: str) -> Score:
    """Strict: the whole reply is the number. Parity: the number is somewhere in it."""
    is_equal = text.strip() == question.golds[0]
    return Score(
        parity=float(question.golds[0] in text),
        strict=float(is_equal),
        parts={"exact_match": float(is_equal)},
        extracted=text.strip() or None,
    )


def parse(reply: str) -> JudgeVerdict:
    strict = {"yes": Verdict.YES, "no": Verdict.NO}.get(reply, Verdict.UNCLEAR)
    return JudgeVerdict(parity="yes" in reply, strict=strict)


JUDGE = JudgeRule(
    name="sums",
    prompt=lambda question, text, score, visible: JudgePrompt(
        user=f"{text.query} gold {question.golds[0]} said {visible}"
    ),
    parse=parse,
)


def benchmark(num_questions: int = 4, *, judge: JudgeRule | None = None) -> Benchmark:
    def read(folder: Path, settings: ReadSettings) -> QuestionSet:
        return questions(num_questions)

    return Benchmark(
        name="sums",
        title="Sums",
        measure="accuracy",
        source=None,
        read=read,
        score=score,
        judge=judge,
        facets=("parity",),
    )
