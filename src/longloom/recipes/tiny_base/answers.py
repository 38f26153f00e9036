"""How answers are worded, what they rest on, and what a guess would look like."""

from longloom.records import Context, Example, TaskType

MAX_GUESSED_NUMBER = 8


def answered(thinking: str, answer: str, sentence: str) -> str:
    """Return a whole response: thinking, its end, and the answer sentence."""
    return f"{thinking}</think>\n\n{sentence} {answer}"


def answer_sentence(task_type: TaskType) -> str:
    """Return the words before the answer, as the reward rules expect them."""
    if task_type is TaskType.MULTIPLE_CHOICE:
        return "Therefore, the correct answer is"
    return "Therefore, the answer is"


def evidence_lines(example: Example, context: Context) -> list[str]:
    """Return the evidence statements in the order in which the program uses them."""
    return [context.text[found.context_start : found.context_end] for found in example.evidence]


def reasoning(example: Example, context: Context) -> str:
    """Return the thinking of a reasoned answer: the evidence, one statement a line.

    What decides a step stands right beside it, because a network of four layers sees little of
    what it wrote a sentence ago: the letter of a choice follows the value, and which reply is
    asked for precedes the reply.
    """
    lines = "\n".join(evidence_lines(example, context))
    if example.task_type is TaskType.DIALOGUE_MEMORY:
        ordinal = "second" if " second " in example.question else "first"
        return f"{ordinal} {lines}"
    if example.task_type is TaskType.MULTIPLE_CHOICE:
        return f"{lines} {example.answer}"
    return lines


def plausible_answers(example: Example, context: Context) -> list[str]:
    """Return what someone would guess who saw the context but did not look anything up."""
    match example.task_type:
        case TaskType.MULTIPLE_CHOICE:
            return list("ABCD")
        case TaskType.NUMERICAL:
            return [str(number) for number in range(MAX_GUESSED_NUMBER + 1)]
        case TaskType.DIALOGUE_MEMORY:
            lines = context.text.split("\n")
            said = [line for line in lines if line.startswith("assistant: ")]
            return [line.removeprefix("assistant: ") for line in said]
        case _:
            word = evidence_lines(example, context)[-1].partition(" ")[0]
            statements = [line.split(" ") for line in context.text.split("\n")]
            values = {words[2] for words in statements if len(words) == 3 and words[0] == word}
            return sorted(values)
