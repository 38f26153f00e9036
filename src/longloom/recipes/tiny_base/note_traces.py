"""Note-taking to learn from: one update of the memory agent's state.

A case is an example whose evidence is read section by section. An update starts from some notes
already taken, sees a section that may or may not hold the next evidence, and writes the new notes
and what to look for next. A chain's later evidence is only recognised once the earlier is known.
"""

import random
from dataclasses import dataclass

from longloom.memory import MemoryState
from longloom.recipes.tiny_base.answers import answer_sentence, evidence_lines, plausible_answers
from longloom.records import Context, Example, TaskType
from longloom.text.prompts import EMPTY_MEMORY
from longloom.text.tokenizer import Tokenizer

FIRST_SECTION_FRACTION = 0.6
"""Share of updates without earlier notes that have no plan yet either."""
DROP_HABIT = 0.10
"""Share of habitual updates that drop the earlier notes."""
OVERLOOK_HABIT = 0.08
"""Share of habitual updates that do not note what they found."""
MALFORMED_HABIT = 0.06
"""Share of habitual updates that answer instead of taking notes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteCase:
    """An example prepared for note-taking."""

    question: str
    """The question."""
    answer: str
    """Its answer."""
    sentence: str
    """The words before the answer."""
    lines: tuple[str, ...]
    """Evidence statements in order."""
    guesses: tuple[str, ...]
    """Plausible answers."""
    is_chain: bool
    """Whether later evidence can only be recognised after the earlier."""
    passages: tuple[str, ...]
    """The context in pieces that are never cut."""
    passage_tokens: tuple[int, ...]
    """Tokens of each piece."""


def note_case(example: Example, context: Context, tokenizer: Tokenizer) -> NoteCase:
    """Prepare an example of a task with evidence."""
    passages = tuple(
        context.text[part.context_start : part.context_start + part.doc_end - part.doc_start]
        for part in context.parts
    )
    return NoteCase(
        question=example.question,
        answer=example.answer,
        sentence=answer_sentence(example.task_type),
        lines=tuple(evidence_lines(example, context)),
        guesses=tuple(plausible_answers(example, context)),
        is_chain=example.task_type is not TaskType.NUMERICAL,
        passages=passages,
        passage_tokens=tuple(len(tokenizer.encode(passage)) + 1 for passage in passages),
    )


def update_trace(
    case: NoteCase, randomness: random.Random, *, max_section_tokens: int, is_habitual: bool
) -> tuple[MemoryState, str, str]:
    """Return the state before, the section, and the response to learn."""
    known = case.lines[: randomness.randint(0, len(case.lines))]
    if not case.is_chain and len(known) == 1:
        known = (randomness.choice(case.lines),)
    section = _section(case, known, randomness, max_section_tokens)
    stated = set(section.split("\n"))
    noted = list(known)
    for line in case.lines:
        if line in noted:
            continue
        if line in stated:
            noted.append(line)
        elif case.is_chain:
            break
    found = [line for line in noted if line not in known]
    previous = _state(case, known)
    if not known and randomness.random() < FIRST_SECTION_FRACTION:
        previous = MemoryState()
    roll = randomness.random() if is_habitual else 1.0
    if roll < DROP_HABIT:
        noted = found
    elif roll < DROP_HABIT + OVERLOOK_HABIT:
        found, noted = [], list(known)
    elif roll < DROP_HABIT + OVERLOOK_HABIT + MALFORMED_HABIT:
        guess = randomness.choice(case.guesses)
        return previous, section, f"</think>\n\n{case.sentence} {guess}"
    return previous, section, _written(found, _state(case, noted))


def _section(
    case: NoteCase, known: tuple[str, ...], randomness: random.Random, max_tokens: int
) -> str:
    """Return passages without the known evidence; each other evidence is in by even chance."""
    wanted, fillers = [], []
    for index, passage in enumerate(case.passages):
        stated = passage.split("\n")
        if any(line in stated for line in known):
            continue
        if any(line in stated for line in case.lines):
            if randomness.random() < 0.5:
                wanted.append(index)
        else:
            fillers.append(index)
    randomness.shuffle(fillers)
    chosen, num_tokens = set(wanted), sum(case.passage_tokens[index] for index in wanted)
    limit = randomness.randint(max_tokens // 3, max_tokens)
    for index in fillers:
        if num_tokens + case.passage_tokens[index] <= limit:
            chosen.add(index)
            num_tokens += case.passage_tokens[index]
    order = sorted(chosen)
    randomness.shuffle(order)
    if case.is_chain:  # the agent reads one way: keep the order of what it is to find
        places = sorted(order.index(index) for index in wanted)
        for place, index in zip(places, _in_evidence_order(case, wanted), strict=True):
            order[place] = index
    return "\n\n".join(case.passages[index] for index in order)


def _in_evidence_order(case: NoteCase, wanted: list[int]) -> list[int]:
    def first_line(index: int) -> int:
        stated = case.passages[index].split("\n")
        return min(place for place, line in enumerate(case.lines) if line in stated)

    return sorted(wanted, key=first_line)


def _state(case: NoteCase, noted: tuple[str, ...] | list[str]) -> MemoryState:
    missing = next((line for line in case.lines if line not in noted), "")
    return MemoryState(
        memory="\n".join(noted) or EMPTY_MEMORY,
        plan=missing.rpartition(" ")[0] or EMPTY_MEMORY,
    )


def _written(found: list[str], state: MemoryState) -> str:
    """Return a response that states what the section holds, then all notes and the plan."""
    thinking = "\n".join(found)
    return f"{thinking}</think><memory>{state.memory}</memory><plan>{state.plan}</plan>"
