"""The engine thread: what event loops see of it."""

import asyncio
import threading
from contextlib import aclosing
from dataclasses import replace

import pytest

from longloom.errors import ContextLengthError, ModelError
from longloom.models.folder import load_model
from longloom.models.live.sampler import LiveSampler
from longloom.models.local_sampler import LocalSampler
from longloom.records import FinishReason, SampleRequest, SamplingParams
from longloom.text.tokenizer import FolderTokenizer
from tiny_models import WINDOW_TOKENS

PARAMS = SamplingParams(temperature=1.0, top_p=1.0, max_new_tokens=20)
LONG = 900
"""Tokens of an answer that is still being written when the test goes on."""


@pytest.fixture
def model(tiny_folder):
    return load_model(tiny_folder)


@pytest.fixture(scope="module")
def tokenizer(tiny_folder):
    return FolderTokenizer(tiny_folder)


@pytest.fixture
def endless(tokenizer):
    """Return the tokenizer, but nothing ends an answer except its limit."""

    class Endless(FolderTokenizer):
        end_ids = frozenset()

        def __init__(self):
            self.__dict__.update(tokenizer.__dict__)

    return Endless()


@pytest.fixture
def sampler(model, endless):
    with LiveSampler(model, endless, prefix_cache_tokens=0) as made:
        yield made


def request(prompt, key, **changes):
    return SampleRequest(prompt_ids=tuple(prompt), params=replace(PARAMS, **changes), key=str(key))


async def streamed(sampler, each):
    return [token async for token in sampler.stream(each)]


def test_the_same_request_gives_what_the_local_sampler_gives(model, tokenizer):
    requests = [
        request(range(number, 3 * number + 1), number, temperature=0.5 + number / 10)
        for number in range(8)
    ]

    async def gathered(sampler):
        return await asyncio.gather(*(sampler.sample(each) for each in requests))

    expected = asyncio.run(gathered(LocalSampler(load_model_again(model), tokenizer)))
    with LiveSampler(model, tokenizer) as live:
        found = asyncio.run(gathered(live))
    for one, other in zip(found, expected, strict=True):
        assert one.token_ids == other.token_ids
        assert one.finish_reason is other.finish_reason
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)


def load_model_again(model):
    """Return the same weights, in the order that models store them."""
    other = type(model)(model.shape)
    other.load_state_dict(model.state_dict())
    return other


def test_a_stream_gives_the_tokens_of_the_completion(sampler):
    each = request((1, 2, 3), "a")

    async def both():
        return await streamed(sampler, each), await sampler.sample(each)

    tokens, completion = asyncio.run(both())
    assert tuple(token.token_id for token in tokens) == completion.token_ids
    assert [token.logprob for token in tokens] == pytest.approx(completion.logprobs, abs=1e-5)
    assert [token.finish_reason for token in tokens] == [None] * 19 + [FinishReason.LENGTH]


def test_a_request_joins_and_leaves_while_another_is_written(sampler):
    async def run_all():
        async with aclosing(sampler.stream(request((1, 2), "long", max_new_tokens=LONG))) as long:
            await anext(long)
            short = await sampler.sample(request((3, 4), "short", max_new_tokens=3))
            figures = sampler.figures()
        return short, figures

    short, figures = asyncio.run(run_all())
    assert len(short.token_ids) == 3
    assert figures["num_running"] == 1  # the long answer goes on


async def until_idle(sampler):
    """Return once the engine holds nothing; ask it by a request, which is followed in order."""
    while True:
        await sampler.sample(request((1,), "probe", max_new_tokens=1))
        if sampler.figures()["num_running"] == 0:
            return


def test_closing_a_stream_frees_its_row(sampler):
    async def run_all():
        async with aclosing(sampler.stream(request((1, 2), "a", max_new_tokens=LONG))) as tokens:
            await anext(tokens)
        await until_idle(sampler)
        return sampler.figures()

    figures = asyncio.run(run_all())
    assert figures["num_cache_tokens"] == 0
    assert figures["num_drawn_tokens"] < LONG


def test_cancelling_a_task_frees_its_row(sampler):
    async def run_all():
        task = asyncio.ensure_future(sampler.sample(request((1, 2), "a", max_new_tokens=LONG)))
        await sampler.sample(request((3,), "b", max_new_tokens=1))
        task.cancel()
        outcome = await asyncio.gather(task, return_exceptions=True)
        await until_idle(sampler)
        return outcome

    (outcome,) = asyncio.run(run_all())
    assert isinstance(outcome, asyncio.CancelledError)
    assert sampler.figures()["num_drawn_tokens"] < LONG


def test_a_request_that_takes_too_long_leaves(sampler):
    async def run_all():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await sampler.sample(request((1, 2), "a", max_new_tokens=LONG))
        await until_idle(sampler)

    asyncio.run(run_all())


def test_what_can_never_fit_is_refused_before_it_is_begun(sampler):
    large = request([1] * WINDOW_TOKENS, "a")

    async def run_all():
        with pytest.raises(ContextLengthError):
            await sampler.sample(large)
        with pytest.raises(ContextLengthError):
            await streamed(sampler, large)

    asyncio.run(run_all())
    with pytest.raises(ContextLengthError):
        sampler.check(large)


def test_the_window_is_no_wider_than_the_caches(model, tokenizer):
    with LiveSampler(model, tokenizer, max_cache_tokens=300) as sampler:
        assert sampler.window_tokens == 300
    with LiveSampler(model, tokenizer) as sampler:
        assert sampler.window_tokens == WINDOW_TOKENS


def test_a_failure_of_the_network_reaches_every_caller_and_the_next_is_answered(
    sampler, model, monkeypatch
):
    def broken(token_ids, positions, attend, **settings):
        raise RuntimeError("out of memory")

    async def run_all():
        with monkeypatch.context() as patch:
            patch.setattr(model, "hidden", broken)
            failed = await asyncio.gather(
                *(sampler.sample(request((1, 2), number)) for number in range(3)),
                streamed(sampler, request((1, 2), "streamed")),
                return_exceptions=True,
            )
        return failed, await sampler.sample(request((1, 2), "next"))

    failed, completion = asyncio.run(run_all())
    assert {type(error) for error in failed} == {ModelError}
    assert all("RuntimeError: out of memory" in str(error) for error in failed)
    assert len(completion.token_ids) == 20


def test_closing_fails_what_runs_and_ends_the_thread(model, endless):
    before = threading.active_count()
    sampler = LiveSampler(model, endless)

    async def run_all():
        tasks = [
            asyncio.ensure_future(sampler.sample(request((number,), number, max_new_tokens=LONG)))
            for number in range(3)
        ]
        await sampler.sample(request((1,), "short", max_new_tokens=1))
        await asyncio.to_thread(sampler.close)
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        with pytest.raises(ModelError, match="was closed"):
            await sampler.sample(request((1,), "late"))
        return outcomes

    outcomes = asyncio.run(run_all())
    assert [str(each) for each in outcomes] == [
        "the sampler was closed; make another one to go on"
    ] * 3
    assert threading.active_count() == before
    sampler.close()


def test_an_event_loop_that_was_closed_does_not_stop_the_others(sampler):
    async def begin():
        sampler._begin(request((1, 2), "a", max_new_tokens=5), is_streamed=True)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(begin())
    loop.close()
    completion = asyncio.run(sampler.sample(request((3, 4), "b", max_new_tokens=60)))
    assert len(completion.token_ids) == 60


def test_an_engine_that_breaks_leaves_nobody_waiting(model, endless, monkeypatch, caplog):
    sampler = LiveSampler(model, endless)

    def broken():
        raise RuntimeError("a bug")

    monkeypatch.setattr(sampler._engine, "step", broken)

    async def run_all():
        for number in range(2):
            with pytest.raises(ModelError, match=r"a bug|was closed"):
                await sampler.sample(request((1,), number))

    asyncio.run(run_all())
    sampler.close()
    assert "the live engine ended" in caplog.text


def test_several_event_loops_share_the_engine(sampler):
    found = {}

    def run(number):
        found[number] = asyncio.run(sampler.sample(request((1, 2), number)))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({each.token_ids for each in found.values()}) == 3
