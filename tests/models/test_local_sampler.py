import asyncio
from dataclasses import replace

import pytest

from longloom.errors import ModelError
from longloom.models.folder import load_model
from longloom.models.local_sampler import LocalSampler
from longloom.records import SampleRequest, SamplingParams
from longloom.text.tokenizer import FolderTokenizer
from tiny_models import WINDOW_TOKENS

PARAMS = SamplingParams(temperature=1.0, top_p=1.0, max_new_tokens=5)


@pytest.fixture(scope="module")
def model(tiny_folder):
    return load_model(tiny_folder)


@pytest.fixture
def sampler(model, tiny_folder):
    return LocalSampler(model, FolderTokenizer(tiny_folder))


@pytest.fixture
def prompt_rows(model, monkeypatch):
    """Record how many prompts begin in each pass of the network."""
    rows = []
    run = model.hidden

    def counted(token_ids, positions, attend, **settings):
        if num_prompts := int((positions == 0).sum()):
            rows.append(num_prompts)
        return run(token_ids, positions, attend, **settings)

    monkeypatch.setattr(model, "hidden", counted)
    return rows


def request(prompt, key, **changes):
    return SampleRequest(prompt_ids=tuple(prompt), params=replace(PARAMS, **changes), key=key)


def gather(sampler, requests):
    async def run_all():
        return await asyncio.gather(
            *(sampler.sample(each) for each in requests), return_exceptions=True
        )

    return asyncio.run(run_all())


def test_equal_prompts_of_concurrent_agents_are_computed_once(sampler, prompt_rows):
    prompts = [(1, 2, 3), (4, 5)]
    requests = [request(prompt, f"{prompt}/{i}") for prompt in prompts for i in range(4)]
    gather(sampler, requests)
    assert prompt_rows == [2]


def test_agents_that_take_several_turns_are_batched_turn_by_turn(sampler, prompt_rows):
    async def agent(number):
        for turn in range(3):
            await asyncio.sleep(0)
            await sampler.sample(request((number, turn), f"{number}/{turn}"))

    async def run_all():
        await asyncio.gather(*(agent(number) for number in range(4)))

    asyncio.run(run_all())
    assert prompt_rows == [4, 4, 4]


@pytest.mark.parametrize(
    ("num_prompt", "max_new_tokens", "message"),
    [
        (WINDOW_TOKENS - 4, 5, "do not fit the window of 1024"),
        (WINDOW_TOKENS + 1, 5, "do not fit the window"),
        (0, 5, "prompt of 0 tokens"),
        (3, 0, "answer of up to 0"),
    ],
)
def test_requests_that_cannot_fit_are_refused_alone(sampler, num_prompt, max_new_tokens, message):
    refused, answered = gather(
        sampler,
        [
            request([1] * num_prompt, "a", max_new_tokens=max_new_tokens),
            request((1, 2), "b"),
        ],
    )
    assert isinstance(refused, ModelError)
    assert message in str(refused)
    assert len(answered.token_ids) >= 1


def test_a_request_may_fill_the_window(sampler):
    (completion,) = gather(sampler, [request([1] * (WINDOW_TOKENS - 2), "a", max_new_tokens=2)])
    assert 1 <= len(completion.token_ids) <= 2


def test_a_failure_of_the_network_reaches_every_waiting_agent(sampler, model, monkeypatch):
    def broken(token_ids, positions, attend, **settings):
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(model, "hidden", broken)
        outcomes = gather(sampler, [request((1, 2), str(i)) for i in range(3)])
    assert [str(outcome) for outcome in outcomes] == ["out of memory"] * 3
    (completion,) = gather(sampler, [request((1, 2), "a")])
    assert completion.token_ids


def test_requests_of_an_abandoned_event_loop_do_not_block_the_next(sampler, prompt_rows):
    async def abandon():
        task = asyncio.ensure_future(sampler.sample(request((1, 2), "a")))
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(abandon())
    (completion,) = gather(sampler, [request((3, 4), "b")])
    assert completion.token_ids
    assert prompt_rows == [1]


def test_an_event_loop_that_died_with_waiting_agents_does_not_block_the_next(sampler):
    loop = asyncio.new_event_loop()
    task = loop.create_task(sampler.sample(request((1, 2), "a")))
    loop.call_soon(loop.stop)
    loop.run_forever()
    (completion,) = gather(sampler, [request((3, 4), "b")])
    assert completion.token_ids
    task.cancel()
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    loop.close()


def test_a_cancelled_agent_is_left_out_of_the_batch(sampler, prompt_rows):
    async def run_all():
        tasks = [
            asyncio.ensure_future(sampler.sample(request((number,), str(number))))
            for number in range(3)
        ]
        await asyncio.sleep(0)
        tasks[1].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, cancelled, last = asyncio.run(run_all())
    assert isinstance(cancelled, asyncio.CancelledError)
    assert first.token_ids
    assert last.token_ids
    assert prompt_rows == [2]


def test_progress_is_passed_on(model, tiny_folder):
    reports = []
    tokenizer = FolderTokenizer(tiny_folder)
    sampler = LocalSampler(model, tokenizer, on_progress=reports.append)
    completions = gather(sampler, [request((1, 2), str(number)) for number in range(3)])
    assert reports[-1].num_finished == reports[-1].num_requests == 3
    assert reports[-1].num_tokens == sum(len(each.token_ids) for each in completions)


def test_order_of_arrival_does_not_change_what_is_drawn(sampler):
    requests = [request((number % 2, 7), str(number)) for number in range(5)]
    forward = gather(sampler, requests)
    backward = gather(sampler, requests[::-1])[::-1]
    assert [each.token_ids for each in forward] == [each.token_ids for each in backward]
