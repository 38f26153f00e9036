"""Questions over tables as a step: contexts that were woven in, shards of questions out.

    woven context -> table of its facts -> queries of a model -> two translations -> TableQuery

A model writes the question and both translations; the answer is what the program gives on the
facts of the context. The context is the one other questions share.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from longloom.errors import DataError
from longloom.records import Context, Example, RewardRule, Split, TaskType
from longloom.rewards import parse_number
from longloom.runlog import atomic_write_text
from longloom.synthesis.checks.drafts import MAX_EVIDENCE, Refusal
from longloom.synthesis.config import SynthesisConfig
from longloom.synthesis.corpus_files import read_documents, read_facts
from longloom.synthesis.endpoint.context_tables import TEMPLATES, asked, table_of
from longloom.synthesis.endpoint.nl2sql import AnsweredQuery, answer_queries, expand_queries
from longloom.synthesis.endpoint.session import EndpointSession
from longloom.synthesis.facts.catalogue import KINDS
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.generators.vocabulary import plural_of
from longloom.synthesis.programs.codec import shape_of, to_json
from longloom.synthesis.programs.table_query import EXACT, TableQuery, rounded
from longloom.synthesis.programs.world import World
from longloom.synthesis.steps.shards import Progress
from longloom.synthesis.storage import example_id_of, read_examples, write_examples
from longloom.synthesis.verification import context_world
from longloom.synthesis.weaving.questions import place_evidence
from longloom.synthesis.weaving.splits import split_by_title
from longloom.synthesis.weaving.weave import fixed_tokens
from longloom.text.token_counts import load_counter

VERSION = 2
"""Raised when the same replies give other questions."""
ABILITY = "table_query"
_NUM_DECIMALS = 2
_DRAWN_PER_CONTEXT = 8
_MAX_ANSWER_CHARACTERS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class _Titled:
    """What is known of a document here."""

    title: str
    genre: str


def ask_over_tables(
    session: EndpointSession,
    config: SynthesisConfig,
    woven: Sequence[Path],
    folder: Path,
    *,
    documents: Sequence[Path],
    facts: Sequence[Path],
    counter_name: str,
    progress: Progress | None = None,
) -> list[Path]:
    """Return the shards of questions over the tables of some woven contexts."""
    chosen = _drawn_contexts(woven, session.config.limits.max_table_contexts, config.seed)
    shards = []
    step: _TableStep | None = None
    for place, (shard, context_ids) in enumerate(chosen.items(), start=1):
        key = session.key_of(
            VERSION,
            shard.name,
            context_ids,
            session.config.nl2sql.model_dump(mode="json"),
            [config.template, config.held_out_fraction, counter_name],
        )
        target = folder / f"{key}.done"
        if not target.exists():
            if step is None:
                needed = _documents_in(chosen)
                known = [
                    fact for path in facts for fact in read_facts(path) if fact.doc_id in needed
                ]
                step = _TableStep(session, config, documents, known, counter_name)
            step.make(target, shard, context_ids)
        shards.append(target.with_suffix(""))
        if progress is not None:
            progress("questions over tables", place, len(chosen))
    return shards


def table_counts(shards: Sequence[Path]) -> Mapping[str, int]:
    """Return outcomes over all shards: queries kept, and not kept by reason."""
    counts: Counter[str] = Counter()
    for shard in shards:
        counts.update(json.loads((shard / "summary.json").read_text("utf-8"))["counts"])
    return dict(sorted(counts.items()))


def _drawn_contexts(woven: Sequence[Path], limit: int, seed: int) -> dict[Path, list[str]]:
    """Draw contexts and return those with most documents: they are likeliest to fill a table."""
    num_documents = {
        (shard, context.context_id): len({part.doc_id for part in context.parts})
        for shard in woven
        for context in read_examples(shard)[1].values()
    }
    places = list(num_documents)
    drawn = Random(f"tables/{seed}").sample(places, min(_DRAWN_PER_CONTEXT * limit, len(places)))
    drawn.sort(key=lambda place: -num_documents[place])
    wanted = set(drawn[:limit])
    chosen: dict[Path, list[str]] = defaultdict(list)
    for place in places:
        if place in wanted:
            chosen[place[0]].append(place[1])
    return dict(chosen)


def _documents_in(chosen: Mapping[Path, Sequence[str]]) -> set[str]:
    """Return the documents that stand in some contexts."""
    return {
        part.doc_id
        for shard, context_ids in chosen.items()
        for context_id, context in read_examples(shard)[1].items()
        if context_id in context_ids
        for part in context.parts
    }


class _TableStep:
    """What is known of the documents of all chosen contexts, read once for all shards."""

    def __init__(
        self,
        session: EndpointSession,
        config: SynthesisConfig,
        documents: Sequence[Path],
        facts: Sequence[Fact],
        counter_name: str,
    ) -> None:
        self._session = session
        self._config = config
        self._facts_by_document: dict[str, list[Fact]] = defaultdict(list)
        for fact in facts:
            self._facts_by_document[fact.doc_id].append(fact)
        self._counter = load_counter(counter_name)
        self._fixed = fixed_tokens(self._counter, config.template)
        self._documents = {
            entry.document.doc_id: _Titled(title=entry.document.title, genre=entry.document.genre)
            for path in documents
            for entry in read_documents(path)
        }
        titles = [document.title for document in self._documents.values()]
        self._splits = split_by_title(titles, config.held_out_fraction)

    def make(self, target: Path, shard: Path, context_ids: Sequence[str]) -> None:
        """Write the questions over the tables of some contexts of a woven shard."""
        siblings, contexts = read_examples(shard)
        sibling_of = {example.context_id: example for example in reversed(siblings)}
        counts: Counter[str] = Counter()
        made: list[Example] = []
        for context_id in context_ids:
            context = contexts[context_id]
            world = context_world(context.parts, self._facts_by_document)
            counts["contexts"] += 1
            made += self._ask(context, world, sibling_of[context_id], counts)
        folder = target.with_suffix("")
        folder.mkdir(parents=True, exist_ok=True)
        refused = {
            f"tables/{reason}": number
            for reason, number in counts.items()
            if reason not in ("contexts", "kept")
        }
        summary = {"refused": dict(sorted(refused.items())), "counts": dict(counts)}
        write_examples(folder, made, contexts, summary, template=self._config.template)
        atomic_write_text(target, "done\n")

    def _ask(
        self, context: Context, world: World, sibling: Example, counts: Counter[str]
    ) -> Iterator[Example]:
        found = table_of(world)
        if found is None:
            counts["facts fill no table"] += 1
            return
        query, table = found
        session, nl2sql = self._session, self._session.config.nl2sql
        queries = session.run(expand_queries(session.model, TEMPLATES, table, nl2sql))
        answered = session.run(
            answer_queries((session.model, session.other), queries.kept, table, nl2sql)
        )
        counts.update(drop.reason for drop in (*queries.dropped, *answered.dropped))
        for entry in answered.kept:
            outcome = self._example(entry, query, context, world, sibling)
            if isinstance(outcome, str):
                counts[outcome] += 1
                continue
            counts["kept"] += 1
            yield outcome

    def _example(
        self,
        answered: AnsweredQuery,
        query: TableQuery,
        context: Context,
        world: World,
        sibling: Example,
    ) -> Example | str:
        """Return the example of a query, or why it is refused."""
        cell = answered.only_answer
        if not cell or len(cell) > _MAX_ANSWER_CHARACTERS:
            return "result is no single value"
        num_decimals = EXACT if rounded(cell, _NUM_DECIMALS) == cell else _NUM_DECIMALS
        try:
            program = asked(query, answered.statements[0], num_decimals)
        except DataError:
            return str(Refusal.NO_EVIDENCE)
        execution = program.execute(world)
        answer = execution.only_answer
        if answer is None or answer != rounded(cell, num_decimals):
            return str(Refusal.ANOTHER_ANSWER)
        question = _question(answered.query.question, query.subject_kind, num_decimals)
        fault = self._fault(question, answer, program, world, sibling)
        if isinstance(fault, str):
            return fault
        is_number = parse_number(answer) is not None
        task = TaskType.NUMERICAL if is_number else TaskType.MULTI_HOP
        num_question_tokens = int(self._counter.measure(question)) + 1
        evidence = place_evidence(context, execution.evidence)
        return replace(
            sibling,
            example_id=example_id_of(context.context_id, question, answer),
            task_type=task,
            ability=ABILITY,
            question=question,
            answer=answer,
            reward_rule=RewardRule.NUMERIC if is_number else RewardRule.COVER_EXACT_MATCH,
            program=to_json(program),
            evidence=evidence,
            num_prompt_tokens=(
                sibling.num_context_tokens + num_question_tokens + self._fixed[task]
            ),
            num_hops=len(program.read),
            gold_documents=tuple(self._documents[doc_id].title for doc_id in fault),
            genres=tuple(dict.fromkeys(self._documents[doc_id].genre for doc_id in fault)),
            shape=shape_of(program),
            depths=tuple(
                round(span.context_start / max(1, len(context.text)), 4) for span in evidence
            ),
        )

    def _fault(
        self, question: str, answer: str, program: TableQuery, world: World, sibling: Example
    ) -> tuple[str, ...] | str:
        """Return the documents that are necessary, each by itself, or why it is refused."""
        evidence = program.execute(world).evidence
        if not evidence:
            return str(Refusal.NO_EVIDENCE)
        if len(evidence) > MAX_EVIDENCE:
            return str(Refusal.TOO_MUCH_EVIDENCE)
        if re.search(rf"(?<!\w){re.escape(answer.casefold())}(?!\w)", question.casefold()):
            return str(Refusal.ANSWER_IN_QUESTION)
        last = self._documents[evidence[-1].doc_id].title
        if sibling.split is Split.HELD_OUT and self._splits[last] is not Split.HELD_OUT:
            return "not_held_out"
        gold = tuple(
            doc_id
            for doc_id in dict.fromkeys(fact.doc_id for fact in evidence)
            if program.execute(world.without([doc_id])).only_answer != answer
        )
        return gold or str(Refusal.TOO_FEW_DOCUMENTS)


def _question(asked_by_model: str, kind: str, num_decimals: int) -> str:
    known = KINDS.get(kind)
    plural = known.plural if known else plural_of(kind)
    scope = f"Consider all {plural} that the documents describe, and no others."
    rounding = f" Round to {num_decimals} decimals." if num_decimals != EXACT else ""
    return f"{' '.join(asked_by_model.split())} {scope}{rounding}"
