"""What all numerical drafts share: forms of answers, guards, options that come from misreadings.

A shape proposes a program and a question; `finish` executes it and keeps it only if the answer is
safely rounded, large enough to be told from its neighbours, and displayed nowhere in the context.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from random import Random

from longloom.records import Document, RewardRule, TaskType
from longloom.synthesis.facts.quantities import plain
from longloom.synthesis.generators.draft import Draft, Setting
from longloom.synthesis.programs.choice import LETTERS, Choice
from longloom.synthesis.programs.node import Program
from longloom.synthesis.programs.numeric import Numeric, Rounded, measure
from longloom.synthesis.programs.numeric_aggregates import Aggregate
from longloom.synthesis.programs.numeric_arithmetic import (
    AnnualGrowth,
    Difference,
    Grown,
    PercentChange,
    PercentOf,
    Plus,
    Ratio,
)
from longloom.synthesis.programs.numeric_series import OverPeriods

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_MARGIN = Decimal("0.01")
_MIN_DIGITS = 3
_SKIPPED_SHARE = 0.6
"""Share of questions on one document that are passed over where there are more documents."""
_WORDS = ("zero", "one", "two", "three", "four", "five", "six")
_SCALE_NAMES = {3: "thousands of ", 6: "millions of ", 9: "billions of "}
_UNIT_NAMES = {"USD": "US dollars", "EUR": "euros", "GBP": "pounds", "%": "percent"}


@dataclass(frozen=True, slots=True)
class Form:
    """How an answer is written and asked for."""

    unit: str
    """`millions of US dollars`, `percent`; empty to name none."""
    scale: int = 0
    """Power of ten it is given in."""
    num_decimals: int = 0
    """Decimals it is rounded to."""
    is_count: bool = False
    """Whether it counts things, so that small whole numbers are fine."""

    @property
    def request(self) -> str:
        """The sentence that asks for this form."""
        if self.is_count:
            return "Answer with a whole number."
        unit = f"in {self.unit}" if self.unit else ""
        if not self.num_decimals:
            rounding = "rounded to a whole number"
        else:
            places = "place" if self.num_decimals == 1 else "places"
            rounding = f"rounded to {_WORDS[self.num_decimals]} decimal {places}"
        return f"Give the answer {', '.join(part for part in (unit, rounding) if part)}."


COUNT = Form("", is_count=True)
"""A count or a rank."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a shape proposes to ask."""

    program: Program
    """A numeric node, or with `form` None a program that answers a name or a year."""
    question: str
    """The question without how to answer."""
    form: Form | None
    """How the number is written; None for a name or a year."""
    ability: str = "aggregation"
    """Category of the question."""
    num_hops: int = 2
    """Steps to the answer."""
    request: str = ""
    """How to answer, where it is a name or a year."""
    may_be_shown: bool = False
    """Whether the answer may stand in the documents: it must be found, not computed."""
    misreadings: tuple[Numeric, ...] = ()
    """Programs of typical errors, for options of multiple choice."""


Shape = Callable[[Random], Proposal | None]
"""Draws one question of one shape; None if what it drew does not make one."""


def numbers_shown(documents: Iterable[Document]) -> frozenset[str]:
    """Return every number that the documents display, without separators and closing zeros."""
    return frozenset(
        _bare(match) for document in documents for match in _NUMBER.findall(document.text)
    )


def _bare(number: str) -> str:
    bare = number.replace(",", "").lstrip("-")
    return bare.rstrip("0").rstrip(".") if "." in bare else bare


def money(value: Decimal, shown_scale: int, unit: str = "USD") -> Form:
    """Return a form for an amount: in the documents' own scale, with decimals if it is small."""
    name = _UNIT_NAMES.get(unit, unit)
    if unit == "USD/share":
        return Form("US dollars per share", 0, 2)
    scale = shown_scale if shown_scale in _SCALE_NAMES else 6
    while scale and abs(value) < Decimal(10) ** (scale + 1):
        scale -= 3
    scaled = abs(value.scaleb(-scale))
    return Form(_SCALE_NAMES.get(scale, "") + name, scale, 0 if scaled >= 1000 else 1)


def percent(value: Decimal, unit: str = "percent") -> Form:
    """Return a form for a percentage with at least three digits where that is sensible."""
    return Form(unit, 0, 1 if abs(value) >= 10 else 2)


def pure(value: Decimal) -> Form:
    """Return a form for a ratio."""
    return Form("", 0, 2 if abs(value) >= 1 else 3)


def is_clear(values: Sequence[Decimal]) -> bool:
    """Whether all values are more than one percent apart, so that their order is beyond doubt."""
    ordered = sorted(values)
    return all(
        after - before > _MARGIN * max(abs(after), abs(before))
        for before, after in pairwise(ordered)
    )


def threshold_between(low: Decimal, high: Decimal) -> Decimal | None:
    """Return the roundest number clearly between two, or None."""
    if high - low <= 4 * _MARGIN * max(abs(low), abs(high)):
        return None
    for exponent in range(high.adjusted() + 1, high.adjusted() - 3, -1):
        for step in (Decimal(5), Decimal(1)):
            unit = step.scaleb(exponent - (step == 5))
            candidate = (low / unit).to_integral_value("ROUND_FLOOR") * unit + unit
            gap = _MARGIN * max(abs(low), abs(high))
            if low + gap < candidate < high - gap:
                return Decimal(plain(candidate))
    return None


def finish(
    proposal: Proposal, setting: Setting, shown: frozenset[str], *, needs_choice: bool, rng: Random
) -> Draft | None:
    """Return the draft of a proposal, or None if a guard stops it.

    Args:
        proposal: what to ask.
        setting: the context.
        shown: numbers that the context displays.
        needs_choice: whether to ask with options, where there are enough misreadings.
        rng: draws the letter.
    """
    if proposal.form is None:
        return _named_draft(proposal, setting)
    program = _rounded(proposal.program, proposal.form)  # type: ignore[arg-type]
    execution = program.execute(setting.world)
    answer = execution.only_answer
    if answer is None or not execution.evidence or not _is_safe(program, answer, setting, proposal):
        return None
    is_computed = not (proposal.form.is_count or proposal.may_be_shown)
    if is_computed and _bare(answer.lstrip("-")) in shown:
        return None
    draft = Draft(
        task_type=TaskType.NUMERICAL,
        ability=proposal.ability,
        question=f"{proposal.question} {proposal.form.request}",
        program=program,
        answer=answer,
        reward_rule=RewardRule.NUMERIC,
        num_hops=proposal.num_hops,
        min_documents=len({fact.doc_id for fact in execution.evidence}),
    )
    return _with_options(draft, proposal, setting, rng) if needs_choice else draft


def _rounded(number: Numeric, form: Form) -> Rounded:
    return Rounded(number, form.scale, form.num_decimals, "plain")


def _named_draft(proposal: Proposal, setting: Setting) -> Draft | None:
    execution = proposal.program.execute(setting.world)
    if execution.only_answer is None:
        return None
    return Draft(
        task_type=TaskType.NUMERICAL,
        ability=proposal.ability,
        question=f"{proposal.question} {proposal.request}".rstrip(),
        program=proposal.program,
        answer=execution.only_answer,
        reward_rule=RewardRule.COVER_EXACT_MATCH,
        num_hops=proposal.num_hops,
        min_documents=len({fact.doc_id for fact in execution.evidence}),
    )


def _is_safe(program: Rounded, answer: str, setting: Setting, proposal: Proposal) -> bool:
    """Whether the answer has digits enough and does not stand on the edge of rounding."""
    assert proposal.form is not None
    if proposal.form.is_count:
        return answer != "0"
    digits = answer.lstrip("-0.").replace(".", "")
    if len(digits) < _MIN_DIGITS:
        return False
    measured = measure(program.number, setting.world)
    if measured is None:
        return False
    steps = abs(measured.value).scaleb(proposal.form.num_decimals - proposal.form.scale)
    from_edge = abs(steps % 1 - Decimal("0.5"))
    return from_edge == Decimal("0.5") or from_edge > Decimal("0.001")


def _with_options(draft: Draft, proposal: Proposal, setting: Setting, rng: Random) -> Draft | None:
    assert proposal.form is not None
    wrong: list[str] = []
    for misreading in (*proposal.misreadings, *misread(proposal.program)):
        option = _rounded(misreading, proposal.form).execute(setting.world).only_answer
        if option is None or not _is_plausible(option, draft.answer):
            continue
        if all(is_apart(option, other) for other in (draft.answer, *wrong)):
            wrong.append(option)
    if len(wrong) < len(LETTERS) - 1:
        return None
    return as_choice(draft, wrong[: len(LETTERS) - 1], rng)


def as_choice(draft: Draft, wrong: Sequence[str], rng: Random) -> Draft:
    """Return the draft with lettered options, the right one at a place drawn evenly."""
    options = list(wrong)
    rng.shuffle(options)
    place = rng.randrange(len(LETTERS))
    options.insert(place, draft.answer)
    lines = "\n".join(f"{letter}. {text}" for letter, text in zip(LETTERS, options, strict=True))
    return replace(
        draft,
        task_type=TaskType.MULTIPLE_CHOICE,
        question=f"{draft.question}\n{lines}",
        program=Choice(draft.program, tuple(options)),
        answer=LETTERS[place],
        reward_rule=RewardRule.CHOICE,
    )


def _is_plausible(option: str, answer: str) -> bool:
    """Whether an option is of the size of the answer, so that size does not give it away."""
    one, two = abs(_decimal(option)), abs(_decimal(answer))
    return one < 15 * two and two < 15 * one


def _decimal(text: str) -> Decimal:
    return Decimal(re.sub(r"[^0-9.\-]", "", text))


def is_apart(option: str, other: str) -> bool:
    """Whether two written answers differ by more than a percent."""
    one, two = _decimal(option), _decimal(other)
    return abs(one - two) > _MARGIN * max(abs(one), abs(two))


def misread(program: object) -> list[Numeric]:
    """Return what a program becomes by typical errors: swapped, wrong base, wrong years."""
    match program:
        case PercentChange(before, after):
            return [
                PercentChange(after, before),
                PercentOf(after, before),
                PercentOf(before, after),
            ]
        case Ratio(first, second):
            return [Ratio(second, first), *(Ratio(one, second) for one in misread(first))]
        case PercentOf(part, whole):
            return [PercentOf(whole, part), PercentChange(part, whole), PercentChange(whole, part)]
        case AnnualGrowth(before, after, years):
            return [
                AnnualGrowth(before, after, years + 1),
                PercentChange(before, after),
                AnnualGrowth(before, after, max(1, years - 1)),
            ]
        case Difference(first, second):
            return [
                Plus(first, second),
                *(Difference(one, second) for one in misread(first)),
                *(Difference(first, one) for one in misread(second)),
            ]
        case Plus(first, second):
            return [Difference(first, second), *(Plus(one, second) for one in misread(first))]
        case Grown(start, rate, years):
            return [Grown(start, rate, years + 1), Grown(start, rate, years + 2), start]
        case Aggregate(function, numbers):
            others = ["mean", "median", "spread", "total"]
            if isinstance(numbers, OverPeriods):
                others.append("average_change")
            return [Aggregate(other, numbers) for other in others if other != function]
    return []


def listed(names: Sequence[str]) -> str:
    """Return names in a row: `a, b and c`; with semicolons if they hold commas."""
    separator = "; " if any("," in name or ";" in name for name in names) else ", "
    if len(names) < 3:
        return " and ".join(names)
    last = f"{separator}and " if separator == "; " else " and "
    return f"{separator.join(names[:-1])}{last}{names[-1]}"


def in_turns(
    shapes: Mapping[str, Shape],
    setting: Setting,
    shown: frozenset[str],
    rng: Random,
    *,
    max_misses: int = 12,
    max_per_shape: int = 40,
    choice_share: float = 0.25,
) -> Iterator[Draft]:
    """Yield drafts of every shape in turn, until each has given enough or keeps failing."""
    num_documents = len(setting.documents)
    misses = dict.fromkeys(shapes, 0)
    made = dict.fromkeys(shapes, 0)
    questions: set[str] = set()
    alive = list(shapes)
    while alive:
        rng.shuffle(alive)
        for name in alive:
            proposal = shapes[name](rng)
            draft = None
            if proposal is not None and proposal.question not in questions:
                needs_choice = proposal.form is not None and rng.random() < choice_share
                draft = finish(proposal, setting, shown, needs_choice=needs_choice, rng=rng)
            if draft is None or proposal is None:
                misses[name] += 1
                continue
            if draft.min_documents < 2 <= num_documents and rng.random() < _SKIPPED_SHARE:
                continue
            questions.add(proposal.question)
            misses[name] = 0
            made[name] += 1
            yield draft
        alive = [name for name in alive if misses[name] < max_misses and made[name] < max_per_shape]
