"""Settings of synthesis."""

from typing import Literal, Self

from pydantic import Field, model_validator

from longloom.config import FrozenConfig
from longloom.synthesis.endpoint.config import EndpointSynthesisConfig
from longloom.synthesis.mixes import MIXES
from longloom.synthesis.task_weights import TaskWeights

MixName = Literal["qwenlong-l15", "docqa-rl", "uniform"]
"""Names of the mixes of lengths and kinds; see `mixes.py`."""


class CurationConfig(FrozenConfig):
    """Which documents are kept."""

    languages: tuple[str, ...] = ("en",)
    """Languages kept; empty keeps all. Tables and code are not asked."""
    min_document_tokens: int = Field(default=30, ge=0)
    """Shorter documents are dropped."""
    max_document_characters: int = Field(default=20_000_000, ge=1)
    """Longer documents are dropped."""
    duplicate_similarity: float = Field(default=0.8, gt=0, le=1)
    """Documents whose shingles have at least this Jaccard similarity count as one (SPELL, 4.1)."""
    distractor_similarity: float = Field(default=0.5, gt=0, le=1)
    """Two documents at least this similar never stand in one context."""


class SynthesisConfig(FrozenConfig):
    """What documents questions are made from, how many, and how long their contexts are."""

    documents: tuple[str, ...] = ("builtin",)
    """Folders and files, or `builtin`."""
    num_examples: int = Field(default=12_000, ge=1)
    """Questions to make at most, all tasks together; 1,600 if the mix is `docqa-rl`."""
    mix: MixName = "qwenlong-l15"
    """Lengths of contexts, and for `docqa-rl` kinds of questions."""
    max_context_tokens: int = Field(default=119_000, ge=500)
    """Longest context; 119,932 tokens is the paper's longest prompt (Table 1)."""
    min_context_tokens: int = Field(default=1_000, ge=100)
    """Shortest context."""
    questions_per_context: int = Field(default=16, ge=1)
    """Questions asked about one context at most."""
    task_weights: TaskWeights = TaskWeights()
    """Share of each task type; the paper's batches hold equal shares."""
    max_shape_fraction: float = Field(default=0.05, gt=0, le=1)
    """Largest share of one program shape within its task type."""
    held_out_fraction: float = Field(default=0.1, ge=0, lt=1)
    """Fraction of documents that never stand in training contexts."""
    curation: CurationConfig = CurationConfig()
    """Which documents are kept."""
    decontaminate_against: tuple[str, ...] = ()
    """Benchmark files and folders; what overlaps with them is dropped."""
    twin_fraction: float = Field(default=0.0, ge=0, le=1)
    """Fraction of the contexts whose questions also get pseudonymised twins, in OUT/twins."""
    max_file_bytes: int = Field(default=100_000_000, ge=1)
    """Larger files are not read."""
    file_seconds: float = Field(default=60.0, ge=1)
    """A file that takes longer to read is given up."""
    endpoint: EndpointSynthesisConfig | None = None
    """The model that may be asked; None asks none."""
    template: str = "l1"
    """Single-pass template of the prompt file."""
    seed: int = 0
    """Everything is drawn from this seed."""

    @model_validator(mode="before")
    @classmethod
    def _number_of_the_mix(cls, settings: object) -> object:
        """Take the number of questions from the mix if only the mix is given."""
        if not isinstance(settings, dict) or "num_examples" in settings:
            return settings
        mix = MIXES.get(str(settings.get("mix")))
        return settings if mix is None else {**settings, "num_examples": mix.num_examples}

    @model_validator(mode="after")
    def _lengths_grow(self) -> Self:
        if self.min_context_tokens > self.max_context_tokens:
            raise ValueError(
                f"min_context_tokens is {self.min_context_tokens} and max_context_tokens "
                f"{self.max_context_tokens}; expected the first to be the smaller"
            )
        return self
