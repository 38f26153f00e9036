"""The messages of the memory agent, by its configuration and its question."""

from collections.abc import Sequence

from longloom.memory.config import MemoryConfig
from longloom.memory.parsing import COMPLETE, MemoryState
from longloom.memory.query import Query
from longloom.text.prompts import fill_template

ANSWER_FORM = 'Format your response as follows: "Therefore, the answer is (insert answer here)".'
"""Asked for where a question says nothing of the form of its answer; rewards look for it."""


class Messages:
    """Fills the templates for one question."""

    def __init__(self, config: MemoryConfig, query: Query) -> None:
        """Ask `query.core` at every step, and for `query.instructions` at the last alone."""
        self._config = config
        self._query = query
        notes = []
        if config.early_stop:
            notes.append(fill_template("memory_note_early_stop", word=COMPLETE))
        if config.recall:
            notes.append(fill_template("memory_note_recall"))
        # The notes of the paper's prompt are numbered up to 5.
        self._notes = "".join(f"\n{number}. {note}" for number, note in enumerate(notes, 6))

    def update(self, state: MemoryState, section: str, recalled: str = "") -> str:
        """Return the message that shows a section and asks for the memory after it."""
        slots = {
            "question": self._query.core,
            "memory": state.memory,
            "plan": state.plan,
            "section": section,
        }
        if self._config.wording == "compact":
            return fill_template("memory_update_compact", **slots)
        if not self._notes and not self._config.section_first:
            return fill_template("memory_update", **slots)
        name = (
            "memory_update_section_first" if self._config.section_first else "memory_update_noted"
        )
        shown = fill_template("memory_recalled", recalled=recalled) if recalled else ""
        return fill_template(
            name, recalled=f"\n\n{shown}" if shown else "", notes=self._notes, **slots
        )

    def repair(self, update: str, *, was_cut: bool) -> str:
        """Return the message that asks again after a reply to `update` without a usable memory."""
        name = "memory_repair_cut" if was_cut else "memory_repair_form"
        return f"{update}\n\n{fill_template(name, max_tokens=str(self._config.memory_tokens))}"

    def compress(self, state: MemoryState, *, max_tokens: int) -> str:
        """Return the message that asks for a shorter memory and plan."""
        return fill_template(
            "memory_compress",
            question=self._query.core,
            memory=state.memory,
            plan=state.plan,
            max_tokens=str(max_tokens),
        )

    def merge(self, memories: Sequence[str]) -> str:
        """Return the message that asks for one memory of several, in the document's order."""
        return fill_template(
            "memory_merge",
            question=self._query.core,
            num_parts=str(len(memories)),
            memories="\n\n".join(
                fill_template("memory_merge_part", memory=memory) for memory in memories
            ),
            max_tokens=str(self._config.memory_tokens),
        )

    def answer(self, memory: str) -> str:
        """Return the message that asks for the answer; the plan is not shown."""
        question, instructions = self._query.core, self._query.instructions
        if self._config.wording == "compact":
            whole = f"{question}\n\n{instructions}" if instructions else question
            return fill_template("memory_answer_compact", question=whole, memory=memory)
        if not instructions and self._config.answer_form == "stated":
            instructions = ANSWER_FORM
        if not instructions:
            return fill_template("memory_answer_free", question=question, memory=memory)
        return fill_template(
            "memory_answer", question=question, memory=memory, instructions=instructions
        )
