"""What a scorer says of one answer, and what a judge says of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from longloom.rewards.judge import Verdict

_NO_PARTS: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One answer, scored by rules alone, in both modes. Every figure is within [0, 1]."""

    parity: float
    """As the benchmark's own scorer has it, quirk by quirk."""
    strict: float
    """The same with the quirks repaired that reward wrong answers or punish right ones."""
    parts: Mapping[str, float] = field(default_factory=lambda: _NO_PARTS)
    """Measures reported beside it: `exact_match`, `cover_exact_match`, `f1`, ..."""
    is_decided: bool = False
    """Whether strict mode needs no judge: rules alone tell right from wrong."""
    extracted: str | None = None
    """What was taken as the answer in strict mode; None if there was none."""
    parity_extracted: str | None = None
    """What the benchmark's own scorer takes as the answer; None if it finds none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgePrompt:
    """What a judge is asked about one answer."""

    user: str
    """The message."""
    system: str = ""
    """The system message; empty for none."""
    max_new_tokens: int = 4_096
    """Its reply is cut here, reasoning included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeVerdict:
    """How a judge's reply is read."""

    parity: bool
    """Whether the benchmark's own rule takes it as a yes."""
    strict: Verdict
    """Yes, no, or unclear, which is counted apart and never right."""
