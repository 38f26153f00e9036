"""Lone surrogates become U+FFFD, and nothing else changes."""

import json

from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json

from longloom.text.lone_surrogates import json_without_lone_surrogates, without_lone_surrogates

ANY_TEXT = st.text(st.characters(exclude_categories=()) | st.sampled_from('\ud800\udfff\\u"d8'))


@given(ANY_TEXT)
def test_a_text_keeps_all_other_characters(text: str) -> None:
    expected = "".join("\ufffd" if "\ud800" <= mark <= "\udfff" else mark for mark in text)
    assert without_lone_surrogates(text) == expected


@given(ANY_TEXT)
def test_escapes_in_json_are_replaced_unless_they_are_pairs(text: str) -> None:
    body = json.dumps(text).encode()
    joined = json.loads(body)  # two halves side by side are one character
    assert from_json(json_without_lone_surrogates(body)) == without_lone_surrogates(joined)


def test_an_escaped_backslash_is_no_escape() -> None:
    body = rb'"\\ud800 \\\ud800 \ud83d\ude00 \ude00\ud83d"'
    assert json_without_lone_surrogates(body) == rb'"\\ud800 \\\ufffd \ud83d\ude00 \ufffd\ufffd"'
