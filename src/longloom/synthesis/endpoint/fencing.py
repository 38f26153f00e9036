"""Put documents into a prompt so that they stay material.

The fence is a digest of the very texts between it: no text can hold a digest of itself and its
neighbours, so a document cannot end its own fence. What it leaves out: a model may still listen to
what a document says. Therefore documents that speak to a model are left out of prompts whose
outcome is not checked by other means, and every outcome is.
"""

import hashlib
import re
from collections.abc import Sequence

from longloom.records import Document
from longloom.synthesis.endpoint.prompts import fill_prompt

MAX_LABEL_CHARACTERS = 200
_GAP = r"[\s,\"']{1,4}"
_SPEAKS_TO_A_MODEL = re.compile(
    "|".join(
        (
            rf"\b(?:ignore|disregard|forget){_GAP}(?:\w{{1,12}}{_GAP}){{0,3}}"
            rf"(?:instructions?|prompts?|rules)\b",
            rf"\b(?:rate|score|grade|judge){_GAP}this{_GAP}(?:document|text|page|article)\b",
            rf"\byou{_GAP}are{_GAP}(?:now{_GAP})?(?:an?|the){_GAP}(?:\w{{1,12}}{_GAP})?"
            rf"(?:ai|llm|chatbot|(?:large{_GAP})?language{_GAP}model)\b",
            rf"\b(?:answer|reply|respond)s?{_GAP}to{_GAP}(?:all|any|every|each){_GAP}"
            rf"(?:questions?|prompts?)\b",
            r"<\|im_(?:start|end)\|>",
            r"\[/?INST\]",
            r"\[\[(?:YES|NO)\]\]",
            r"<<<[0-9a-f]{8,64} (?:BEGIN|END)\b",
        )
    ),
    re.IGNORECASE,
)


def speaks_to_a_model(text: str) -> bool:
    """Whether a text holds what reads as an instruction to a language model.

    A document about such instructions is taken for one; it is left out, never believed.
    """
    return _SPEAKS_TO_A_MODEL.search(text) is not None


def fence_texts(pieces: Sequence[tuple[str, str]]) -> str:
    """Return labelled texts between fences, with the notice what they are."""
    digest = hashlib.sha256()
    for label, text in pieces:
        digest.update(f"{len(label)} {len(text)} {label}{text}".encode("utf-8", "surrogatepass"))
    fence = digest.hexdigest()[:24]
    lines = []
    for number, (label, text) in enumerate(pieces, start=1):
        title = " ".join(label[:MAX_LABEL_CHARACTERS].split())
        lines += [f"<<<{fence} BEGIN {number}: {title}>>>", text, f"<<<{fence} END {number}>>>"]
    return fill_prompt("material", fence=fence, pieces="\n".join(lines))


def fence_documents(documents: Sequence[Document]) -> str:
    """Return whole documents between fences, numbered from 1 in this order."""
    return fence_texts([(f"document {document.title}", document.text) for document in documents])
