"""Fill a table from reports: an ensemble of models, and consensus on every field.

QwenLong-L1.5, section 3 (CorpusQA): each document is read several times by several models; a value
counts only with a clear majority, and a field without consensus discards the whole document. Our
addition: the agreed value must stand in the document as it was copied.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field

from longloom.config import FrozenConfig
from longloom.models.endpoint.messages import ChatModel, ChatRequest, user_request
from longloom.records import Document
from longloom.synthesis.endpoint.fencing import fence_documents, speaks_to_a_model
from longloom.synthesis.endpoint.parsing import ReplyFormatError, ReplyShape, parse_json
from longloom.synthesis.endpoint.prompts import fill_prompt
from longloom.synthesis.endpoint.quoting import QuotedText, fold_quote
from longloom.synthesis.endpoint.yields import Dropped, Yield, run_each


class SchemaConfig(FrozenConfig):
    """How often documents are read and how clear a majority must be."""

    samples_per_model: int = Field(default=3, ge=1)
    """Readings by each model."""
    consensus_fraction: float = Field(default=0.5, ge=0.5, lt=1)
    """More than this share of all readings must agree, failed ones counted against."""
    temperature: float = Field(default=0.7, ge=0)
    """Readings by one model must be able to differ."""
    seed: int = 0
    """Seed of the first reading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaField:
    """A column to be filled."""

    name: str
    """Its key in the reply: `net_income`."""
    description: str
    """What stands in it, for the model: `Net income of the fiscal year`."""
    is_required: bool = True
    """Whether a document that agrees on not stating it is discarded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaRow:
    """What the readings agree on for one document."""

    doc_id: str
    """The document."""
    value_by_field: Mapping[str, str | None]
    """As the document shows it, with its unit; None where it is agreed not to be stated."""
    span_by_field: Mapping[str, tuple[int, int]]
    """First place where the value stands, in document coordinates."""
    votes_by_field: Mapping[str, int]
    """Readings that gave this value."""
    num_readings: int
    """All readings, failed ones included."""


class _Values(ReplyShape):
    values: dict[str, str | None]


async def extract_rows(
    models: Sequence[ChatModel],
    documents: Sequence[Document],
    fields: Sequence[SchemaField],
    config: SchemaConfig | None = None,
) -> Yield[SchemaRow]:
    """Return a row for every document on whose every field the ensemble agrees."""
    settings = config or SchemaConfig()
    listed = "\n".join(f"- {field.name}: {field.description}" for field in fields)

    async def extract(document: Document) -> list[SchemaRow | Dropped]:
        if speaks_to_a_model(document.text) or speaks_to_a_model(document.title):
            return [Dropped(key=document.doc_id, reason="speaks to a model")]
        prompt = fill_prompt("schema", material=fence_documents([document]), fields=listed)
        readings = await asyncio.gather(
            *(
                _read(model, _request(prompt, settings, index))
                for model in models
                for index in range(settings.samples_per_model)
            )
        )
        return [agree(document, fields, readings, settings)]

    return await run_each(documents, extract, lambda document: document.doc_id)


def agree(
    document: Document,
    fields: Sequence[SchemaField],
    readings: Sequence[Mapping[str, str | None] | None],
    config: SchemaConfig,
) -> SchemaRow | Dropped:
    """Return what the readings agree on, or why the document is discarded.

    A reading of None failed. A field that a reading leaves out is no vote for `not stated`.
    """
    quoted = QuotedText(document.text)
    value_by_field: dict[str, str | None] = {}
    span_by_field: dict[str, tuple[int, int]] = {}
    votes_by_field: dict[str, int] = {}
    for field in fields:
        value, num_votes = _leading_value(field.name, readings)
        if num_votes <= config.consensus_fraction * len(readings):
            return _discard(document, "no consensus", field, f"{num_votes} of {len(readings)}")
        if value is None and field.is_required:
            return _discard(document, "a required field is not stated", field, "")
        if value is not None:
            places = quoted.places_of(value, max_places=1)
            if not places:
                return _discard(document, "the agreed value is not in the text", field, value)
            span_by_field[field.name] = places[0]
        value_by_field[field.name] = value
        votes_by_field[field.name] = num_votes
    return SchemaRow(
        doc_id=document.doc_id,
        value_by_field=value_by_field,
        span_by_field=span_by_field,
        votes_by_field=votes_by_field,
        num_readings=len(readings),
    )


def _leading_value(
    name: str, readings: Sequence[Mapping[str, str | None] | None]
) -> tuple[str | None, int]:
    """Return the value with most votes; values that differ in spacing or quotes are one."""
    votes: Counter[str | None] = Counter()
    for reading in readings:
        if reading is None or name not in reading:
            continue
        shown = reading[name]
        votes[fold_quote(shown) or None if shown is not None else None] += 1
    # Ties have no majority, so the order among equals decides nothing.
    return votes.most_common(1)[0] if votes else (None, 0)


def _request(prompt: str, config: SchemaConfig, index: int) -> ChatRequest:
    return user_request(
        prompt,
        temperature=config.temperature,
        seed=config.seed,
        sample_index=index,
        is_json=True,
    )


async def _read(model: ChatModel, request: ChatRequest) -> Mapping[str, str | None] | None:
    reply = await model.complete(request)
    try:
        return parse_json(reply, _Values).values
    except ReplyFormatError:
        return None  # counts against every field


def _discard(document: Document, reason: str, field: SchemaField, details: str) -> Dropped:
    shown = f"{field.name}: {details}" if details else field.name
    return Dropped(key=document.doc_id, reason=reason, details=shown[:200])
