"""Settings of YaRN; see `rotary`.

Apart from what reads it, so that settings are known without loading torch.
"""

from pydantic import Field, PositiveInt

from longloom.config import FrozenConfig


class YarnConfig(FrozenConfig):
    """YaRN: a longer window without training (Qwen's model cards; QwenLong-L1.5 evaluates at it).

    Defaults take Qwen3 and Qwen2.5 from 32,768 to 131,072 tokens.
    """

    factor: float = Field(default=4.0, gt=1)
    """How many times longer the window becomes."""
    original_window_tokens: PositiveInt = 32_768
    """The window the model was trained with."""

    @property
    def window_tokens(self) -> int:
        """The longer window."""
        return int(self.factor * self.original_window_tokens)
