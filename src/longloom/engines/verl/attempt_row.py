"""What a row of verl's batch says of the rollouts to make: a line of JSON that every part reads."""

import json
from dataclasses import asdict, dataclass

from longloom.records import SamplingParams

COLUMN = "attempt"
"""The row's field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """The rollouts of one prompt."""

    example_id: str
    """What is asked."""
    policy_version: int
    """Optimizer steps the policy had taken."""
    key: str
    """Prefix of the random streams: seed, stage and step."""
    params: SamplingParams
    """How answers are drawn."""

    def to_json(self) -> str:
        """Return it as a line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> "AttemptRow":
        """Return what `to_json` wrote."""
        written = json.loads(line)
        return cls(**{**written, "params": SamplingParams(**written["params"])})
