"""Requests beyond the window are read: what the client sees, what the model is asked."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from longloom.memory import MemoryConfig
from longloom.memory.journal_file import JournalFile
from longloom.serving.app import make_app
from longloom.serving.service import Service
from scripted_server import (
    FACT,
    FILLER,
    QUESTION,
    ScriptedTokens,
    byte_tokenizer,
    long_request,
    make_service,
    reads_and_answers,
    short_request,
)


def post(service: Service, body: dict[str, Any], **headers: str) -> httpx.Response:
    """Post to the application itself, without a socket."""

    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(make_app(service))
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return await client.post("/v1/chat/completions", json=body, headers=headers)

    return asyncio.run(run())


def chunks_of(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.headers["content-type"].startswith("text/event-stream")
    *lines, done, end = response.text.split("\n\n")
    assert (done, end) == ("data: [DONE]", "")
    return [json.loads(line.removeprefix("data: ")) for line in lines if line[0] != ":"]


def test_every_section_is_read_once_and_the_answer_is_found() -> None:
    model = ScriptedTokens()
    reply = post(make_service(model), long_request()).json()
    assert reply["choices"][0]["message"]["content"] == FACT
    assert reply["choices"][0]["finish_reason"] == "stop"
    updates = [prompt for prompt in model.prompts if "</section>" in prompt]
    sections = [prompt.split("<section>\n")[1].split("\n</section>")[0] for prompt in updates]
    assert sum(section.count("The rain") for section in sections) == 200
    assert sum(section.count(FACT) for section in sections) == 1
    assert all(QUESTION in prompt for prompt in model.prompts)
    assert len(model.prompts) == len(updates) + 1
    assert model.num_open == 0


def test_usage_counts_the_request_once_and_all_that_was_written() -> None:
    model = ScriptedTokens()
    request = long_request()
    usage = post(make_service(model), request).json()["usage"]
    written = [byte_tokenizer().encode(reads_and_answers(prompt)) for prompt in model.prompts]
    assert usage["completion_tokens"] == sum(len(ids) + 1 for ids in written)
    details = usage["completion_tokens_details"]
    assert details["reasoning_tokens"] == usage["completion_tokens"] - len(FACT) - 1
    document = len(FILLER) * 200 + len(FACT) + 1
    assert document <= usage["prompt_tokens"] <= document + len(QUESTION) + 20
    own = usage["longloom"]
    assert (own["steps"], own["resumed_steps"]) == (len(written) - 1, 0)
    assert own["backend_prompt_tokens"] == sum(len(r.prompt_ids) for r in model.requests)
    assert own["split"]["recogniser"] == "tagged_text"
    assert FACT not in json.dumps(own)


def test_the_stream_shows_progress_then_answer_then_citations_then_counts() -> None:
    asked = long_request(stream=True, stream_options={"include_usage": True})
    *chunks, last = chunks_of(post(make_service(), asked))
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] > 13_000
    assert all(len(chunk["choices"]) == 1 for chunk in chunks)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant", "content": ""}
    kinds = [next(iter(delta), "end") for delta in deltas[1:]]
    order = list(dict.fromkeys(kinds))
    assert order == ["reasoning_content", "content", "annotations", "end"]
    lines = "".join(delta.get("reasoning_content", "") for delta in deltas).splitlines()
    assert lines[0].startswith("Reading ")
    assert [line for line in lines if line.startswith("Section 2 of ")]
    assert "  plan: look for the lighthouse" in lines
    events = [chunk["event"]["data"] for chunk in chunks if "event" in chunk]
    assert [event["done"] for event in events] == [False] * (len(events) - 1) + [True]
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


def test_progress_between_the_first_and_the_answer_is_joined_at_its_pace() -> None:
    def shown(seconds: float) -> tuple[list[str], list[str]]:
        service = make_service(progress_seconds=seconds)
        chunks = chunks_of(post(service, long_request(stream=True)))
        deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
        thinking = "".join(delta.get("reasoning_content", "") for delta in deltas)
        events = [chunk["event"]["data"]["description"] for chunk in chunks if "event" in chunk]
        return events, [line.split(",")[0] for line in thinking.splitlines()]

    each, lines = shown(0)
    joined, same_lines = shown(3_600)
    assert len(each) > 5
    assert joined == [each[0], "All sections are read; answering"] == [each[0], each[-1]]
    assert same_lines == lines


def test_citations_name_the_document_and_the_place() -> None:
    document = FILLER * 100 + FACT + "\n" + FILLER * 100
    source = '<source id="1" name="harbour.txt" resource-type="file">'
    content = f"<context>\n{source}\n{document}\n</source>\n</context>\n\n{QUESTION}"
    asked = long_request(messages=[{"role": "user", "content": content}])
    message = post(make_service(), asked).json()["choices"][0]["message"]
    [found] = [note["url_citation"] for note in message["annotations"]]
    assert found["document"] == "harbour.txt"
    assert "harbour.txt" in found["title"]
    assert f"\n{document}\n"[found["start"] : found["end"]] == found["quote"]
    assert FACT in found["quote"]
    assert found["is_verified"]


@pytest.mark.parametrize(("progress", "has_lines", "has_plan"), [
    ("off", False, False), ("sections", True, False), ("plan", True, True),
])  # fmt: skip
def test_progress_is_as_the_request_asks(progress, has_lines, has_plan) -> None:
    asked = long_request(longloom={"progress": progress})
    message = post(make_service(), asked).json()["choices"][0]["message"]
    reasoning = message.get("reasoning_content") or ""
    assert ("Section 1" in reasoning) == has_lines
    assert ("plan: " in reasoning) == has_plan
    assert message["content"] == FACT


def test_stop_texts_seed_and_choices_are_for_the_last_call_alone() -> None:
    model = ScriptedTokens()
    asked = long_request(n=2, stop=["built", "<memory>"], seed=5, max_tokens=60)
    reply = post(make_service(model), asked).json()
    assert [choice["message"]["content"] for choice in reply["choices"]] == [
        FACT.split("built")[0],
        FACT.split("built")[0],
    ]
    *_, first, second = model.requests
    assert (first.key, second.key) == ("seed-5/choice-0", "seed-5/choice-1")
    assert first.params.max_new_tokens == 60
    assert all(r.params.max_new_tokens == 300 for r in model.requests[:-2])
    assert reply["choices"][0]["message"]["reasoning_content"].count("Section 1 of") == 1


def test_the_system_prompt_is_kept_for_the_last_call() -> None:
    model = ScriptedTokens()
    request = long_request()
    request["messages"].insert(0, {"role": "system", "content": "Answer like a sailor."})
    post(make_service(model), request)
    assert [("like a sailor" in prompt) for prompt in model.prompts[-1:]] == [True]
    assert not any("like a sailor" in prompt for prompt in model.prompts[:-1])


def test_a_request_asked_again_reads_nothing_twice(tmp_path) -> None:
    with JournalFile(tmp_path / "journal.sqlite") as journal:
        first, again = ScriptedTokens(), ScriptedTokens()
        usage = post(make_service(first, journal=journal), long_request()).json()["usage"]
        reply = post(make_service(again, journal=journal), long_request()).json()
    assert len(first.requests) > 5
    assert len(again.requests) == 1
    assert reply["choices"][0]["message"]["content"] == FACT
    own = reply["usage"]["longloom"]
    assert own["resumed_steps"] == own["steps"] == usage["longloom"]["steps"]
    details = reply["usage"]["prompt_tokens_details"]
    assert reply["usage"]["prompt_tokens"] == usage["prompt_tokens"]
    assert details["cached_tokens"] > 13_000
    assert "read before" in reply["choices"][0]["message"]["reasoning_content"]


def test_a_document_in_its_own_field_is_read_although_the_messages_fit() -> None:
    model = ScriptedTokens()
    documents = [{"name": "a.txt", "text": FILLER * 20}, {"name": "b.txt", "text": FACT}]
    asked = short_request(QUESTION, max_tokens=60, longloom={"documents": documents})
    reply = post(make_service(model), asked).json()
    assert reply["choices"][0]["message"]["content"] == FACT
    assert any("Document 2: b.txt" in prompt for prompt in model.prompts)


def test_more_than_the_maximum_is_refused_before_anything_is_read() -> None:
    model = ScriptedTokens()
    response = post(make_service(model, max_document_tokens=10_000), long_request(stream=True))
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "context_length_exceeded"
    assert "10000" in response.json()["error"]["message"]
    assert model.requests == []


def test_what_has_no_question_is_refused_and_never_cut() -> None:
    model = ScriptedTokens()
    asked = long_request(messages=[{"role": "assistant", "content": FILLER * 200}])
    response = post(make_service(model), asked)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "context_length_exceeded"
    assert model.requests == []


def test_a_request_that_fits_is_answered_in_one_call_with_its_whole_text() -> None:
    model = ScriptedTokens()
    text = FILLER * 100  # 6,700 tokens
    post(make_service(model), short_request(text, max_tokens=1_000))
    [prompt] = model.prompts
    assert text in prompt


@pytest.mark.parametrize("max_tokens", [None, 500])
def test_requests_at_the_edge_of_the_window(max_tokens) -> None:
    frame = len("<|im_start|>user\n") + 1 - len("<|im_start|>") + len("\n")
    for num_tokens, num_calls in ((7_400, 1), (7_600, 2)):
        model = ScriptedTokens()
        text = (FILLER * 200)[: num_tokens - frame - len(QUESTION) - 2]
        asked = short_request(f"{text}\n\n{QUESTION}", max_tokens=max_tokens)
        service = make_service(model, answer_tokens=500)
        assert post(service, asked).status_code == 200
        assert (len(model.requests) > 1) == (num_calls > 1)


def test_a_failed_reading_is_told_by_status_or_inside_the_stream() -> None:
    def model() -> ScriptedTokens:
        return ScriptedTokens(lambda prompt: "")  # never a usable memory, never an answer

    class Broken(ScriptedTokens):
        async def stream(self, request):
            from longloom.errors import ModelError

            raise ModelError("the engine is gone")
            yield

    response = post(make_service(Broken()), long_request())
    assert response.status_code == 502
    assert "the engine is gone" in response.json()["error"]["message"]
    streamed = post(make_service(Broken()), long_request(stream=True))
    assert streamed.status_code == 200
    *_, last, end = streamed.text.split("\n\n")
    assert end == ""
    assert "the engine is gone" in json.loads(last.removeprefix("data: "))["error"]["message"]
    assert post(make_service(model()), long_request()).status_code == 200


def test_a_window_too_small_for_the_settings_is_refused_with_the_reason() -> None:
    model = ScriptedTokens(window_tokens=1_000)
    memory = MemoryConfig(chunk_tokens=2_000, memory_tokens=900, decomposition="off")
    response = post(make_service(model, memory=memory), long_request(max_tokens=50))
    assert response.status_code in (400, 502)
    assert response.json()["error"]["message"]


def test_a_silent_reading_sends_comments_that_keep_the_connection() -> None:
    model = ScriptedTokens(holds=lambda prompt: FACT in prompt and "</section>" in prompt)

    async def run() -> str:
        service = make_service(model, keep_alive_seconds=0.05)
        transport = httpx.ASGITransport(make_app(service))
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            asking = asyncio.ensure_future(
                client.post("/v1/chat/completions", json=long_request(stream=True))
            )
            while model.may_go_on is None:
                await asyncio.sleep(0)
            await asyncio.wait((asking,), timeout=0.3)
            model.holds = lambda prompt: False
            model.may_go_on.set()
            return (await asking).text

    text = asyncio.run(run())
    assert text.count(": keep-alive\n\n") >= 2
    assert text.endswith("data: [DONE]\n\n")
