"""Why drafts are refused and questions left out, in plain words."""

from collections.abc import Mapping
from types import MappingProxyType

REFUSAL_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "another_answer": "Executed on the whole context, the program gives another answer, or "
        "several.",
        "answer_in_question": "The question itself contains the answer.",
        "distractor_matters": "The documents that answer, taken alone, give another answer.",
        "document_not_necessary": "Without one of the documents that it is said to need, the "
        "answer stays the same.",
        "no_evidence": "The answer rests on no statement of a document.",
        "not_held_out": "The answer does not lie in a held-out document, which a question of the "
        "held-out part needs.",
        "over_its_share": "Its task, or its program shape, has its share of the questions already.",
        "question_repeated": "The same question, word for word, is kept already.",
        "repeated": "The same program was asked before.",
        "second_opinion": "A second engine, from the same values, computes another answer.",
        "shape_has_enough": "Its program shape has as many questions as one shape may have.",
        "span_does_not_match": "The text at the place of the evidence does not show it.",
        "too_few_documents": "It needs fewer documents than a question of its kind must need.",
        "too_much_evidence": "It rests on more statements than a careful reader would collect.",
    }
)
"""A sentence for each reason; `tests/report` compares the names with the checks'."""
