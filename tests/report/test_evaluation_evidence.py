"""The text around evidence and gold answers: bounded, in place, whole words."""

import time

from longloom.evaluation.questions import Asked
from longloom.report.evaluation_evidence import find_golds, shown_text

TEXT = "In 1843 Ada Lovelace wrote notes. Adam knew ada lovelace well. ADA LOVELACE!"


def marked(text: str, golds: tuple[str, ...]) -> list[str]:
    return [text[start:end] for start, end in find_golds(text, golds)]


def test_golds_are_found_as_whole_words_without_regard_to_case() -> None:
    assert marked(TEXT, ("Ada Lovelace",)) == ["Ada Lovelace", "ada lovelace", "ADA LOVELACE"]
    assert marked(TEXT, ("Ada",)) == ["Ada", "ada", "ADA"]  # not in Adam
    assert marked(TEXT, ("A", "", "Babbage", "x" * 500)) == []


def test_only_the_first_places_of_a_gold_are_found() -> None:
    assert marked("word " * 50, ("word",)) == ["word"] * 3


def test_positions_hold_where_lower_case_is_longer() -> None:
    text = "\u0130" * 5 + " Ada Lovelace"  # each is two characters in lower case
    assert marked(text, ("Ada Lovelace",)) == ["Ada Lovelace"]


def test_evidence_is_preferred_to_golds_and_bad_spans_are_passed_over() -> None:
    asked = Asked(
        context=TEXT, query="Who?", evidence=((0, 7), (5, 3), (-4, 2), (10, 10**9), (8, 20))
    )
    shown = shown_text(asked, ("Adam",))
    assert shown.is_evidence
    pieces = [piece for one in shown.excerpts for kind, piece in one.segments if kind == "evidence"]
    assert pieces == ["In 1843", "Ada Lovelace"]
    assert "".join(piece for _, piece in shown.excerpts[0].segments) == TEXT


def test_a_gold_that_is_nowhere_is_said() -> None:
    assert "word for word" in shown_text(Asked(context=TEXT, query="Who?"), ("Byron",)).note
    assert "no context" in shown_text(Asked(context="", query="Who?"), ("Byron",)).note


def test_a_long_context_leaves_a_few_thousand_characters_and_takes_little_time() -> None:
    context = "ab" * 2_000_000
    asked = Asked(
        context=context,
        query="q" * 50_000,
        evidence=((0, len(context)), *((i, i + 2) for i in range(0, 40_000, 2))),
    )
    started = time.process_time()
    shown = shown_text(asked, ("abab",))
    assert shown.num_characters == 4_000_000
    assert shown.num_hidden == 20_001 - 12
    assert sum(len(piece) for one in shown.excerpts for _, piece in one.segments) < 20_000
    assert len(shown.query) < 5_000
    assert "45,000" in shown.query or "46,000" in shown.query
    # A gold inside of every word: passed over a bounded number of times.
    assert find_golds(context, ("abab", "baba")) == []
    assert time.process_time() - started < 5
