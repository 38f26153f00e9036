"""Self-play as a step: clusters of the corpus in, shards of voted questions out.

A shard is a folder as weaving writes them, and beside it the record of the votes: facts that quote
the evidence and name the answer that was agreed on. The program of a question gives that answer
where all its quotations are shown (`programs/voted.py`), and is checked as every other program.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from longloom.records import Context, Example, RewardRule, Split, TaskType
from longloom.runlog import atomic_write_text
from longloom.synthesis.checks.drafts import Refusal, check_draft
from longloom.synthesis.config import SynthesisConfig
from longloom.synthesis.corpus_files import read_facts, write_facts
from longloom.synthesis.endpoint.clusters import ClusterView, context_of, draw_clusters
from longloom.synthesis.endpoint.selfplay import evolve
from longloom.synthesis.endpoint.selfplay_records import (
    Cluster,
    ProposedQuestion,
    SelfplayModels,
)
from longloom.synthesis.endpoint.session import EndpointSession
from longloom.synthesis.endpoint.yields import Yield
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.generators.draft import Draft, Setting
from longloom.synthesis.programs.choice import LETTERS, Choice
from longloom.synthesis.programs.codec import shape_of, to_json
from longloom.synthesis.programs.node import Program
from longloom.synthesis.programs.voted import Voted, opening_of, quote_facts
from longloom.synthesis.programs.world import World
from longloom.synthesis.steps.shards import Progress
from longloom.synthesis.storage import write_examples
from longloom.synthesis.weaving.assembly import Assembled
from longloom.synthesis.weaving.collection import Collection
from longloom.synthesis.weaving.mixes import draw_length
from longloom.synthesis.weaving.questions import Asked, example_of
from longloom.synthesis.weaving.weave import CollectionSource, fixed_tokens, load_collection
from longloom.text.token_counts import TokenCounter, load_counter

VERSION = 1
"""Raised when the same replies give other questions."""
VOTES_FILE = "votes.parquet"
_CLUSTERS_PER_SHARD = 8
_PROMPT_RESERVE = 300
"""Tokens of a prompt kept for question and template beside the context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSource:
    """Where clusters are drawn from."""

    source: CollectionSource
    """The collection."""
    split: Split
    """The split of their documents."""
    num_tokens: float
    """Tokens of these documents; clusters are shared out by them."""


def ask_over_clusters(
    session: EndpointSession,
    config: SynthesisConfig,
    sources: Sequence[ClusterSource],
    folder: Path,
    *,
    corpus_digest: str,
    counter_name: str,
    progress: Progress | None = None,
) -> list[Path]:
    """Return the shards of all clusters, made now or found."""
    shards = []
    quotas = _quotas([source.num_tokens for source in sources], session.config.limits.max_clusters)
    wanted = [
        (source, number)
        for source, quota in zip(sources, quotas, strict=True)
        for number in range(0, quota, _CLUSTERS_PER_SHARD)
    ]
    quota_by_source = {id(source): quota for source, quota in zip(sources, quotas, strict=True)}
    step: _SelfPlay | None = None
    for place, (source, number) in enumerate(wanted, start=1):
        quota = quota_by_source[id(source)]
        key = session.key_of(
            VERSION,
            corpus_digest,
            config.model_dump(mode="json", exclude={"documents", "curation", "endpoint"}),
            session.config.self_play.model_dump(mode="json"),
            session.config.limits.model_dump(
                include={"documents_per_cluster", "max_cluster_tokens"}
            ),
            session.config.categories,
            counter_name,
            [source.source.genres, source.split, quota, number],
        )
        target = folder / f"{key}.done"
        if not target.exists():
            if step is None or step.source is not source:
                step = _SelfPlay(session, config, source, counter_name, quota)
            step.make(target, number)
        shards.append(target.with_suffix(""))
        if progress is not None:
            progress("self-play", place, len(wanted))
    return shards


def votes_of(shards: Sequence[Path]) -> Iterator[Fact]:
    """Yield the record of all votes of some shards."""
    for shard in shards:
        yield from read_facts(shard / VOTES_FILE)


def self_play_counts(shards: Sequence[Path]) -> Mapping[str, int]:
    """Return outcomes over all shards: proposals kept, and not kept by reason."""
    counts: Counter[str] = Counter()
    for shard in shards:
        counts.update(json.loads((shard / "summary.json").read_text("utf-8"))["counts"])
    return dict(sorted(counts.items()))


def _quotas(weights: Sequence[float], total: int) -> list[int]:
    """Share a whole number out by weights, adding up to it."""
    quotas, used, seen = [], 0, 0.0
    whole = sum(weights) or 1.0
    for weight in weights:
        seen += weight
        quota = round(total * seen / whole) - used
        used += quota
        quotas.append(quota)
    return quotas


class _SelfPlay:
    """The clusters of one source."""

    def __init__(
        self,
        session: EndpointSession,
        config: SynthesisConfig,
        source: ClusterSource,
        counter_name: str,
        num_clusters: int,
    ) -> None:
        self.source = source
        self._session = session
        self._config = config
        self._collection: Collection = load_collection(source.source, config)
        self._counter: TokenCounter = load_counter(counter_name)
        self._fixed = fixed_tokens(self._counter, config.template)
        limits = session.config.limits
        self._name = f"{config.seed}/{source.split}/{'+'.join(source.source.genres)}"
        self._views = draw_clusters(
            [entry for entry in self._collection.entries if entry.split is source.split],
            num_clusters=num_clusters,
            documents_per_cluster=limits.documents_per_cluster,
            max_tokens=min(limits.max_cluster_tokens, config.max_context_tokens - _PROMPT_RESERVE),
            rng=Random(f"clusters/{self._name}"),
        )

    def make(self, target: Path, first: int) -> None:
        """Write one shard: the questions over some clusters."""
        session = self._session
        views = {
            f"{self._name}/{first + place}": view
            for place, view in enumerate(self._views[first : first + _CLUSTERS_PER_SHARD])
        }
        clusters = [
            Cluster(cluster_id=name, documents=view.documents) for name, view in views.items()
        ]
        models = SelfplayModels(
            proposer=session.model, solver=session.other, verifier=session.other
        )
        found = session.run(
            evolve(models, clusters, session.config.categories, session.config.self_play)
        )
        self._write(target, views, found)

    def _write(
        self, target: Path, views: Mapping[str, ClusterView], found: Yield[ProposedQuestion]
    ) -> None:
        counts = Counter(found.counts)
        examples: list[Example] = []
        contexts: dict[str, Context] = {}
        votes: list[Fact] = []
        for name, view in views.items():
            ids = tuple(document.doc_id for document in view.documents)
            asked = self._context(name, view)
            for question in (entry for entry in found.kept if entry.doc_ids == ids):
                if asked is None:
                    counts["no context of this length"] += 1
                    continue
                made = self._example(question, view, asked)
                if isinstance(made, Refusal):
                    counts[str(made)] += 1
                    continue
                examples.append(made[0])
                votes += made[1]
                contexts[asked.assembled.context.context_id] = asked.assembled.context
        shard = target.with_suffix("")
        shard.mkdir(parents=True, exist_ok=True)
        write_facts(shard / VOTES_FILE, votes)
        refused = {
            f"self_play/{reason}": number
            for reason, number in counts.items()
            if reason not in ("inputs", "kept")
        }
        summary = {"refused": dict(sorted(refused.items())), "counts": dict(counts)}
        write_examples(shard, examples, contexts, summary, template=self._config.template)
        atomic_write_text(target, "done\n")

    def _context(self, name: str, view: ClusterView) -> Asked | None:
        rng = Random(f"context/{name}")
        length = draw_length(
            self._config.mix,
            rng,
            min_tokens=self._config.min_context_tokens,
            max_tokens=self._config.max_context_tokens,
        )
        shortest = int(view.num_tokens * 1.1)
        assembled = context_of(
            view,
            self._collection,
            self._counter,
            split=self.source.split,
            max_tokens=min(
                max(length, shortest) - _PROMPT_RESERVE,
                self._config.max_context_tokens - _PROMPT_RESERVE,
            ),
            rng=rng,
        )
        if assembled is None:
            return None
        return Asked(
            assembled=assembled,
            split=self.source.split,
            held_out=frozenset(),
            num_fixed_tokens=self._fixed,
        )

    def _example(
        self, question: ProposedQuestion, view: ClusterView, asked: Asked
    ) -> tuple[Example, list[Fact]] | Refusal:
        quotes = _quotes(question, view)
        draft = _draft(question, quotes)
        setting = _setting(asked.assembled, quotes)
        checked = check_draft(draft, setting.world, setting.documents)
        if isinstance(checked, Refusal):
            return checked
        example = example_of(
            checked,
            asked,
            setting,
            self._counter,
            to_json(draft.program),
            shape_of(draft.program),
        )
        return example, quotes


def _quotes(question: ProposedQuestion, view: ClusterView) -> list[Fact]:
    """Return the quotations of a question in coordinates of the whole documents."""
    texts = {placed.entry.doc_id: placed.entry.document.text for placed in view.placed}
    spans = []
    for quote in question.quotes:
        shift = view.start_of(quote.doc_id)
        start, end = quote.start + shift, quote.end + shift
        spans.append((quote.doc_id, start, end, texts[quote.doc_id][start:end]))
    return quote_facts(
        question.question_id,
        _agreed_answer(question),
        spans,
        votes=f"{question.num_solver_right} of {question.num_solvers}",
    )


def _agreed_answer(question: ProposedQuestion) -> str:
    if question.reward_rule is RewardRule.CHOICE:
        return question.options[LETTERS.index(question.answer)]
    return question.answer


def _draft(question: ProposedQuestion, quotes: Sequence[Fact]) -> Draft:
    voted = Voted(
        question_id=question.question_id,
        category=question.ability,
        opening=opening_of(question.question),
        num_quotes=len(quotes),
        answer=_agreed_answer(question),
    )
    is_choice = question.reward_rule is RewardRule.CHOICE
    program: Program = Choice(voted, question.options) if is_choice else voted
    return Draft(
        task_type=TaskType(question.task_type),
        ability=question.ability,
        question=question.question,
        program=program,
        answer=question.answer,
        reward_rule=question.reward_rule,
        num_hops=len({quote.doc_id for quote in quotes}),
    )


def _setting(assembled: Assembled, quotes: Sequence[Fact]) -> Setting:
    facts = {doc_id: [*known] for doc_id, known in assembled.facts_by_document.items()}
    for quote in quotes:
        facts[quote.doc_id].append(quote)
    return Setting(
        world=World(facts),
        documents={placed.entry.doc_id: placed.entry.document for placed in assembled.placed},
    )
