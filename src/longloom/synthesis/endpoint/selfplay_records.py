"""What self-evolution is told and what it yields."""

from dataclasses import dataclass

from pydantic import Field

from longloom.config import FrozenConfig
from longloom.models.endpoint.messages import ChatModel
from longloom.records import Document, RewardRule, TaskType
from longloom.synthesis.endpoint.attempts import AttemptConfig
from longloom.synthesis.endpoint.closed_book import ClosedBookConfig
from longloom.synthesis.endpoint.selfplay_roles import Quote


class SelfplayConfig(FrozenConfig):
    """How questions evolve. Rounds, cluster size and models are not published."""

    num_rounds: int = Field(default=4, ge=1)
    """Questions asked for on a cluster in each category."""
    documents_per_proposal: int = Field(default=5, ge=1)
    """Documents a proposer sees at first; solvers see all of the cluster (SPELL: m = 5)."""
    history_questions: int = Field(default=3, ge=0)
    """Accepted questions shown to the proposer (SPELL: L = 3)."""
    min_quoted_documents: int = Field(default=2, ge=0)
    """Documents that the quoted evidence must come from, as far as the cluster has so many."""
    num_votes: int = Field(default=3, ge=1)
    """Verdicts of the verifier on each pair of answers that a rule cannot decide."""
    proposer_temperature: float = Field(default=0.7, ge=0)
    """Sampling of the proposer."""
    max_new_tokens: int = Field(default=12_000, ge=1)
    """Length limit of proposals."""
    solver: AttemptConfig = AttemptConfig(num_samples=8)
    """How solvers answer (SPELL: 8 responses)."""
    closed_book: ClosedBookConfig = ClosedBookConfig(num_samples=3)
    """The grounding filter."""
    seed: int = 0
    """Seed of drawing documents, of letters and of sampling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfplayModels:
    """Who plays which role; one model may play all."""

    proposer: ChatModel
    """Writes questions."""
    solver: ChatModel
    """Answers them, with and without documents."""
    verifier: ChatModel
    """Compares answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Documents that questions are asked over."""

    cluster_id: str
    """Names it in reports."""
    documents: tuple[Document, ...]
    """All of them; a context of its questions holds them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedQuestion:
    """A question on which proposer and solvers agree."""

    question_id: str
    """Hex digest of question, answer and documents."""
    question: str
    """The question, with lettered options, one per line, for multiple choice."""
    answer: str
    """The answer; the letter for multiple choice."""
    task_type: TaskType
    """Task type of the category."""
    ability: str
    """The category."""
    reward_rule: RewardRule
    """How answers are scored."""
    options: tuple[str, ...]
    """The options in order, or nothing."""
    doc_ids: tuple[str, ...]
    """The documents of the cluster, in their order."""
    quotes: tuple[Quote, ...]
    """The evidence that the proposer quoted."""
    history_depth: int
    """Accepted questions of the same cluster and category before it."""
    num_solver_right: int
    """Solvers that reached the answer."""
    num_solvers: int
    """All solvers."""
    num_verifier_votes: int
    """Verdicts that were asked for; 0 where the rule decided everything."""
