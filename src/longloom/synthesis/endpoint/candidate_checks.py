"""Checks of finished questions by a model: grounding, robustness, rewording, difficulty.

    shards of candidates -> those most likely to be written -> outcomes, a file a shard
                         -> shards without what was refused

Everything that was voted on is checked first, the rest by the draw of selection, up to the limit.
Where the limit ends the checks early, what was not checked stays: its programs were executed.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from longloom.records import Context, Example, TaskType
from longloom.runlog import atomic_write_text
from longloom.synthesis.config import SynthesisConfig
from longloom.synthesis.endpoint.attempts import PosedQuestion
from longloom.synthesis.endpoint.closed_book import keep_grounded
from longloom.synthesis.endpoint.difficulty import (
    difficulty_bin,
    equal_draws,
    measure_difficulty,
)
from longloom.synthesis.endpoint.rewriting import RewriteRequest, rewrite_questions
from longloom.synthesis.endpoint.robustness import keep_robust
from longloom.synthesis.endpoint.session import EndpointSession
from longloom.synthesis.endpoint.yields import Dropped
from longloom.synthesis.mixes import MIXES
from longloom.synthesis.selection.balance import Candidate, select_by_quotas, share_out
from longloom.synthesis.selection.writing import candidates_of
from longloom.synthesis.steps import digest_of
from longloom.synthesis.steps.shards import Progress
from longloom.synthesis.storage import example_id_of, read_examples, write_examples
from longloom.synthesis.weaving.weave import fixed_tokens
from longloom.text.token_counts import load_counter

VERSION = 1
"""Raised when the same replies give other outcomes."""
_SPARE = 1.5
"""Candidates checked for each question wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of the checks of one question."""

    reason: str = ""
    """Why it is refused; empty if it is kept."""
    question: str = ""
    """Its new wording; empty if it keeps its own."""
    not_reworded: str = ""
    """Why a new wording was refused; empty if it was not."""
    num_right: int = -1
    """Right attempts in its context; negative where none were made."""


def check_candidates(
    session: EndpointSession,
    config: SynthesisConfig,
    shards: Sequence[Path],
    folder: Path,
    *,
    voted: Collection[Path],
    counter_name: str,
    progress: Progress | None = None,
) -> tuple[list[Path], Mapping[str, int]]:
    """Return shards without the questions that are refused, and how many there are of what."""
    wanted, is_cut = _wanted(session, config, shards, voted)
    outcomes: dict[str, Outcome] = {}
    for place, shard in enumerate(shards, start=1):
        asked = wanted.get(shard, ())
        if asked:
            outcomes |= _outcomes(session, shard, asked, folder)
        if progress is not None:
            progress("checking questions", place, len(shards))
    counts = _counts(outcomes)
    kept = {example_id for example_id, outcome in outcomes.items() if not outcome.reason}
    if session.config.uses.difficulty:
        drawn = _equal_draws(session, config, wanted, outcomes, kept)
        counts["difficulty: over its bin's share"] = len(kept) - len(drawn)
        kept = drawn
    keeps_unchecked = is_cut and not session.config.uses.difficulty
    counts["not checked"] = sum(
        1
        for shard in shards
        for candidate in candidates_of(shard)
        if candidate.example_id not in outcomes
    )
    filtering = _Filtering(config, outcomes, kept, keeps_unchecked, counter_name)
    return [filtering.filtered(shard, folder) for shard in shards], dict(sorted(counts.items()))


def _wanted(
    session: EndpointSession,
    config: SynthesisConfig,
    shards: Sequence[Path],
    voted: Collection[Path],
) -> tuple[dict[Path, list[str]], bool]:
    """Return the ids to check by shard, and whether the limit left some out."""
    limit = session.config.limits.max_checked_questions
    by_shard = {shard: list(candidates_of(shard)) for shard in shards}
    first = [
        candidate.example_id
        for shard, candidates in by_shard.items()
        for candidate in candidates
        if shard in voted
    ][:limit]
    others = [
        candidate
        for shard, candidates in by_shard.items()
        for candidate in candidates
        if shard not in voted
    ]
    num_others = min(limit - len(first), int(config.num_examples * _SPARE))
    chosen = {*first, *_likely(others, num_others, config)}
    is_cut = limit < min(len(first) + len(others), int(config.num_examples * _SPARE) + len(first))
    wanted = {
        shard: [c.example_id for c in candidates if c.example_id in chosen]
        for shard, candidates in by_shard.items()
    }
    return wanted, is_cut


def _likely(
    candidates: Sequence[Candidate], num_wanted: int, config: SynthesisConfig
) -> frozenset[str]:
    if num_wanted <= 0:
        return frozenset()
    mix = MIXES[config.mix]
    selection = select_by_quotas(
        candidates,
        num_examples=num_wanted,
        quotas=mix.quotas_by(config.task_weights),
        max_shape_fraction=config.max_shape_fraction,
        seed=config.seed,
        length_weights=mix.length_weights if mix.quotas else (),
    )
    return selection.kept


def _outcomes(
    session: EndpointSession, shard: Path, asked: Sequence[str], folder: Path
) -> dict[str, Outcome]:
    """Return the outcomes of one shard, made now or found."""
    config = session.config
    settings = [
        config.uses.model_dump(include={"closed_book", "robustness", "difficulty", "rewriting"}),
        config.closed_book.model_dump(mode="json"),
        config.robustness.model_dump(mode="json"),
        config.difficulty.model_dump(mode="json"),
        config.rewriting.model_dump(mode="json"),
    ]
    key = session.key_of(VERSION, shard.name, sorted(asked), settings)
    target = folder / f"{key}.json"
    if not target.exists():
        examples, contexts = read_examples(shard)
        ids = set(asked)
        made = _check(session, [e for e in examples if e.example_id in ids], contexts)
        folder.mkdir(parents=True, exist_ok=True)
        plain = {example_id: asdict(outcome) for example_id, outcome in made.items()}
        atomic_write_text(target, json.dumps(plain, ensure_ascii=False, indent=0))
    stored = json.loads(target.read_text("utf-8"))
    return {example_id: Outcome(**fields) for example_id, fields in stored.items()}


def _check(
    session: EndpointSession, examples: Sequence[Example], contexts: Mapping[str, Context]
) -> dict[str, Outcome]:
    """Ask in the order that saves most: what is refused early is not asked again."""
    config, uses = session.config, session.config.uses
    outcomes = {example.example_id: Outcome() for example in examples}
    posed = [_posed(example, contexts[example.context_id]) for example in examples]

    def refuse(dropped: Sequence[Dropped], check: str) -> None:
        for drop in dropped:
            outcomes[drop.key] = replace(outcomes[drop.key], reason=f"{check}: {drop.reason}")

    if uses.closed_book and posed:
        grounded = session.run(keep_grounded(session.model, posed, config.closed_book))
        refuse(grounded.dropped, "closed book")
        posed = list(grounded.kept)
    if uses.robustness and posed:
        robust = session.run(keep_robust(session.model, posed, config.robustness))
        refuse(robust.dropped, "robustness")
        posed = list(robust.kept)
    if uses.rewriting and posed:
        posed = _reworded(session, posed, outcomes)
    if uses.difficulty and posed:
        measured = session.run(measure_difficulty(session.model, posed, config.difficulty))
        refuse(measured.dropped, "difficulty")
        for entry in measured.kept:
            place = entry.posed.question_id
            outcomes[place] = replace(outcomes[place], num_right=entry.num_right)
    return outcomes


def _reworded(
    session: EndpointSession, posed: Sequence[PosedQuestion], outcomes: dict[str, Outcome]
) -> list[PosedQuestion]:
    """Return the questions, each with its new wording if that was proved to ask the same."""
    reworded = session.run(
        rewrite_questions(
            session.model,
            [RewriteRequest(posed=question) for question in posed],
            session.config.rewriting,
            checker=session.other,
        )
    )
    wordings = {question.question_id: question for question in reworded.kept}
    for place, question in wordings.items():
        outcomes[place] = replace(outcomes[place], question=question.question)
    for drop in reworded.dropped:
        outcomes[drop.key] = replace(outcomes[drop.key], not_reworded=drop.reason)
    return [wordings.get(question.question_id, question) for question in posed]


def _posed(example: Example, context: Context) -> PosedQuestion:
    return PosedQuestion(
        question_id=example.example_id,
        question=example.question,
        answer=example.answer,
        reward_rule=example.reward_rule,
        context=context.text,
    )


def _counts(outcomes: Mapping[str, Outcome]) -> Counter[str]:
    counts: Counter[str] = Counter({"checked": len(outcomes)})
    for outcome in outcomes.values():
        counts[outcome.reason or "kept"] += 1
        if outcome.question:
            counts["reworded"] += 1
        if outcome.not_reworded:
            counts[f"not reworded: {outcome.not_reworded}"] += 1
    return counts


def _equal_draws(
    session: EndpointSession,
    config: SynthesisConfig,
    wanted: Mapping[Path, Sequence[str]],
    outcomes: Mapping[str, Outcome],
    kept: Collection[str],
) -> set[str]:
    """Return as many measured questions of every task from each bin as there are."""
    tasks = {
        candidate.example_id: candidate.task_type
        for shard in wanted
        for candidate in candidates_of(shard)
        if candidate.example_id in kept
    }
    weights: dict[str, float] = defaultdict(float)
    for quota in MIXES[config.mix].quotas_by(config.task_weights):
        for kind in quota.kinds:
            share = kind.weight / sum(entry.weight for entry in quota.kinds)
            weights[kind.task_type] += quota.weight * share
    quotas = share_out(config.num_examples, weights)
    num_samples = session.config.difficulty.num_samples
    drawn: set[str] = set()
    for task in TaskType:
        bins = {
            example_id: difficulty_bin(
                outcomes[example_id].num_right, num_samples, session.config.num_difficulty_bins
            )
            for example_id, its_task in tasks.items()
            if its_task is task
        }
        drawn.update(equal_draws(bins, quotas.get(task, 0), seed=config.seed))
    return drawn


@dataclass(frozen=True, slots=True)
class _Filtering:
    """Writes shards again without what was refused."""

    config: SynthesisConfig
    outcomes: Mapping[str, Outcome]
    kept: Collection[str]
    keeps_unchecked: bool
    counter_name: str

    def filtered(self, shard: Path, folder: Path) -> Path:
        """Return the shard itself if nothing changes, or one with what remains."""
        ids = [candidate.example_id for candidate in candidates_of(shard)]
        remaining = [example_id for example_id in ids if self._stays(example_id)]
        wordings = {
            example_id: self.outcomes[example_id].question
            for example_id in remaining
            if example_id in self.outcomes and self.outcomes[example_id].question
        }
        if remaining == ids and not wordings:
            return shard
        key = digest_of(VERSION, shard.name, remaining, wordings, self.config.template)
        target = folder / f"{key}.done"
        if not target.exists():
            self._write(target, shard, set(remaining), wordings)
        return target.with_suffix("")

    def _stays(self, example_id: str) -> bool:
        return example_id in self.kept or (self.keeps_unchecked and example_id not in self.outcomes)

    def _write(
        self, target: Path, shard: Path, remaining: Collection[str], wordings: Mapping[str, str]
    ) -> None:
        examples, contexts = read_examples(shard)
        counter = load_counter(self.counter_name)
        fixed = fixed_tokens(counter, self.config.template)
        written = []
        for example in examples:
            if example.example_id not in remaining:
                continue
            wording = wordings.get(example.example_id, "")
            if not wording:
                written.append(example)
                continue
            num_question_tokens = int(counter.measure(wording)) + 1
            written.append(
                replace(
                    example,
                    example_id=example_id_of(example.context_id, wording, example.answer),
                    question=wording,
                    num_prompt_tokens=(
                        example.num_context_tokens + num_question_tokens + fixed[example.task_type]
                    ),
                )
            )
        summary = json.loads((shard / "summary.json").read_text("utf-8"))
        folder = target.with_suffix("")
        folder.mkdir(parents=True, exist_ok=True)
        kept_fields = {"refused": summary["refused"]}
        write_examples(folder, written, contexts, kept_fields, template=self.config.template)
        atomic_write_text(target, "done\n")
