"""What reading documents gives, and how it is written."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from longloom.records import Citation, TokenUsage
from longloom.runlog import atomic_write_text

READING_SCHEMA = {"schema": "longloom.reading", "version": 2}
"""Written into every file of `write_readings`."""

ReadingMode = Literal["single", "memory"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionNote:
    """The state of the memory after one section."""

    section_index: int
    """1 .. number of sections."""
    memory: str
    """The memory."""
    plan: str
    """What to look for next."""
    is_usable: bool
    """False if the update could not be used and the memory stayed as it was."""
    num_tokens: int = 0
    """Tokens of the section."""
    is_resumed: bool = False
    """Whether it was read before and came from the journal."""
    message: str = ""
    """What went wrong, if anything did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A question, how the documents were read, and the answer."""

    question: str
    """The question."""
    documents: tuple[str, ...]
    """Titles of the documents."""
    model: str
    """Name of the model folder, or of the model at an endpoint."""
    mode: ReadingMode
    """In one pass, or section by section."""
    num_document_tokens: int
    """Tokens of all documents."""
    sections: tuple[SectionNote, ...]
    """The memory after each section; empty for a single pass."""
    answer: str
    """The stated answer; empty if the model stated none."""
    response_text: str
    """The whole last response, thinking included where the model runs in this process."""
    citations: tuple[Citation, ...] = ()
    """Where the answer stands; `doc_id` is the title of the document."""
    places: tuple[str, ...] = ()
    """The same for people, as `report.txt, line 12`."""
    usage: TokenUsage = field(default_factory=TokenUsage)
    """What it took; steps that came from the journal took nothing."""
    error: str = ""
    """Why there is no answer; empty if there is one."""


def write_readings(path: Path, readings: Sequence[Reading]) -> None:
    """Write readings as JSON.

    Raises:
        DataError: the file cannot be written.
    """
    content = {**READING_SCHEMA, "readings": [asdict(reading) for reading in readings]}
    atomic_write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
