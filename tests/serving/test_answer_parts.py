"""The small parts: stop texts, chunks, progress lines, metrics, pauses, rough counts."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longloom.errors import ConfigError, ContextLengthError, DataError, ModelError
from longloom.rollout import Event, EventKind
from longloom.serving.answer_parts import AnswerWriter, Part, usage_of
from longloom.serving.metrics import Metrics
from longloom.serving.pauses import with_pauses
from longloom.serving.progress import describe
from longloom.serving.refusals import Refusal, RefusedError, refusal_of, refused
from longloom.serving.service import count_roughly
from longloom.serving.stop_texts import StopTexts
from longloom.text.estimated_tokens import EstimatedTokens


@given(
    st.text("ab<", max_size=40),
    st.lists(st.text("ab<", min_size=1, max_size=4), max_size=3),
    st.data(),
)
def test_an_answer_ends_before_the_first_stop_text_that_is_complete(text, stops, choices) -> None:
    """However the text is cut into pieces."""
    watch, shown, rest = StopTexts(stops), "", text
    while rest and not watch.is_stopped:
        size = choices.draw(st.integers(1, len(rest)))
        shown += watch.add(rest[:size])
        rest = rest[size:]
    shown += watch.end()
    assert watch.is_stopped == any(stop in text for stop in stops)
    if watch.is_stopped:
        assert any(text.startswith(shown + stop) for stop in stops)
    else:
        assert shown == text
    assert not any(stop in shown for stop in stops)


def test_a_stop_text_over_several_pieces_is_held_back() -> None:
    watch = StopTexts(["\n\nUser:"])
    assert [watch.add(piece) for piece in ("yes\n", "\nUs", "e", "d.\n\nUser", ": no")] == [
        "yes", "", "", "\n\nUsed.", "",
    ]  # fmt: skip
    assert watch.is_stopped


async def _parts(*parts: Part):
    for part in parts:
        yield part


def test_parts_become_the_same_answer_streamed_and_whole() -> None:
    parts = (
        Part(delta={"reasoning_content": "Hm"}),
        Part(index=1, delta={"content": "b"}),
        Part(delta={"content": "a\u2028\U0001f600"}),
        Part(delta={"annotations": [{"type": "url_citation"}]}),
        Part(is_pause=True),
        Part(finish_reason="stop"),
        Part(index=1, finish_reason="length"),
        Part(usage=usage_of(3, 4)),
    )

    async def run():
        writer = AnswerWriter("m", num_choices=2, wants_usage=True)
        whole = json.loads(await writer.whole(_parts(*parts)))
        return whole, [line async for line in writer.lines(_parts(*parts))]

    whole, lines = asyncio.run(run())
    first, second = whole["choices"]
    assert first["message"] == {
        "role": "assistant", "content": "a\u2028\U0001f600", "reasoning_content": "Hm",
        "annotations": [{"type": "url_citation"}],
    }  # fmt: skip
    assert (second["message"]["content"], second["finish_reason"]) == ("b", "length")
    assert whole["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    assert lines[-1] == b"data: [DONE]\n\n"
    assert lines.count(b": keep-alive\n\n") == 1
    assert all(line.count(b"\n") == 2 for line in lines)
    chunks = [json.loads(line[6:]) for line in lines[:-1] if line[0] != ord(":")]
    assert {chunk["id"] for chunk in chunks} == {whole["id"]}
    assert "".join(
        choice["delta"].get("content", "")
        for chunk in chunks for choice in chunk["choices"] if choice["index"] == 0
    ) == first["message"]["content"]  # fmt: skip


def test_pauses_fill_silence_and_leave_the_parts_as_they_are() -> None:
    async def run() -> tuple[list[Part], bool]:
        go_on, was_closed = asyncio.Event(), False

        async def slow():
            nonlocal was_closed
            try:
                yield Part(delta={"content": "a"})
                await go_on.wait()
                yield Part(delta={"content": "b"})
                raise ModelError("gone")
            finally:
                was_closed = True

        seen = []

        async def watch() -> None:
            async for part in with_pauses(slow(), 0.01):
                seen.append(part)
                if sum(part.is_pause for part in seen) == 3:
                    go_on.set()

        with pytest.raises(ModelError, match="gone"):
            await watch()
        return seen, was_closed

    seen, was_closed = asyncio.run(run())
    assert [part.delta["content"] for part in seen if not part.is_pause] == ["a", "b"]
    assert sum(part.is_pause for part in seen) >= 3
    assert was_closed


@pytest.mark.parametrize(("fields", "line"), [
    ({"num_memory_tokens": 950, "seconds_left": 30.0},
     "Section 2 of 9, memory 950 tokens, about 30 s left"),
    ({"num_memory_tokens": 2_149, "seconds_left": 240.0},
     "Section 2 of 9, memory 2.1K tokens, about 4 min left"),
    ({"is_resumed": True, "seconds_left": 0.2}, "Section 2 of 9, read before, about 1 s left"),
    ({"seconds_left": 7_200.0}, "Section 2 of 9, about 2.0 h left"),
])  # fmt: skip
def test_a_line_says_how_far_a_reading_is(fields, line) -> None:
    event = Event(kind=EventKind.SECTION_READ, section_index=2, num_sections=9, plan="x", **fields)
    shown = describe(event, "sections")
    assert shown is not None
    assert shown.text == f"{line}\n"
    assert shown.status == {"type": "status", "data": {"description": line, "done": False}}
    assert describe(event, "off") is None
    assert describe(event, "plan").text == f"{line}\n  plan: x\n"


def test_metrics_are_what_prometheus_reads() -> None:
    metrics = Metrics()
    metrics.count("longloom_requests_total", path="p", status="200")
    metrics.count("longloom_requests_total", 12_345_678, path="p", status="200")
    for seconds in (0.01, 0.02, 99_999.0):
        metrics.time(seconds)
    lines = metrics.text({"held_bytes": 5}).splitlines()
    assert 'longloom_requests_total{path="p",status="200"} 12345679' in lines
    assert "# TYPE longloom_requests_total counter" in lines
    assert 'longloom_request_seconds_bucket{le="0.01"} 1' in lines
    assert 'longloom_request_seconds_bucket{le="7200.0"} 2' in lines
    assert 'longloom_request_seconds_bucket{le="+Inf"} 3' in lines
    assert "longloom_request_seconds_count 3" in lines
    assert "longloom_held_bytes 5" in lines
    assert lines.count("# TYPE longloom_request_seconds histogram") == 1


@pytest.mark.parametrize(("error", "status", "code"), [
    (refused(418, "tea", code="pot"), 418, "pot"),
    (TimeoutError(), 504, "timeout"),
    (ContextLengthError("long"), 400, "context_length_exceeded"),
    (ModelError("gone"), 502, "backend_failed"),
    (ConfigError("small"), 400, None),
    (DataError("full"), 500, None),
])  # fmt: skip
def test_errors_have_statuses(error, status, code) -> None:
    refusal = refusal_of(error)
    assert refusal is not None
    assert (refusal.status, refusal.code) == (status, code)


def test_bugs_are_no_refusals_and_refusals_can_be_pickled() -> None:
    import pickle

    assert refusal_of(KeyError("text of a document")) is None
    error = RefusedError(Refusal(status=400, message="what"))
    assert pickle.loads(pickle.dumps(error)).refusal == error.refusal


@pytest.mark.parametrize("num_lines", [10, 1_000, 30_000])
def test_long_texts_are_counted_roughly(num_lines: int) -> None:
    tokens = EstimatedTokens()
    text = "The rain went on for the whole day and nobody came.\n" * num_lines
    exact = tokens.count(text)
    assert count_roughly([text], tokens, 10 * len(text)) >= exact  # at most: bytes
    assert count_roughly([text], tokens, exact // 2) == pytest.approx(exact, rel=0.02)
    assert count_roughly([text], tokens, exact - 1) == exact
    assert count_roughly([text], tokens, exact + 1) == exact
