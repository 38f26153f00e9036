"""The wording of questions. One phrasing a program, short enough for the smallest prompts."""

from collections.abc import Sequence

from longloom.synthesis.miniature.facts.relations import relation_named
from longloom.synthesis.miniature.programs import (
    LETTERS,
    Chain,
    Choice,
    Difference,
    Maximum,
    Program,
    Reply,
)

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


def word_question(program: Program) -> str:
    """Return the question that `program` answers, options included."""
    if isinstance(program, Chain):
        return f"What is {describe_chain(program)}?"
    if isinstance(program, Choice):
        return f"What is {describe_chain(program.chain)}?\n{word_options(program.options)}"
    if isinstance(program, Reply):
        topic = program.topic
        article = "an" if topic[0].lower() in "aeiou" else "a"
        return f"What is the {_ORDINALS[program.ordinal - 1]} reply about {article} {topic}?"
    if isinstance(program, Maximum):
        operation = "maximum"
    else:
        operation = "difference" if isinstance(program, Difference) else "sum"
    first, second = describe_chain(program.first), describe_chain(program.second)
    return f"What is the {operation} of {first} and {second}?"


def describe_chain(chain: Chain) -> str:
    """Return the noun phrase of a chain: `the module of the base of OrderedDict`."""
    phrases = [f"the {relation_named(relation).phrase}" for relation in reversed(chain.relations)]
    return " of ".join([*phrases, chain.subject])


def word_options(options: Sequence[str]) -> str:
    """Return the options as lettered lines."""
    return "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=True))
