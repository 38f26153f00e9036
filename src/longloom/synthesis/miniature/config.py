"""Settings of synthesis."""

from itertools import pairwise

from pydantic import Field, field_validator

from longloom.config import FrozenConfig
from longloom.synthesis.task_weights import TaskWeights


class MiniatureConfig(FrozenConfig):
    """What documents questions are made from, how many, and how long their prompts are."""

    documents: str = "builtin"
    """`builtin`, a folder or a file of .py .md .rst .txt .html .csv."""
    num_train_examples: int = Field(default=1000, ge=0)
    """Training examples per length band, all tasks together."""
    num_held_out_examples: int = Field(default=150, ge=0)
    """Held-out examples per length band, all tasks together."""
    length_bands: tuple[int, ...] = (96, 192, 384)
    """Largest prompt of each band in tokens; the paper's are 20000, 60000, 120000."""
    min_filled_fraction: float = Field(default=0.75, gt=0, lt=1)
    """A prompt holds more than this fraction of its band's tokens."""
    held_out_fraction: float = Field(default=0.25, gt=0, lt=1)
    """Fraction of documents whose facts are never asked in training nor shown there."""
    task_weights: TaskWeights = TaskWeights()
    """Share of each task type; the paper's batches hold equal shares."""
    max_name_tokens: int | None = Field(default=None, ge=1)
    """Names and values in questions and answers have at most so many tokens. Not given: 1 for the
    builtin documents, whose names a tiny vocabulary knows, and 6 for others."""
    max_block_tokens: int = Field(default=32, ge=4)
    """Blocks that are longer are not placed in contexts."""
    prose_fraction: float = Field(default=0.0, ge=0, le=0.9)
    """Fraction of the distractor blocks that are prose instead of statements."""
    max_questions_per_answer: int = Field(default=20, ge=1)
    """Contexts one program may be asked on within a split and band."""
    max_hops: int = Field(default=3, ge=2, le=3)
    """Longest chain of a multi-hop question."""
    max_choice_hops: int = Field(default=2, ge=1, le=2)
    """Longest chain of a multiple-choice question."""
    template: str = "plain"
    """Single-pass template of the prompt file."""
    seed: int = 0
    """Everything is drawn from this seed."""

    @property
    def longest_name_tokens(self) -> int:
        """Return `max_name_tokens`, or what it stands for if it is not given."""
        if self.max_name_tokens is not None:
            return self.max_name_tokens
        return 1 if self.documents == "builtin" else 6

    @field_validator("length_bands")
    @classmethod
    def _bands_grow(cls, bands: tuple[int, ...]) -> tuple[int, ...]:
        pairs = pairwise(bands)
        if not bands or bands[0] < 1 or any(longer <= shorter for shorter, longer in pairs):
            raise ValueError(
                f"length_bands is {list(bands)}; expected growing token limits such as 96,192,384"
            )
        return bands
