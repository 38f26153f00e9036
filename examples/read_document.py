"""Ask about a document with the memory agent and watch its memory.

python examples/read_document.py SCRIPT.py "What is the module of main?"
"""

import sys

import longloom
from longloom.rollout import Event


def show(event: Event) -> None:
    if event.section_index:
        print(f"section {event.section_index} of {event.num_sections}: {event.memory}")


def main(document: str, question: str, model: str = "tiny-base") -> None:
    reading = longloom.read(document, question, model=model, mode="memory", on_event=show)
    print(f"{reading.num_document_tokens} tokens read; answer: {reading.answer or 'none'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
