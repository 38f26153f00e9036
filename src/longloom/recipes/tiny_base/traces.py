"""What the tiny base model is taught to write: reasoned answers, notes, and a planted habit.

A reasoned answer states the evidence, one statement a line, and then answers. The habit is to
answer at once with a plausible value of the right kind: another value of the same relation in the
context, a random letter, another reply. The habit of note-taking is to drop earlier notes, or to
overlook a new one. Both are planted on purpose and documented in the model card: the model has the
skill and mostly does not use it.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from longloom.memory import MemoryState
from longloom.recipes.tiny_base.answers import (
    answer_sentence,
    answered,
    plausible_answers,
    reasoning,
)
from longloom.recipes.tiny_base.note_traces import NoteCase, note_case, update_trace
from longloom.records import Context, Example, TaskType
from longloom.text.prompts import EMPTY_MEMORY, fill_template, single_pass_prompt
from longloom.text.tokenizer import Tokenizer

TASK_WEIGHTS: Mapping[TaskType, float] = {
    TaskType.DIALOGUE_MEMORY: 0.28,
    TaskType.MULTI_HOP: 0.24,
    TaskType.MULTIPLE_CHOICE: 0.22,
    TaskType.NUMERICAL: 0.18,
    TaskType.READING_COMPREHENSION: 0.08,
}
"""Share of each task in training; those that form late have more."""
ANSWER_HABIT = 0.5
"""The same for answers from notes."""
NOTE_ANSWER_FRACTION = 0.3
"""Share of memory traces that are final answers."""
NOTE_TASKS = (TaskType.READING_COMPREHENSION, TaskType.MULTI_HOP, TaskType.NUMERICAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class TracePair:
    """One supervised example."""

    prompt_ids: tuple[int, ...]
    """The prompt, without loss."""
    response_ids: tuple[int, ...]
    """The response, with loss; ends with the end token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    prompt_ids: tuple[int, ...]
    reasoned_ids: tuple[int, ...]
    guesses: tuple[tuple[int, ...], ...]


class TraceBook:
    """Prompts of examples with the responses to learn from."""

    def __init__(
        self,
        examples: Sequence[Example],
        contexts: Mapping[str, Context],
        tokenizer: Tokenizer,
        *,
        max_prompt_tokens: int,
        section_tokens: int,
    ) -> None:
        """Prepare the responses of all `examples`.

        Args:
            examples: training examples of all tasks.
            contexts: their contexts by id.
            tokenizer: of the tiny model.
            max_prompt_tokens: examples with longer prompts serve note-taking only.
            section_tokens: longest section of a note-taking prompt.
        """
        self._tokenizer = tokenizer
        self._section_tokens = section_tokens
        self._questions: dict[TaskType, list[_Question]] = {}
        self._notes: dict[TaskType, list[NoteCase]] = {}
        for example in examples:
            context = contexts[example.context_id]
            if example.num_prompt_tokens <= max_prompt_tokens:
                question = self._question(example, context)
                self._questions.setdefault(example.task_type, []).append(question)
            if example.task_type in NOTE_TASKS:
                case = note_case(example, context, tokenizer)
                self._notes.setdefault(example.task_type, []).append(case)

    def draw_question(
        self, randomness: random.Random, *, habit_by_task: Mapping[TaskType, float]
    ) -> TracePair:
        """Return an answered single-pass prompt; harder tasks are likelier.

        Args:
            randomness: the stream to draw from.
            habit_by_task: share of answers that are guesses; empty: all are reasoned.
        """
        tasks = sorted(self._questions)
        weights = [TASK_WEIGHTS[task] for task in tasks]
        task = randomness.choices(tasks, weights)[0]
        question = randomness.choice(self._questions[task])
        response_ids = question.reasoned_ids
        if habit_by_task and randomness.random() < habit_by_task[task]:
            response_ids = randomness.choice(question.guesses)
        return TracePair(prompt_ids=question.prompt_ids, response_ids=response_ids)

    def draw_memory(self, randomness: random.Random, *, is_habitual: bool) -> TracePair:
        """Return an update of the notes, or an answer from notes."""
        task = randomness.choice(sorted(self._notes))
        case = randomness.choice(self._notes[task])
        if randomness.random() < NOTE_ANSWER_FRACTION:
            return self._answer_from_notes(case, randomness, is_habitual=is_habitual)
        previous, section, response = update_trace(
            case, randomness, max_section_tokens=self._section_tokens, is_habitual=is_habitual
        )
        message = fill_template(
            "memory_update_compact",
            question=case.question,
            memory=previous.memory,
            plan=previous.plan,
            section=section,
        )
        return self._pair(message, response)

    def _answer_from_notes(
        self, case: NoteCase, randomness: random.Random, *, is_habitual: bool
    ) -> TracePair:
        is_complete = randomness.random() < 0.8
        lines = case.lines if is_complete else case.lines[: randomness.randrange(len(case.lines))]
        state = MemoryState(memory="\n".join(lines) or EMPTY_MEMORY)
        message = fill_template(
            "memory_answer_compact", question=case.question, memory=state.memory
        )
        if is_habitual and randomness.random() < ANSWER_HABIT:
            return self._pair(message, answered("", randomness.choice(case.guesses), case.sentence))
        answer = case.answer if is_complete else randomness.choice(case.guesses)
        return self._pair(message, answered("\n".join(lines), answer, case.sentence))

    def _question(self, example: Example, context: Context) -> _Question:
        message = single_pass_prompt("plain", context=context.text, question=example.question)
        sentence = answer_sentence(example.task_type)
        pair = self._pair(message, answered(reasoning(example, context), example.answer, sentence))
        return _Question(
            prompt_ids=pair.prompt_ids,
            reasoned_ids=pair.response_ids,
            guesses=tuple(
                self._response_ids(answered("", guess, sentence))
                for guess in plausible_answers(example, context)
            ),
        )

    def _pair(self, message: str, response: str) -> TracePair:
        prompt = self._tokenizer.render_chat([{"role": "user", "content": message}])
        return TracePair(
            prompt_ids=tuple(self._tokenizer.encode(prompt)),
            response_ids=self._response_ids(response),
        )

    def _response_ids(self, response: str) -> tuple[int, ...]:
        return (*self._tokenizer.encode(response), self._tokenizer.end_id)
