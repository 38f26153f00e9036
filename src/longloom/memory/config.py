"""How the memory agent reads."""

from typing import Literal, Self

from pydantic import NonNegativeInt, PositiveInt, model_validator

from longloom.config import FrozenConfig
from longloom.text.prompts import prompt_version


class MemoryConfig(FrozenConfig):
    """How the memory agent reads (QwenLong-L1.5, section 4.1, Fig. 6: chunk 32K, memory 15K).

    The paper's trajectories hold one call for each section and one for the answer. Recipes that
    train set `num_repairs` to 0 and `overflow` to `cut` or `keep`, so that theirs do too; whoever
    reads for a user keeps the defaults.
    """

    chunk_tokens: PositiveInt = 32_000
    """Most tokens of a section; fewer are read where the window leaves no room for them."""
    memory_tokens: PositiveInt = 15_000
    """Most tokens of memory and plan together (the paper: 15K; as a cap on what an update writes,
    which is inferred)."""
    thinking_tokens: NonNegativeInt = 0
    """Room that an update has for thinking on top of `memory_tokens`. With 0 the thinking comes out
    of `memory_tokens`; with more, an update cut off before its thinking ended is not used."""
    wording: Literal["full", "compact"] = "full"
    """`compact` leaves out the instructions, for models too small to read them."""
    decomposition: Literal["off", "rules", "model"] = "rules"
    """How a question is split into its core and the form of its answer: not at all, by rules, or by
    one call of the model where the rules cannot decide."""
    answer_form: Literal["stated", "free"] = "stated"
    """Whether the last prompt asks for `Therefore, the answer is ...`, by which answers are scored,
    where the question says nothing of its form. The compact wording never asks."""
    num_repairs: NonNegativeInt = 1
    """How often a section is asked again after a reply that held no usable memory."""
    overflow: Literal["compress", "cut", "keep"] = "compress"
    """What happens to memory and plan of more than `memory_tokens`: one call that shortens them,
    then a cut after an entry; the cut alone; nothing."""
    citations: bool = False
    """Whether the answer is traced back to places in the document."""
    segments: PositiveInt = 1
    """So many readers read equal parts of the document at the same time; one call then merges their
    memories. Not in the paper."""
    early_stop: bool = False
    """Whether an update may end the reading. Not in the paper."""
    recall: bool = False
    """Whether an update may ask for notes of an earlier memory. Not in the paper."""
    section_first: bool = False
    """Whether the section stands before problem and memory, so that a server keeps it for other
    questions about the document. Not in the paper; a model should be trained to it."""

    @property
    def update_tokens(self) -> int:
        """Most tokens an update may write: thinking, memory and plan."""
        return self.memory_tokens + self.thinking_tokens

    @property
    def prompt_variant(self) -> str:
        """The version of the prompts with every option beyond the paper, for keys and results."""
        options = [
            name for name in ("early_stop", "recall", "section_first") if getattr(self, name)
        ]
        if self.segments > 1:
            options.append(f"segments={self.segments}")
        return "+".join([f"{prompt_version()}/{self.wording}", *options])

    @model_validator(mode="after")
    def _options_need_instructions(self) -> Self:
        _, *options = self.prompt_variant.split("+")
        if options and self.wording == "compact":
            raise ValueError(
                f"wording is 'compact' and {', '.join(options)} is on, but compact prompts cannot "
                "ask for it; set wording=full"
            )
        return self
