"""What a model is asked for during synthesis, and how much of it.

Everything here costs calls, so everything has a limit. Which uses are on is one group of switches;
how each use works is the configuration of its runner.
"""

from typing import Self

from pydantic import Field, model_validator

from longloom.config import FrozenConfig
from longloom.models.endpoint.config import EndpointConfig
from longloom.synthesis.endpoint.attempts import AttemptConfig
from longloom.synthesis.endpoint.closed_book import ClosedBookConfig
from longloom.synthesis.endpoint.nl2sql import Nl2SqlConfig
from longloom.synthesis.endpoint.quality_judge import QualityConfig
from longloom.synthesis.endpoint.rewriting import RewriteConfig
from longloom.synthesis.endpoint.schema_extraction import SchemaConfig
from longloom.synthesis.endpoint.selfplay_records import SelfplayConfig
from longloom.synthesis.endpoint.selfplay_roles import CATEGORIES
from longloom.synthesis.endpoint.triples import TripleConfig


class EndpointUses(FrozenConfig):
    """Which uses are on."""

    judge_documents: bool = True
    """Whether a model scores documents and low ones are dropped."""
    extract_triples: bool = True
    """Whether facts are taken from prose."""
    self_play: bool = True
    """Whether questions are proposed, solved and verified over clusters of documents."""
    tables: bool = True
    """Whether questions over tables are written and translated into SQL."""
    closed_book: bool = True
    """Whether questions that are answered without documents are dropped."""
    robustness: bool = True
    """Whether questions that are never answered in their context are dropped."""
    difficulty: bool = False
    """Whether as many questions are drawn from every bin of difficulty; only measured questions
    are written then."""
    rewriting: bool = False
    """Whether questions made from templates are reworded."""


class EndpointLimits(FrozenConfig):
    """How much each use may take; what is beyond a limit is left as it is and counted."""

    max_judged_documents: int = Field(default=2_000, ge=0)
    """Documents that are judged."""
    max_triple_documents: int = Field(default=200, ge=0)
    """Documents whose prose is read for facts."""
    max_triple_characters: int = Field(default=60_000, ge=200)
    """Longer documents are not read for facts."""
    max_schema_documents: int = Field(default=200, ge=0)
    """Documents that `table_fields` are filled from."""
    max_clusters: int = Field(default=40, ge=0)
    """Clusters that questions are proposed over."""
    documents_per_cluster: int = Field(default=8, ge=2)
    """Documents in a cluster."""
    max_cluster_tokens: int = Field(default=24_000, ge=500)
    """Tokens of a cluster; longer documents stand in it with a run of their blocks."""
    max_table_contexts: int = Field(default=40, ge=0)
    """Contexts whose facts are put into a table to be asked about."""
    max_checked_questions: int = Field(default=1_000, ge=0)
    """Questions that are checked, measured or reworded."""


class EndpointSynthesisConfig(FrozenConfig):
    """The part of synthesis that asks a model."""

    connection: EndpointConfig
    """The model."""
    second: EndpointConfig | None = None
    """Another model: it solves and verifies what the first proposes, and reads tables and
    translates into SQL beside it. The first does all if none is given."""
    uses: EndpointUses = EndpointUses()
    """Which uses are on."""
    limits: EndpointLimits = EndpointLimits()
    """How much each use may take."""
    quality: QualityConfig = QualityConfig()
    """How documents are judged."""
    triples: TripleConfig = TripleConfig()
    """How prose is read for facts."""
    table_genre: str = ""
    """Genre whose documents are the rows of `table_fields`."""
    table_fields: dict[str, str] = Field(default_factory=dict)
    """Columns to be filled by an ensemble: name, and what stands in it."""
    schema_extraction: SchemaConfig = SchemaConfig()
    """How the ensemble reads."""
    nl2sql: Nl2SqlConfig = Nl2SqlConfig()
    """How questions over tables are made."""
    self_play: SelfplayConfig = SelfplayConfig()
    """How questions evolve."""
    categories: tuple[str, ...] = tuple(CATEGORIES)
    """Kinds of questions that are proposed."""
    closed_book: ClosedBookConfig = ClosedBookConfig()
    """How knowledge grounding is checked."""
    robustness: AttemptConfig = AttemptConfig()
    """How robustness is checked."""
    difficulty: AttemptConfig = AttemptConfig(num_samples=8)
    """How difficulty is measured."""
    num_difficulty_bins: int = Field(default=4, ge=1)
    """Bins of difficulty."""
    rewriting: RewriteConfig = RewriteConfig()
    """How questions are reworded."""

    @model_validator(mode="after")
    def _categories_exist(self) -> Self:
        unknown = sorted(set(self.categories) - set(CATEGORIES))
        if unknown:
            raise ValueError(
                f"categories has {unknown[0]!r}; expected some of {', '.join(CATEGORIES)}"
            )
        return self

    @model_validator(mode="after")
    def _fields_have_a_genre(self) -> Self:
        if bool(self.table_genre) != bool(self.table_fields):
            raise ValueError(
                f"table_genre is {self.table_genre!r} and table_fields {self.table_fields}; "
                "expected both or neither"
            )
        bad = [name for name in self.table_fields if not (name.isidentifier() and name.isascii())]
        if bad:
            raise ValueError(f"table_fields has {bad[0]!r}; expected names such as net_income")
        return self

    @property
    def other(self) -> EndpointConfig:
        """The second model, or the first where there is none."""
        return self.second or self.connection
