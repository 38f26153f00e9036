"""Make one example of a draft: word it, assemble its context, check it, write the record."""

import hashlib
from dataclasses import dataclass, replace
from random import Random

from longloom.records import Context, Example
from longloom.synthesis.miniature.checks import Refusal, check_program, check_spans
from longloom.synthesis.miniature.contexts import Assembly, Measure, assemble, place_evidence
from longloom.synthesis.miniature.fact import Fact
from longloom.synthesis.miniature.generators import Draft
from longloom.synthesis.miniature.index import View
from longloom.synthesis.miniature.programs import FactTable, to_json, trace
from longloom.synthesis.miniature.questions import word_question
from longloom.synthesis.prompt_length import PromptMeter


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """An accepted example with its context."""

    example: Example
    """The example."""
    context: Context
    """Its context."""
    draft: Draft
    """The draft it was made of."""
    facts: tuple[Fact, ...]
    """All facts of the context, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthRange:
    """How long something may be: above `min_tokens`, at most `max_tokens`."""

    min_tokens: int
    """Exclusive lower limit."""
    max_tokens: int
    """Inclusive upper limit."""


class ExampleWriter:
    """Writes examples of one split; lengths are those of prompts, or of contexts alone."""

    def __init__(
        self,
        view: View,
        meter: PromptMeter,
        *,
        counts_context_alone: bool,
        keeps_order: bool = False,
    ) -> None:
        """Write for `view`; `keeps_order` puts required pieces in the program's order."""
        self.view = view
        self._meter = meter
        self._counts_context_alone = counts_context_alone
        self._keeps_order = keeps_order

    def write(self, draft: Draft, lengths: LengthRange, rng: Random) -> Written | Refusal:
        """Return the example, or why the draft was refused."""
        question = word_question(draft.program)
        is_in_order = draft.request.is_in_order or self._keeps_order
        assembly = assemble(
            self.view,
            replace(draft.request, is_in_order=is_in_order),
            measure=self._measure(draft, question),
            num_fixed_tokens=self._fixed_tokens(draft, question),
            max_tokens=lengths.max_tokens,
            rng=rng,
        )
        if assembly is None:
            return Refusal.DOES_NOT_FIT
        if assembly.num_counted_tokens <= lengths.min_tokens:
            return Refusal.NOT_FILLED
        table = FactTable(fact for piece in assembly.pieces for fact in piece.facts)
        gold = FactTable(fact for piece in draft.request.required for fact in piece.facts)
        refusal = check_program(draft.program, question, draft.answer, gold=gold, context=table)
        if refusal is not None:
            return refusal
        return self._record(draft, question, assembly, table)

    def _measure(self, draft: Draft, question: str) -> Measure:
        if self._counts_context_alone:
            return self._meter.text_tokens
        return lambda text: self._meter.prompt_tokens(
            draft.task_type, context=text, question=question
        )

    def _fixed_tokens(self, draft: Draft, question: str) -> int:
        if self._counts_context_alone:
            return 0
        return self._meter.estimated_fixed_tokens(draft.task_type, question)

    def _record(
        self, draft: Draft, question: str, assembly: Assembly, table: FactTable
    ) -> Written | Refusal:
        context = assembly.context
        documents = self.view.index.document_by_id
        evidence = place_evidence(context, trace(draft.program, table))
        refusal = check_spans(context, evidence, documents)
        if refusal is not None:
            return refusal
        num_prompt_tokens = assembly.num_counted_tokens
        if self._counts_context_alone:
            num_prompt_tokens = self._meter.prompt_tokens(
                draft.task_type, context=context.text, question=question
            )
        shown = dict.fromkeys(part.doc_id for part in context.parts)
        key = f"{context.context_id}\0{question}\0{draft.answer}"
        example = Example(
            example_id=hashlib.sha256(key.encode()).hexdigest()[:32],
            task_type=draft.task_type,
            ability=draft.ability,
            context_id=context.context_id,
            question=question,
            answer=draft.answer,
            reward_rule=draft.reward_rule,
            program=to_json(draft.program),
            evidence=evidence,
            num_context_tokens=self._meter.text_tokens(context.text),
            num_prompt_tokens=num_prompt_tokens,
            split=self.view.split,
            licences=tuple(sorted({documents[doc_id].licence for doc_id in shown})),
            provenance=tuple(documents[doc_id].source for doc_id in shown),
        )
        return Written(example=example, context=context, draft=draft, facts=table.facts)
