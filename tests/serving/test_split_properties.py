"""Whatever the messages are: nothing of them is lost, and time stays linear."""

import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longloom.serving.layouts import (
    PieceKind,
    corpus_qa,
    longbench,
    open_webui,
    plain_text,
    ruler,
    tagged_text,
)
from longloom.serving.split import split_request

LAYOUTS = (corpus_qa, longbench, open_webui, plain_text, ruler, tagged_text)
_FRAGMENTS = st.sampled_from(
    [
        "<context>", "</context>", "<source>", '<source id="1" name="a">', "<source ", "</source>",
        "<text>", "</text>", "<document>", "</document>", "# Document 1:\n", "\n# Document 2:",
        "\n# Question:", "\n\nQuestion: ", "\n\n", "\n", "?", " ", '"', ">", "### Task:\n",
        "Report:\n", "\nNow, ", "word " * 30, "é", "\U0001f600", "a", "special",
    ]
)  # fmt: skip
_TEXTS = st.lists(_FRAGMENTS | st.text(max_size=5), max_size=30).map("".join)
_MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user", "assistant", "tool"]), "content": _TEXTS}
    ),
    max_size=6,
)


@pytest.mark.parametrize("layout", LAYOUTS)
@given(text=_TEXTS)
def test_pieces_cover_the_text_in_order(layout, text):
    pieces = layout(text)
    if pieces is None:
        return
    covered = 0
    for piece in pieces:
        assert piece.start <= covered
        assert piece.end > piece.start
        covered = max(covered, piece.end)
    assert covered == len(text)
    assert any(piece.kind is PieceKind.DOCUMENT for piece in pieces) or len(text) < 100


@given(messages=_MESSAGES, max_kept_chars=st.sampled_from([0, 50, 8_000]))
def test_no_character_of_a_message_is_lost(messages, max_kept_chars):
    request = split_request(messages, max_kept_chars=max_kept_chars)
    if request is None:
        return
    assert request.question
    assert request.documents
    kept = Counter(request.question)
    for text in [text for _, text in request.documents] + list(request.dropped):
        kept.update(text)
    for message in request.messages:
        kept.update(str(message["content"]))
    given_ = Counter(character for message in messages for character in message["content"])
    lost = {c: n for c, n in (given_ - kept).items() if not c.isspace()}
    assert lost == {}
    assert len({name for name, _ in request.documents}) == len(request.documents)


_HOSTILE = {
    "sources": "<source>",
    "closing sources": "</source>",
    "contexts": "<context>",
    "contexts with sources": "<context><source>",
    "unclosed attributes": '<source id="',
    "context, unclosed attributes": '<context><source id="',
    "source pairs": "<source>a</source>",
    "attributes": ' a="b"',
    "texts": "<text>",
    "text pairs": "<text>a</text>",
    "closing texts": "</text>",
    "documents": "# Document 1:\n",
    "document heads": "\n# Document ",
    "questions": "\n# Question:",
    "questions with a mark": "Question: a\n",
    "openers": "Report:\n",
    "blank lines": "\n",
    "spaces": " ",
    "one paragraph": "a",
}


@pytest.mark.parametrize("name", _HOSTILE)
@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("num_chars", [2_000_000, pytest.param(16_000_000, marks=pytest.mark.slow)])
def test_hostile_megabytes_take_seconds(name, closed, num_chars):
    unit = _HOSTILE[name]
    text = unit * (num_chars // len(unit))
    if closed:
        text = f'<context>\n<source id="1">{text}</source></context><text></text>\n\nWhat?'
    started = time.process_time()
    split_request([{"role": "user", "content": text}])
    assert time.process_time() - started < 10
