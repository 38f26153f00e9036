"""Settings of the advantages; see `advantages`.

Apart from what reads it, so that settings are known without loading torch.
"""

from typing import Literal

from pydantic import Field

from longloom.config import FrozenConfig

AdvantageKind = Literal["batch_std", "group_std", "mean_only", "task_std"]


class AdvantageConfig(FrozenConfig):
    """How advantages are computed."""

    kind: AdvantageKind = "task_std"
    """What the centred rewards are divided by."""
    epsilon: float = Field(default=1e-6, gt=0)
    """Added to the standard deviation."""
