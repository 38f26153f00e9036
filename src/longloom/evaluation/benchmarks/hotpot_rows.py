"""Rows of HotpotQA (Yang et al., arXiv 1809.09600): a question over paragraphs, some of them gold.

Three layouts are read: the official distractor file (`context` is a list of [title, sentences],
`supporting_facts` of [title, sentence]), the same on the hub (columns of titles and sentences), and
a sample that keeps the two gold paragraphs apart from the distractors; its order is ours, by the id
of the question, so that gold ones do not stand first.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from longloom.errors import DataError
from longloom.evaluation.rows import Row, RowPlace, describe, text_of


@dataclass(frozen=True, slots=True, kw_only=True)
class HotpotParagraph:
    """One paragraph."""

    title: str
    """Of its article."""
    sentences: tuple[str, ...]
    """With the spaces between them."""
    facts: tuple[int, ...]
    """Numbers of the sentences that the answer rests on; some name one that is not there."""


def hotpot_id(row: Row, place: RowPlace) -> str:
    """Return the id of a question."""
    return text_of(row, "id" if "id" in row else "_id", place)


def hotpot_paragraphs(row: Row, place: RowPlace) -> tuple[HotpotParagraph, ...]:
    """Return the paragraphs of a question in their order.

    Raises:
        DataError: the row is of none of the three layouts.
    """
    try:
        if "para_a" in row:
            return _sample_paragraphs(row, place)
        context, facts = row["context"], row["supporting_facts"]
        if isinstance(context, dict):
            context = list(zip(context["title"], context["sentences"], strict=True))
            facts = list(zip(facts["title"], facts["sent_id"], strict=True))
        return tuple(
            _paragraph(title, sentences, [fact for name, fact in facts if name == title])
            for title, sentences in context
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{describe(place)}: its paragraphs cannot be read ({type(error).__name__}: {error}); "
            "expected `context` as [title, sentences] and `supporting_facts` as [title, sentence]; "
            "give the official file"
        ) from None


def _sample_paragraphs(row: Row, place: RowPlace) -> tuple[HotpotParagraph, ...]:
    gold = [
        _paragraph(row[f"title_{letter}"], row[f"para_{letter}"], facts)
        for letter, facts in zip("ab", row["supporting_facts"], strict=True)
    ]
    others = [_paragraph(entry[0], entry[1], ()) for entry in row["distractors"]]
    paragraphs = gold + others
    Random(hotpot_id(row, place)).shuffle(paragraphs)
    return tuple(paragraphs)


def _paragraph(title: Any, sentences: Sequence[Any], facts: Iterable[Any]) -> HotpotParagraph:
    if not isinstance(title, str) or not all(isinstance(text, str) for text in sentences):
        raise ValueError("a title or a sentence is no text")
    return HotpotParagraph(
        title=title, sentences=tuple(sentences), facts=tuple(sorted({int(fact) for fact in facts}))
    )
