import json
import time
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longloom.models.endpoint.shown import ShownAttempts
from longloom.models.endpoint.stream import EventLines, StreamedReply, StreamError
from longloom.models.endpoint.thinking import ThinkingDeltas, split_thinking
from longloom.models.endpoint.wire import UnusableBodyError
from longloom.records import Delta

CHUNKS: list[dict[str, Any]] = [
    {"choices": [{"delta": {"role": "assistant", "content": ""}}]},
    {"choices": [{"delta": {"reasoning": "hm "}}]},
    {"choices": [{"delta": {"reasoning_content": "yes"}}]},
    {"choices": [{"delta": {"content": "\u2028 Zürich 東京"}}]},
    {"choices": [{"delta": {}, "finish_reason": "length"}], "usage": None},
    {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3,
                              "prompt_tokens_details": {"cached_tokens": 5}}},
]  # fmt: skip


def _stream(chunks: list[dict[str, Any]]) -> bytes:
    events = [json.dumps(chunk, ensure_ascii=False).encode() for chunk in chunks]
    return b"".join(
        b": waiting\n\nevent: message\ndata: " + event + b"\r\n\r\n" for event in events
    )


def _events(pieces: list[bytes]) -> list[Any]:
    lines = EventLines(10_000)
    found = [event for piece in pieces for event in lines.add(piece)]
    return found + list(lines.end())


@given(st.lists(st.integers(0, len(_stream(CHUNKS)))))
def test_events_do_not_depend_on_how_bytes_arrive(cuts: list[int]) -> None:
    stream = _stream(CHUNKS)
    places = [0, *sorted(cuts), len(stream)]
    pieces = [stream[begin:end] for begin, end in pairwise(places)]
    assert _events(pieces) == CHUNKS


@pytest.mark.parametrize(
    "stream",
    [
        b'data: {"a": 1}\ndata: {"a": 2}\n',  # no blank line between events
        b'data:{"a":\ndata: 1}\n\ndata: {"a": 2}',  # JSON over two lines, no end
        b': c\nid: 5\nretry: 9\ndata: {"a": 1}\n\n\n\ndata: {"a": 2}\n\ndata: [DONE]\n\ndata: 3\n',
    ],
)
def test_untidy_streams_are_read(stream: bytes) -> None:
    assert _events([stream]) == [{"a": 1}, {"a": 2}]


def test_garbage_and_endless_events_are_unusable() -> None:
    with pytest.raises(UnusableBodyError, match="not JSON"):
        _events([b'data: {"a": half\n\n'])
    with pytest.raises(UnusableBodyError, match="over 10000 bytes"):
        _events([b"data: " + b"x" * 10_001])


def test_streamed_reply_is_collected_with_reasoning_apart() -> None:
    reply = StreamedReply()
    deltas = [delta for chunk in CHUNKS for delta in reply.add(chunk)]
    assert deltas == [
        Delta(text="hm ", is_reasoning=True),
        Delta(text="yes", is_reasoning=True),
        Delta(text="\u2028 Zürich 東京"),
    ]
    whole = reply.end(is_done=False)
    assert (whole.text, whole.reasoning) == ("\u2028 Zürich 東京", "hm yes")
    assert (whole.finish_reason, whole.num_prompt_tokens) == ("length", 7)
    assert (whole.num_completion_tokens, whole.num_cached_tokens) == (3, 5)


def test_stream_that_breaks_off_is_unusable() -> None:
    reply = StreamedReply()
    for chunk in CHUNKS[:4]:
        reply.add(chunk)
    with pytest.raises(UnusableBodyError, match="ended before"):
        reply.end(is_done=False)
    assert reply.end(is_done=True).finish_reason == ""


@pytest.mark.parametrize(
    "chunk", [{"error": "dead"}, {"error": {"message": "dead"}, "choices": []}]
)
def test_error_inside_a_stream_is_an_error(chunk: dict[str, Any]) -> None:
    with pytest.raises(StreamError) as caught:
        StreamedReply().add(chunk)
    assert b"dead" in caught.value.content


@pytest.mark.parametrize("chunk", [[], 5, "text", None])
def test_chunk_that_is_no_object_is_unusable(chunk: Any) -> None:
    with pytest.raises(UnusableBodyError, match="a chunk is of type"):
        StreamedReply().add(chunk)


THINKING = [
    ("answer", "", "answer"),
    ("<think>hm</think>\n\nanswer", "hm", "answer"),
    (" <think>\nhm\n</think>answer", "hm", "answer"),
    ("hm\n</think>\nanswer", "hm", "answer"),
    ("<think>never ends", "never ends", ""),
    ("a <think> inside", "", "a <think> inside"),
    ("", "", ""),
]


@pytest.mark.parametrize(("text", "thinking", "answer"), THINKING)
def test_thinking_in_the_text_is_split_off(text: str, thinking: str, answer: str) -> None:
    assert split_thinking(text) == (thinking, answer)


@pytest.mark.parametrize(("text", "thinking", "answer"), THINKING)
@pytest.mark.parametrize("num_characters", [1, 2, 3, 100])
def test_pieces_are_marked_as_the_whole_is_split(
    text: str, thinking: str, answer: str, num_characters: int
) -> None:
    opens = "</think>" in text and "<think>" not in text
    deltas = ThinkingDeltas(is_thinking=opens)
    pieces = [text[at : at + num_characters] for at in range(0, len(text), num_characters)]
    shown = [delta for piece in pieces for delta in deltas.add(Delta(text=piece))] + deltas.end()
    assert "".join(delta.text for delta in shown if delta.is_reasoning).strip() == thinking
    assert "".join(delta.text for delta in shown if not delta.is_reasoning) == answer


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        (["one two", "one two three"], "one two three"),  # the second goes beyond the first
        (["one two three", "one tw", "one two three four"], "one two three four"),
        (["one two", "one six seven"], "one two"),  # what was shown cannot be taken back
        (["", "one"], "one"),
    ],
)
def test_pieces_of_several_attempts_are_shown_once(attempts: list[str], expected: str) -> None:
    shown: list[str] = []
    several = ShownAttempts(lambda delta: shown.append(delta.text), is_thinking=False)
    for text in attempts:
        receive = several.begin()
        for at in range(0, len(text), 2):
            receive(Delta(text=text[at : at + 2]))
    several.end()
    assert "".join(shown) == expected


def test_showing_many_pieces_takes_time_in_proportion() -> None:
    shown = ShownAttempts(lambda delta: None, is_thinking=False)
    receive = shown.begin()
    begin = time.process_time()
    for _ in range(40_000):  # 4 MB; joining all of it at every piece would take ten seconds
        receive(Delta(text="w" * 100))
    assert time.process_time() - begin < 2
