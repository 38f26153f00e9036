"""Split the question: by rules, and by one call of the model where they cannot decide."""

import logging

from longloom.errors import ContextLengthError
from longloom.memory.calls import Calls
from longloom.memory.config import MemoryConfig
from longloom.memory.journal import Journal, StepRecord, next_key
from longloom.memory.parsing import last_tagged
from longloom.memory.query import Query, split_question
from longloom.models.protocols import ChatSampler
from longloom.records import Purpose
from longloom.text.prompts import fill_template

logger = logging.getLogger(__name__)

_FRAME_TOKENS = 64
"""Room for the tags and line breaks around the two parts."""


async def decompose(
    question: str,
    config: MemoryConfig,
    *,
    calls: Calls,
    sampler: ChatSampler,
    journal: Journal,
    key: str,
) -> Query:
    """Return the parts of `question` (q_core and q_inst of QwenLong-L1.5, section 2.3).

    What a model says counts only if it copied the question word for word; else all of it is the
    core. Its reply is kept in the journal: another split would begin another reading.

    Raises:
        ModelError: the model failed.
    """
    whole = Query(core=question, instructions="", is_decided=True)
    if config.decomposition == "off":
        return whole
    query = split_question(question)
    if query.is_decided or config.decomposition == "rules":
        return query
    key = next_key(key, "decompose", question)
    record = journal.get(key)
    if record is not None:
        return Query(core=record.memory, instructions=record.plan, is_decided=True)
    try:
        reply = await calls.ask(
            fill_template("memory_decompose", question=question),
            key="decompose",
            purpose=Purpose.DECOMPOSE,
            max_new_tokens=sampler.tokens.count(question) + _FRAME_TOKENS + config.thinking_tokens,
        )
        text = reply.text
    except ContextLengthError:
        text = ""
    found = _verbatim(question, last_tagged(text, "core"), last_tagged(text, "form"))
    if found is None:
        logger.info("The model did not split the question word for word; all of it is the core.")
    query = found or whole
    journal.put(
        key,
        StepRecord(
            memory=query.core,
            plan=query.instructions,
            is_usable=found is not None,
            usage=calls.take_usage(),
            seconds=0.0,
        ),
    )
    return query


def _verbatim(question: str, core: str, instructions: str) -> Query | None:
    words = question.split()
    first, last = core.split(), instructions.split()
    if not first or words not in (first + last, last + first):
        return None
    return Query(core=core, instructions=instructions, is_decided=True)
