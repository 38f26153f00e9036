"""Ask about one context: drafts from every generator, checked, in balance."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from random import Random

from longloom.records import Context, Evidence, Example, Split, TaskType
from longloom.synthesis.checks.drafts import Checked, Refusal, check_draft
from longloom.synthesis.checks.second_opinion import Claim, SecondOpinion
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.generators.catalogue import GENERATORS
from longloom.synthesis.generators.draft import Draft, Setting
from longloom.synthesis.programs.catalogue import read_program
from longloom.synthesis.programs.codec import shape_of, to_json
from longloom.synthesis.programs.world import World
from longloom.synthesis.prompt_length import CONTEXT_SLOT
from longloom.synthesis.storage import example_id_of
from longloom.synthesis.task_weights import TaskWeights
from longloom.synthesis.weaving.assembly import Assembled
from longloom.text.token_counts import TokenCounter

_DRAFTS_PER_QUESTION = 6
"""Drafts a generator may offer for each question wanted of a task."""
_MAX_TASK_FRACTION = 0.4
"""One task has at most this share of the questions about a context."""
_MIN_PER_SHAPE = 3
_VERDICTS = {"yes": "no", "no": "yes"}
_CLAIMS_ALL = ('"op":"described"', '"op":"inverse"', '"op":"count"', '"op":"exactly"')
"""Nodes that speak of all documents of a kind: what a cut one does not show may fit as well."""
_SHAPE_SLACK = 4.0
"""A shard sees few genres, whose shapes may be more frequent there than in the whole set."""


@dataclass(slots=True)
class Tally:
    """What has been made so far, so that no shape takes over."""

    max_shape_fraction: float
    """Largest share of a shape within its task."""
    by_task: Counter[str] = field(default_factory=Counter)
    """Questions by task."""
    by_shape: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Questions by task and shape."""
    refused: Counter[str] = field(default_factory=Counter)
    """Drafts refused, by `task/reason`."""
    programs: set[str] = field(default_factory=set)
    """Programs asked already."""
    by_verdict: Counter[str] = field(default_factory=Counter)
    """Questions by their answer, of those answered with yes or no."""

    def has_room(self, task: str, shape: str) -> bool:
        """Tell whether one more question of this shape keeps the balance, about."""
        share = self.max_shape_fraction * _SHAPE_SLACK * self.by_task[task]
        return self.by_shape[task, shape] < max(_MIN_PER_SHAPE, share)

    def has_enough_of(self, answer: str) -> bool:
        """Tell whether one more yes (or no) would make it the better guess."""
        other = _VERDICTS.get(answer)
        return other is not None and self.by_verdict[answer] > self.by_verdict[other]

    def add(self, task: str, shape: str, program: str, answer: str) -> None:
        """Count a question."""
        if answer in _VERDICTS:
            self.by_verdict[answer] += 1
        self.by_task[task] += 1
        self.by_shape[task, shape] += 1
        self.programs.add(program)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A context to ask about, with what examples record of it."""

    assembled: Assembled
    """The context."""
    split: Split
    """Its split."""
    held_out: frozenset[str]
    """Its held-out documents; a held-out question must end in one of them."""
    num_fixed_tokens: Mapping[TaskType, int]
    """Tokens of a prompt without context and question."""

    @property
    def cut_genres(self) -> frozenset[str]:
        """Genres of the documents that are not shown whole."""
        return frozenset(
            placed.entry.document.genre for placed in self.assembled.placed if not placed.is_whole
        )


def ask(
    asked: Asked,
    opinion: SecondOpinion,
    *,
    num_questions: int,
    weights: TaskWeights,
    counter: TokenCounter,
    tally: Tally,
    rng: Random,
) -> list[Example]:
    """Return up to `num_questions` checked questions about one context."""
    documents = {placed.entry.doc_id: placed.entry.document for placed in asked.assembled.placed}
    setting = Setting(world=World(asked.assembled.facts_by_document), documents=documents)
    limit = max(1, int(num_questions * _MAX_TASK_FRACTION))
    num_drafts = limit * _DRAFTS_PER_QUESTION
    waiting = {
        task: (
            example
            for draft in drafts
            if (example := _try(draft, asked, setting, counter, tally)) is not None
        )
        for task, drafts in _drafts_by_task(setting, num_drafts, rng).items()
        if weights.weight_of(task)
    }
    examples: list[Example] = []
    for _ in range(limit):  # one of each task in turn, so that no task crowds out another
        for task in list(waiting):
            example = next(waiting[task], None)
            if example is None:
                del waiting[task]
            elif len(examples) < num_questions:
                examples.append(example)
    return _confirmed(examples, opinion, setting, tally)


def _confirmed(
    examples: Sequence[Example], opinion: SecondOpinion, setting: Setting, tally: Tally
) -> list[Example]:
    """Return the examples without those whose numbers SQL answers otherwise."""
    claims = [
        Claim(program=read_program(example.program), answer=example.answer) for example in examples
    ]
    reasons = opinion.disagreements(claims, setting.world, setting.documents)
    for place in reasons:
        tally.refused[f"{examples[place].task_type}/{Refusal.SECOND_OPINION}"] += 1
    return [example for place, example in enumerate(examples) if place not in reasons]


def _drafts_by_task(setting: Setting, num_drafts: int, rng: Random) -> dict[TaskType, list[Draft]]:
    """Draw a bounded number of drafts of each generator and sort them by task."""
    by_task: dict[TaskType, list[Draft]] = {task: [] for task in TaskType}
    for name in sorted(GENERATORS):
        drafts: Iterator[Draft] = GENERATORS[name](setting, Random(rng.random()))
        for draft in islice(drafts, num_drafts):
            by_task[draft.task_type].append(draft)
    for drawn in by_task.values():
        rng.shuffle(drawn)
    return by_task


def _try(
    draft: Draft, asked: Asked, setting: Setting, counter: TokenCounter, tally: Tally
) -> Example | None:
    task = draft.task_type.value
    program = to_json(draft.program)
    shape = shape_of(draft.program)
    reason = _unasked(draft, program, shape, tally)
    if reason:
        tally.refused[f"{task}/{reason}"] += 1
        return None
    checked = check_draft(draft, setting.world, setting.documents)
    if isinstance(checked, Refusal):
        tally.refused[f"{task}/{checked}"] += 1
        return None
    reason = _unfit(checked, asked, program)
    if reason:
        tally.refused[f"{task}/{reason}"] += 1
        return None
    tally.add(task, shape, program, draft.answer)
    return example_of(checked, asked, setting, counter, program, shape)


def _unasked(draft: Draft, program: str, shape: str, tally: Tally) -> str:
    """Say why a draft is not even executed; empty if it is."""
    if program in tally.programs:
        return Refusal.REPEATED
    if not tally.has_room(draft.task_type.value, shape):
        return "shape_has_enough"
    if CONTEXT_SLOT in draft.question:
        return "spells_the_slot"  # the document would be put into the question
    if tally.has_enough_of(draft.answer):
        return "yes_or_no_out_of_balance"
    return ""


def _unfit(checked: Checked, asked: Asked, program: str) -> str:
    """Say why a draft that holds is not asked on this context; empty if it is."""
    if asked.split is Split.HELD_OUT and checked.evidence[-1].doc_id not in asked.held_out:
        return "not_held_out"
    if any(mark in program for mark in _CLAIMS_ALL):
        genres = {
            placed.entry.document.genre
            for placed in asked.assembled.placed
            if placed.entry.doc_id in checked.gold
        }
        if genres & asked.cut_genres:
            return "another_document_is_cut"
    return ""


def example_of(
    checked: Checked,
    asked: Asked,
    setting: Setting,
    counter: TokenCounter,
    program: str,
    shape: str,
) -> Example:
    """Return the example of a checked draft."""
    draft = checked.draft
    context = asked.assembled.context
    evidence = place_evidence(context, checked.evidence)
    shown = [placed.entry.document for placed in asked.assembled.placed]
    gold = [setting.documents[doc_id] for doc_id in checked.gold]
    num_context_tokens = asked.assembled.num_tokens
    num_question_tokens = int(counter.measure(draft.question)) + 1
    return Example(
        example_id=example_id_of(context.context_id, draft.question, draft.answer),
        task_type=draft.task_type,
        ability=draft.ability,
        context_id=context.context_id,
        question=draft.question,
        answer=draft.answer,
        reward_rule=draft.reward_rule,
        program=program,
        evidence=evidence,
        num_context_tokens=num_context_tokens,
        num_prompt_tokens=(
            num_context_tokens + num_question_tokens + asked.num_fixed_tokens[draft.task_type]
        ),
        split=asked.split,
        licences=tuple(dict.fromkeys(document.licence for document in shown)),
        provenance=tuple(dict.fromkeys(document.source for document in shown)),
        num_hops=draft.num_hops,
        gold_documents=tuple(document.title for document in gold),
        genres=tuple(dict.fromkeys(document.genre for document in gold)),
        shape=shape,
        depths=tuple(round(span.context_start / max(1, len(context.text)), 4) for span in evidence),
    )


def place_evidence(context: Context, facts: tuple[Fact, ...]) -> tuple[Evidence, ...]:
    """Return where each fact is stated in the context.

    Raises:
        KeyError: a fact is not shown.
    """
    placed = []
    for fact in facts:
        shift = _shift(context, fact)
        placed.append(
            Evidence(
                doc_id=fact.doc_id,
                doc_start=fact.start,
                doc_end=fact.end,
                context_start=fact.start + shift,
                context_end=fact.end + shift,
            )
        )
    return tuple(placed)


def _shift(context: Context, fact: Fact) -> int:
    for part in context.parts:
        if part.doc_id == fact.doc_id and part.doc_start <= fact.start < part.doc_end:
            return part.context_start - part.doc_start
    raise KeyError(f"{fact} is not in context {context.context_id}")
