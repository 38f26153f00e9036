"""Facts from prose: triples that quote the span that states them.

    document -> passages -> model -> quote found once? subject named? value in the quote? checked?

The model's word counts for nothing by itself: the quotation must stand in the passage exactly once,
the value in the quotation, the subject in the passage or the title, and a second question, asked
with the passage alone, must confirm the triple. Facts have certainty 3. QwenLong-L1.5, section 3.
"""

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pydantic import Field

from longloom.config import FrozenConfig
from longloom.models.endpoint.messages import ChatModel, user_request
from longloom.records import Document
from longloom.synthesis.endpoint.fencing import fence_texts, speaks_to_a_model
from longloom.synthesis.endpoint.parsing import ReplyShape, parse_json, parse_yes_no
from longloom.synthesis.endpoint.prompts import fill_prompt
from longloom.synthesis.endpoint.quoted_values import QuotedValue, read_value
from longloom.synthesis.endpoint.quoting import QuotedText, QuoteFault, fold_quote
from longloom.synthesis.endpoint.yields import Dropped, Yield, run_each
from longloom.synthesis.facts.fact import Fact

RELATION_PREFIX = "prose."
CERTAINTY = 3
_RELATION = re.compile(r"[a-z]+(?:_[a-z]+){0,4}")
_ARTICLE = re.compile(r"(?:the|an?)_")
_NAMED_KINDS = frozenset({"person", "organization", "place", "work", "event"})
_VALUE_KINDS = _NAMED_KINDS | {"date", "number", "text"}
_KIND_BY_ALIAS = {"organisation": "organization"}
_UNKNOWN_KIND = "entity"
_PRONOUN_WORDS = (
    "he she it they we i you this that these those who which his her its their the there"
)
_PRONOUNS = frozenset(_PRONOUN_WORDS.split())
_MAX_NAME_CHARACTERS = 120


class TripleConfig(FrozenConfig):
    """How prose is read."""

    passage_characters: int = Field(default=6_000, ge=200)
    """Passages end at the block that passes this length."""
    max_triples: int = Field(default=20, ge=1)
    """Statements taken from one passage."""
    num_checks: int = Field(default=1, ge=1)
    """Times each triple is confirmed; more than half must agree."""
    seed: int = 0
    """Seed of the first sample."""


class _Triple(ReplyShape):
    subject: str
    relation: str
    value: str
    value_kind: str
    quote: str
    subject_kind: str = ""


class _Triples(ReplyShape):
    triples: list[_Triple]


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A stretch of a document, made of whole blocks."""

    document: Document
    """The document."""
    start: int
    """First character, in document coordinates."""
    end: int
    """One past the last character."""

    @property
    def text(self) -> str:
        """The text of the stretch."""
        return self.document.text[self.start : self.end]

    @property
    def key(self) -> str:
        """Names the passage in reports."""
        return f"{self.document.doc_id}:{self.start}"


async def extract_triples(
    model: ChatModel, documents: Sequence[Document], config: TripleConfig | None = None
) -> Yield[Fact]:
    """Return the facts that the documents' prose states, each with its span.

    Inputs of the yield are passages; every triple that is not accepted is among the dropped.
    """
    settings = config or TripleConfig()
    passages = [
        passage
        for document in documents
        for passage in split_passages(document, settings.passage_characters)
    ]

    async def extract(passage: Passage) -> list[Fact | Dropped]:
        return await _extract(model, passage, settings)

    return await run_each(passages, extract, lambda passage: passage.key)


def split_passages(document: Document, max_characters: int) -> Iterator[Passage]:
    """Yield the document's blocks in stretches of at most `max_characters`, or single blocks."""
    start = end = -1
    for block in document.blocks:
        if start >= 0 and block.end - start > max_characters:
            yield Passage(document=document, start=start, end=end)
            start = -1
        start = block.start if start < 0 else start
        end = block.end
    if start >= 0:
        yield Passage(document=document, start=start, end=end)


async def _extract(
    model: ChatModel, passage: Passage, config: TripleConfig
) -> list[Fact | Dropped]:
    if speaks_to_a_model(passage.text) or speaks_to_a_model(passage.document.title):
        return [Dropped(key=passage.key, reason="speaks to a model")]
    material = fence_texts([(f"passage of {passage.document.title}", passage.text)])
    prompt = fill_prompt("triples", material=material, max_triples=str(config.max_triples))
    reply = await model.complete(user_request(prompt, is_json=True, seed=config.seed))
    triples = parse_json(reply, _Triples).triples
    quoted = QuotedText(passage.text)
    outcomes: list[Fact | Dropped] = []
    seen: set[tuple[str, str, str]] = set()
    for number, triple in enumerate(triples):
        key = f"{passage.key}:{number}"
        found = _fact(triple, passage, quoted) if number < config.max_triples else "one too many"
        if isinstance(found, Fact) and (found.subject, found.relation, found.value) in seen:
            found = "stated before in this passage"
        if isinstance(found, str):
            outcomes.append(Dropped(key=key, reason=found, details=triple.quote[:200]))
            continue
        seen.add((found.subject, found.relation, found.value))
        outcomes.append(found)
    confirmed = await asyncio.gather(
        *(
            _is_confirmed(model, material, outcome, config)
            for outcome in outcomes
            if isinstance(outcome, Fact)
        )
    )
    verdicts = iter(confirmed)
    return [
        outcome
        if isinstance(outcome, Dropped) or next(verdicts)
        else Dropped(
            key=f"{passage.key}:{number}",
            reason="not confirmed",
            details=f"{outcome.subject} | {outcome.relation} | {outcome.value}"[:200],
        )
        for number, outcome in enumerate(outcomes)
    ]


def _fact(triple: _Triple, passage: Passage, quoted: QuotedText) -> Fact | str:
    """Return the fact of a triple, or why there is none."""
    place = quoted.find(triple.quote)
    if isinstance(place, QuoteFault):
        return place.value
    if not _RELATION.fullmatch(_relation_name(triple.relation)):
        return "relation is no name"
    subject = fold_quote(triple.subject)
    names_nothing = subject.split(" ")[0].lower() in _PRONOUNS and " " not in subject
    if not 2 <= len(subject) <= _MAX_NAME_CHARACTERS or names_nothing:
        return "subject is no name"
    if not (quoted.has(subject) or QuotedText(passage.document.title).has(subject)):
        return "subject not in the passage"
    value = read_value(triple.value, _kind(triple.value_kind, _VALUE_KINDS))
    if isinstance(value, str):
        return value
    inside = QuotedText(passage.text[place[0] : place[1]]).places_of(triple.value, max_places=1)
    if not inside:
        return "value not in the quote"
    if value.value.casefold() == subject.casefold():
        return "value is the subject"
    start = passage.start + place[0] + inside[0][0]
    end = passage.start + place[0] + inside[0][1]
    return _as_fact(triple, subject, value, passage.document.doc_id, (start, end))


def _as_fact(
    triple: _Triple, subject: str, value: QuotedValue, doc_id: str, span: tuple[int, int]
) -> Fact:
    name = _relation_name(triple.relation)
    return Fact(
        subject=subject,
        relation=RELATION_PREFIX + name,
        value=value.value,
        value_kind=_kind(triple.value_kind, _VALUE_KINDS),
        subject_kind=_kind(triple.subject_kind, _NAMED_KINDS),
        doc_id=doc_id,
        start=span[0],
        end=span[1],
        certainty=CERTAINTY,
        label=name.replace("_", " "),
        unit=value.unit,
        scale=value.scale,
    )


def _relation_name(stated: str) -> str:
    """Return `year_built` for `year built`, `Year built` and `the year built`."""
    joined = "_".join(stated.casefold().replace("_", " ").replace("-", " ").split())
    return _ARTICLE.sub("", joined, count=1) if _ARTICLE.match(joined) else joined


def _kind(stated: str, known: frozenset[str]) -> str:
    """Return a kind that is known; what a model calls otherwise is just some entity."""
    kind = stated.strip().casefold()
    kind = _KIND_BY_ALIAS.get(kind, kind)
    return kind if kind in known else _UNKNOWN_KIND


async def _is_confirmed(model: ChatModel, material: str, fact: Fact, config: TripleConfig) -> bool:
    prompt = fill_prompt(
        "triple_check",
        material=material,
        subject=fact.subject,
        relation=fact.label,
        value=f"{fact.value} {fact.unit}".strip(),
    )
    temperature = 0.0 if config.num_checks == 1 else 0.7
    request = user_request(prompt, seed=config.seed, temperature=temperature)
    replies = await asyncio.gather(
        *(
            model.complete(replace(request, sample_index=index))
            for index in range(config.num_checks)
        )
    )
    num_yes = sum(parse_yes_no(reply) for reply in replies if reply.is_complete)
    return 2 * num_yes > config.num_checks
