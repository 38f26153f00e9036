"""What every generator yields."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random

from longloom.records import Document, RewardRule, TaskType
from longloom.synthesis.programs.node import Program
from longloom.synthesis.programs.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A question on a context, not yet checked."""

    task_type: TaskType
    """Task type of the example."""
    ability: str
    """Question category: multi_fact, temporal, comparison, aggregation, counterfactual, ..."""
    question: str
    """The question, with lettered options, one per line, for multiple choice; it ends with how to
    answer where that is not plain (`Give the year.`, `Round to two decimals.`)."""
    program: Program
    """The program whose only answer on the context is the ground truth."""
    answer: str
    """The ground truth as a reader would write it; `program`'s only answer."""
    reward_rule: RewardRule
    """How answers are scored."""
    num_hops: int
    """Steps from what the question names to the answer; 1 for a look-up."""
    min_documents: int = 1
    """Documents that must be necessary, each by itself, for the draft to be kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a generator may look at."""

    world: World
    """The facts of the context."""
    documents: Mapping[str, Document]
    """Its documents by id, for titles, genres and texts."""


Generator = Callable[[Setting, Random], Iterator[Draft]]
"""Yields drafts in an order drawn from the stream, likely ones first and of many shapes; ends when
the context holds no more. Deterministic: nothing depends on hash order."""
