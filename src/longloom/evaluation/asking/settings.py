"""How a model is asked: limits, sampling, and how hard it may be driven."""

from typing import Literal

from pydantic import Field

from longloom.config import FrozenConfig

DEFAULT_TEMPERATURE = 0.7
DEFAULT_PROMPT_TOKENS = 128_000
DEFAULT_NEW_TOKENS = 50_000
"""QwenLong-L1.5, section 5.1: for benchmarks that state nothing themselves."""


class AskingConfig(FrozenConfig):
    """Settings of an evaluation.

    What is null is the benchmark's own, or else the paper's (QwenLong-L1.5, section 5.1); suites
    state the papers'.
    """

    temperature: float | None = Field(default=None, ge=0)
    """Divides the logits; 0 takes the most probable token. Else 0.7."""
    top_p: float = Field(default=0.95, gt=0, le=1)
    """Nucleus mass."""
    max_prompt_tokens: int | None = Field(default=None, ge=1)
    """Longer prompts of a single pass lose their middle. Else 128,000."""
    max_new_tokens: int | None = Field(default=None, ge=1)
    """Answers are cut here, thinking included. Else 50,000; at most a quarter of a window that does
    not hold prompt and answer."""
    num_samples: int | None = Field(default=None, ge=1)
    """Answers per question (avg@k, pass@k); the benchmark's own number if not given."""
    max_questions: int | None = Field(default=None, ge=1)
    """Ask so many questions of each benchmark, chosen by the seed and spread over its tasks."""
    seed: int = 0
    """Seed of sampling, and of what is generated or chosen."""
    long_prompts: Literal["cut", "fail"] = "cut"
    """Whether prompts that are too long for a single pass lose their middle, or are not asked and
    count as failed."""
    outages: Literal["stop", "fail"] = "stop"
    """Whether a server that answers nothing any more ends the run, to be taken up again, or the
    questions fail."""
    thinking_tokens: int = Field(default=0, ge=0)
    """Room for thinking beyond a benchmark's own limit of the answer (32 tokens in RULER's tasks),
    for models that think."""
    thinking: Literal["auto", "always", "never"] = "auto"
    """Whether an answer without the end of thinking is unfinished. `auto`: if other answers of the
    run have one, and this one was cut; or if it begins one. `never`: tags of thinking are text."""
    concurrency: int = Field(default=32, ge=1)
    """Questions that are answered at a time."""
    max_tokens_in_flight: int | None = Field(default=None, ge=1)
    """Tokens of prompts and answers that may be under way together; a larger call runs alone."""
    prompt_price: float = Field(default=0.0, ge=0)
    """Price of a million prompt tokens, for the cost that is shown."""
    answer_price: float = Field(default=0.0, ge=0)
    """Price of a million written tokens."""
