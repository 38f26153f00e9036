"""Questions with their contexts, evidence and programs."""

from dataclasses import dataclass
from enum import StrEnum


class TaskType(StrEnum):
    """The paper's five task types (QwenLong-L1.5, section 4.2)."""

    DIALOGUE_MEMORY = "dialogue_memory"
    MULTI_HOP = "multi_hop"
    MULTIPLE_CHOICE = "multiple_choice"
    NUMERICAL = "numerical"
    READING_COMPREHENSION = "reading_comprehension"


class Split(StrEnum):
    """Which part of a corpus an example belongs to."""

    TRAIN = "train"
    HELD_OUT = "held_out"


class RewardRule(StrEnum):
    """How an answer is scored against the ground truth (QwenLong-L1.5, section 5.1)."""

    CHOICE = "choice"
    COVER_EXACT_MATCH = "cover_exact_match"
    NUMERIC = "numeric"
    SEQUENCE_MATCH = "sequence_match"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextPart:
    """A piece of a document placed in a context; the text is copied unchanged."""

    doc_id: str
    """The document it comes from."""
    doc_start: int
    """First character, in document coordinates."""
    doc_end: int
    """One past the last character, in document coordinates."""
    context_start: int
    """Where that first character stands in the context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The text a question is asked about: pieces of several documents in order."""

    context_id: str
    """Hex digest of the text."""
    text: str
    """The text as the model sees it."""
    parts: tuple[ContextPart, ...]
    """The pieces in order; text between them is layout (blank lines, speakers)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A statement the answer rests on, in document and in context coordinates."""

    doc_id: str
    """The document that states it."""
    doc_start: int
    """First character, in document coordinates."""
    doc_end: int
    """One past the last character, in document coordinates."""
    context_start: int
    """First character, in context coordinates."""
    context_end: int
    """One past the last character, in context coordinates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One verified question. The context is referenced by hash and stored once."""

    example_id: str
    """Hex digest of context, question and answer."""
    task_type: TaskType
    """Written as verl's `data_source`."""
    ability: str
    """Question category: multi_fact, aggregation, comparison, recall, ..."""
    context_id: str
    """The context it is asked about."""
    question: str
    """The question; for multiple choice with its lettered options, one per line."""
    answer: str
    """Ground truth: the letter for multiple choice, the verbatim reply for dialogues."""
    reward_rule: RewardRule
    """How answers are scored."""
    program: str
    """JSON of the program whose execution on the context gives the answer."""
    evidence: tuple[Evidence, ...]
    """The statements used, in the order in which the program uses them."""
    num_context_tokens: int
    """Length of the context by the tokenizer named in the data card."""
    num_prompt_tokens: int
    """Length of the whole prompt by the same tokenizer."""
    split: Split
    """Training or held out."""
    licences: tuple[str, ...]
    """Licences of the documents in the context."""
    provenance: tuple[str, ...]
    """Sources of the documents in the context."""
    num_hops: int = 1
    """Steps from what the question names to the answer."""
    gold_documents: tuple[str, ...] = ()
    """Titles of the documents the answer needs, each by itself."""
    genres: tuple[str, ...] = ()
    """Genres of the gold documents."""
    shape: str = ""
    """The program with its constants removed, as JSON."""
    depths: tuple[float, ...] = ()
    """Where the evidence stands in the context: 0 at its start, 1 at its end."""
