"""The roles of self-evolution: what each is asked and how its reply is read.

The proposer writes a question with its answer and quotes its evidence; the verifier says whether
two answers are the same. The solver is `attempts.attempt`. Replies are checked by rules here;
whether a question is accepted is decided in `selfplay.py`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from longloom.models.endpoint.messages import ChatReply
from longloom.records import Document, RewardRule, TaskType
from longloom.rewards import cover_exact_match, normalize_answer, numeric_match, parse_number
from longloom.synthesis.endpoint.fencing import fence_documents, speaks_to_a_model
from longloom.synthesis.endpoint.parsing import ReplyShape, parse_json
from longloom.synthesis.endpoint.prompts import fill_prompt
from longloom.synthesis.endpoint.quoting import QuotedText, QuoteFault

MAX_ANSWER_WORDS = 20
MAX_ANSWER_CHARACTERS = 200
MAX_QUESTION_CHARACTERS = 1_200
MIN_QUESTION_CHARACTERS = 20
LETTERS = "ABCD"
_POINTS_AT_DOCUMENTS = re.compile(
    r"\b(?:documents?|passages?|articles?|texts?|excerpts?) (?:\d|[A-D]\b)"
    r"|\b(?:the|this|these) (?:(?:first|second|third|last|given|provided|above|other) )?"
    r"(?:documents?|passages?|excerpts?|text|material)\b"
    r"|\babove\b",
    re.IGNORECASE,
)
_CATCH_ALL = re.compile(r"\b(?:all|none|both|neither) of (?:the|these|them)\b", re.IGNORECASE)


class AnswerForm(StrEnum):
    """What an answer looks like."""

    CHOICE = "choice"
    NUMBER = "number"
    SHORT = "short"


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A kind of question (QwenLong-L1.5, section 3)."""

    name: str
    """Its name; the prompt is `category_<name>`."""
    task_type: TaskType
    """Task type of its questions."""
    form: AnswerForm
    """What its answers look like."""


def _category(name: str, task_type: TaskType, form: AnswerForm) -> tuple[str, Category]:
    return name, Category(name=name, task_type=task_type, form=form)


CATEGORIES: Mapping[str, Category] = MappingProxyType(
    dict(
        (
            _category("causal", TaskType.MULTIPLE_CHOICE, AnswerForm.CHOICE),
            _category("hypothetical", TaskType.MULTIPLE_CHOICE, AnswerForm.CHOICE),
            _category("long_in_context_learning", TaskType.READING_COMPREHENSION, AnswerForm.SHORT),
            _category("multi_fact", TaskType.MULTI_HOP, AnswerForm.SHORT),
            _category("reading_comprehension", TaskType.READING_COMPREHENSION, AnswerForm.SHORT),
            _category("statistical_aggregation", TaskType.NUMERICAL, AnswerForm.NUMBER),
            _category("temporal", TaskType.MULTI_HOP, AnswerForm.SHORT),
            _category("viewpoint", TaskType.MULTIPLE_CHOICE, AnswerForm.CHOICE),
        )
    )
)
"""Categories by name. The paper does not say which are multiple choice; that is our choice."""

REWARD_RULE_BY_FORM: Mapping[AnswerForm, RewardRule] = MappingProxyType(
    {
        AnswerForm.CHOICE: RewardRule.CHOICE,
        AnswerForm.NUMBER: RewardRule.NUMERIC,
        AnswerForm.SHORT: RewardRule.COVER_EXACT_MATCH,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """Evidence that a proposer quoted, as a span."""

    doc_id: str
    """The document."""
    start: int
    """First character, in document coordinates."""
    end: int
    """One past the last character."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A question that passed the rules, not yet solved by anybody else."""

    question: str
    """The question, with its lettered options where it has any."""
    answer: str
    """The answer; the letter for multiple choice."""
    options: tuple[str, ...]
    """The options in order, or nothing."""
    quotes: tuple[Quote, ...]
    """The evidence."""


class _Distractor(ReplyShape):
    text: str
    mistake: str


class _QuotedDocument(ReplyShape):
    document: int
    quote: str


class _OpenReply(ReplyShape):
    question: str
    answer: str
    quotes: list[_QuotedDocument]


class _ChoiceReply(_OpenReply):
    distractors: list[_Distractor]


def proposer_prompt(
    category: Category, documents: Sequence[Document], history: Sequence[tuple[str, str]]
) -> str:
    """Return the prompt for one question; `history` holds solved questions and their answers."""
    form = category.form
    examples = "\n\n".join(
        f"Question: {question}\nAnswer: {answer}" for question, answer in history
    )
    return fill_prompt(
        "propose",
        material=fence_documents(documents),
        category=fill_prompt(f"category_{category.name}"),
        history=fill_prompt("propose_harder", examples=examples)
        if history
        else fill_prompt("propose_first"),
        answer_rule=fill_prompt(f"answer_rule_{form.value}"),
        reply_form=fill_prompt(
            "reply_form_choice" if form is AnswerForm.CHOICE else "reply_form_open"
        ),
    )


def read_proposal(
    reply: ChatReply, category: Category, documents: Sequence[Document], *, letter: str
) -> Proposal | str:
    """Return the proposal in a reply, or why it breaks the rules.

    Args:
        reply: the proposer's.
        category: what was asked for.
        documents: those the proposer saw, in its order.
        letter: where the correct option is put.

    Raises:
        ReplyFormatError: the reply is not of the form that was asked for.
    """
    is_choice = category.form is AnswerForm.CHOICE
    written = parse_json(reply, _ChoiceReply if is_choice else _OpenReply)
    fault = _question_fault(written.question) or _answer_fault(written, category.form)
    if fault is not None:
        return fault
    quotes = _locate(written.quotes, documents)
    if isinstance(quotes, str):
        return quotes
    if not isinstance(written, _ChoiceReply):
        return Proposal(question=written.question, answer=written.answer, options=(), quotes=quotes)
    distractors = [distractor.text for distractor in written.distractors]
    fault = _option_fault(written.answer, distractors, written.distractors)
    if fault is not None:
        return fault
    options = list(distractors)
    options.insert(LETTERS.index(letter), written.answer)
    lines = [
        f"{mark}. {' '.join(text.split())}" for mark, text in zip(LETTERS, options, strict=True)
    ]
    return Proposal(
        question="\n".join([written.question, *lines]),
        answer=letter,
        options=tuple(options),
        quotes=quotes,
    )


def is_plainly_same(answer: str, other: str, rule: RewardRule) -> bool | None:
    """Return whether two answers are the same by rule, or None if a verifier must say.

    Stricter than the reward: neither may merely contain the other, numbers may not be off by a
    factor. Two different numbers or letters are never the same, whatever a verifier says.
    """
    if rule is RewardRule.CHOICE:
        return answer.strip().upper() == other.strip().upper()
    if normalize_answer(answer) and normalize_answer(answer) == normalize_answer(other):
        return True
    if parse_number(answer) is not None and parse_number(other) is not None:
        return bool(numeric_match(other, answer, scales=()))
    if rule is RewardRule.NUMERIC:
        return False
    return None


def _question_fault(question: str) -> str | None:
    if not MIN_QUESTION_CHARACTERS <= len(question) <= MAX_QUESTION_CHARACTERS:
        return "question too short or too long"
    if _POINTS_AT_DOCUMENTS.search(question):
        return "question points at the documents"
    return "speaks to a model" if speaks_to_a_model(question) else None


def _answer_fault(written: _OpenReply, form: AnswerForm) -> str | None:
    answer = written.answer
    is_long = len(answer.split()) > MAX_ANSWER_WORDS or len(answer) > MAX_ANSWER_CHARACTERS
    if not normalize_answer(answer) or is_long or "\n" in answer:
        return "answer empty or too long"
    if form is AnswerForm.NUMBER:
        number = parse_number(answer)
        if number is None or number == 0 or re.search(r"[A-Za-z]", answer):
            return "answer is no number but zero"
    if form is not AnswerForm.CHOICE and cover_exact_match(
        written.question, answer, whole_words=True
    ):
        return "answer in the question"
    return None


def _option_fault(
    answer: str, distractors: Sequence[str], written: Sequence[_Distractor]
) -> str | None:
    if len(distractors) != len(LETTERS) - 1:
        return "not three distractors"
    options = [answer, *distractors]
    folded = [normalize_answer(option) for option in options]
    if not all(folded) or len(set(folded)) != len(folded):
        return "options empty or alike"
    if any(len(option) > MAX_ANSWER_CHARACTERS or "\n" in option for option in options):
        return "option too long"
    if any(_CATCH_ALL.search(option) for option in options):
        return "option about other options"
    numbers = [parse_number(option) for option in options]
    stated = [number for number in numbers if number is not None]
    is_numeric = len(stated) == len(options)
    if is_numeric and len({number.normalize() for number in stated}) != len(stated):
        return "options empty or alike"
    return None if all(distractor.mistake for distractor in written) else "distractor without cause"


def _locate(
    quoted: Sequence[_QuotedDocument], documents: Sequence[Document]
) -> tuple[Quote, ...] | str:
    """Return every quotation as a span, or why one shows nothing."""
    found: list[Quote] = []
    for entry in quoted:
        if not 1 <= entry.document <= len(documents):
            return "quote of an unknown document"
        document = documents[entry.document - 1]
        place = QuotedText(document.text).find(entry.quote)
        if isinstance(place, QuoteFault):
            return place.value
        found.append(Quote(doc_id=document.doc_id, start=place[0], end=place[1]))
    return tuple(dict.fromkeys(found))
