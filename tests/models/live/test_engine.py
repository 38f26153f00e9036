"""The engine without its thread: steps taken by hand."""

import random
from dataclasses import replace

import pytest
import torch

from longloom.errors import ContextLengthError, ModelError
from longloom.models.folder import load_model
from longloom.models.generate import generate
from longloom.models.live import pace, shelves
from longloom.models.live.engine import LiveEngine
from longloom.models.live.shelves import shelf_tokens
from longloom.records import FinishReason, SampleRequest, SamplingParams
from tiny_models import WINDOW_TOKENS

NO_END = frozenset()
PARAMS = SamplingParams(temperature=1.0, top_p=1.0, max_new_tokens=12)


@pytest.fixture(scope="module")
def model(tiny_folder):
    return load_model(tiny_folder)


@pytest.fixture
def small_shelves(monkeypatch):
    """Let rows move between shelves within a few tokens."""
    monkeypatch.setattr(shelves, "SMALLEST_SHELF_TOKENS", 8)


def request(prompt, key, **changes):
    return SampleRequest(prompt_ids=tuple(prompt), params=replace(PARAMS, **changes), key=str(key))


def engine(model, *, max_cache_tokens=10_000, prefix_cache_tokens=0, end_ids=NO_END):
    return LiveEngine(
        model,
        end_ids=end_ids,
        max_cache_tokens=max_cache_tokens,
        prefix_cache_tokens=prefix_cache_tokens,
    )


def run(live, *, steps=10_000):
    """Take steps until nothing is left to do; return all events."""
    events = []
    while not live.is_idle and steps:
        events += live.step()
        steps -= 1
    assert live.is_idle
    return events


def made_requests(number, seed=0, longest=60):
    rng = random.Random(seed)
    return [
        request(
            [rng.randrange(250) for _ in range(rng.randint(1, longest))],
            f"{seed}/{place}",
            temperature=rng.choice([0.0, 0.8, 1.0]),
            max_new_tokens=rng.randint(1, 40),
        )
        for place in range(number)
    ]


def expected(model, requests, end_ids=NO_END):
    return generate(model, requests, end_ids=end_ids, max_batch_tokens=100_000)


def assert_same(rows, completions):
    for row, completion in zip(rows, completions, strict=True):
        assert tuple(row.tokens) == completion.token_ids
        assert row.logprobs == pytest.approx(completion.logprobs, abs=1e-4)
        assert row.entropies == pytest.approx(completion.entropies, abs=1e-4)


@pytest.mark.usefixtures("small_shelves")
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("prefix_cache_tokens", [0, 256])
def test_requests_that_arrive_at_any_time_draw_what_they_draw_in_one_batch(
    model, seed, prefix_cache_tokens
):
    requests = made_requests(14, seed)
    live, rng = engine(model, prefix_cache_tokens=prefix_cache_tokens), random.Random(seed)
    rows = []
    while len(rows) < len(requests) or not live.is_idle:
        if len(rows) < len(requests) and rng.random() < 0.4:
            rows.append(live.submit(requests[len(rows)]))
        live.step()
    assert_same(rows, expected(model, requests))


@pytest.mark.usefixtures("small_shelves")
@pytest.mark.parametrize("max_cache_tokens", [128, 300])
@pytest.mark.parametrize("prefix_cache_tokens", [0, 64])
def test_rows_that_gave_their_place_back_go_on_where_they_were(
    model, max_cache_tokens, prefix_cache_tokens
):
    requests = made_requests(12, seed=5)
    live = engine(model, max_cache_tokens=max_cache_tokens, prefix_cache_tokens=prefix_cache_tokens)
    rows = [live.submit(each) for each in requests]
    events = []
    while not live.is_idle:
        events += live.step()
        figures = live.figures()
        assert figures.num_cache_tokens <= max_cache_tokens or figures.num_running <= 1
    assert_same(rows, expected(model, requests))
    assert live.figures().num_cache_tokens == 0
    # Every token is told once, although rows started again.
    assert len(events) == sum(len(row.tokens) for row in rows)
    assert max_cache_tokens > 128 or live.figures().num_sent_back > 0


def test_requests_are_admitted_in_the_order_in_which_they_came(model):
    live = engine(model, max_cache_tokens=512)
    rows = [live.submit(request(range(10 * n, 10 * n + 5), n)) for n in range(6)]
    ended = [event.row for event in run(live) if event.finish_reason is not None]
    assert ended == rows


def test_equal_prompts_of_concurrent_requests_are_computed_once(model):
    live = engine(model)
    rows = [live.submit(request(range(50), number)) for number in range(5)]
    run(live)
    figures = live.figures()
    assert figures.num_filled_tokens == 50
    assert figures.num_reused_tokens == 4 * 50
    assert_same(rows, expected(model, [row.request for row in rows]))


def test_requests_of_different_holders_share_nothing(model):
    holders = ("a", "b", "a")
    prompt = list(range(40))
    together = engine(model, prefix_cache_tokens=1_000)
    rows = [
        together.submit(replace(request(prompt, place), cache_salt=holder))
        for place, holder in enumerate(holders)
    ]
    run(together)
    assert together.figures().num_filled_tokens == 80
    after = [
        together.submit(replace(request(prompt, holder), cache_salt=holder))
        for holder in ("b", "c")
    ]
    run(together)
    assert [row.num_cached_tokens for row in (*rows, *after)] == [0, 0, 40, 32, 0]
    assert_same(rows, expected(model, [row.request for row in rows]))


def test_a_second_turn_of_a_chat_computes_only_what_is_new(model):
    live = engine(model, prefix_cache_tokens=512)
    first = live.submit(request(range(100), "first", max_new_tokens=29))
    run(live)
    # 100 prompt tokens and 28 of the answer are kept: eight blocks of 16.
    second = live.submit(request([*range(100), *first.tokens, 7, 8, 9], "second"))
    before = live.figures().num_filled_tokens
    run(live)
    assert second.num_cached_tokens == 128
    assert live.figures().num_filled_tokens - before == 100 + 29 + 3 - 128
    assert_same([second], expected(model, [second.request]))


def test_a_prompt_that_is_kept_whole_still_computes_its_last_token(model):
    live = engine(model, prefix_cache_tokens=512)
    for number in range(2):
        row = live.submit(request(range(64), number))
        run(live)
    assert row.num_cached_tokens == 48
    assert_same([row], expected(model, [row.request]))


def test_a_cancelled_prompt_is_not_computed_again(model, monkeypatch):
    monkeypatch.setattr(pace, "_FIRST_TOKENS", 64)
    live = engine(model, prefix_cache_tokens=512)
    row = live.submit(request(range(200), "first"))
    live.step()
    live.cancel(row)
    assert live.is_idle
    again = live.submit(request(range(200), "again"))
    live.step()
    assert again.num_cached_tokens == 64


def test_long_prompts_are_computed_in_pieces_between_steps_of_running_rows(model, monkeypatch):
    monkeypatch.setattr(pace.Pace, "num_tokens", lambda self, *, has_streams: 10)
    live = engine(model)
    running = live.submit(request((1, 2, 3), "running", max_new_tokens=60))
    live.step()
    long = live.submit(request(range(200), "long"))
    short = live.submit(request((9, 8, 7), "short"))
    for _ in range(2):
        live.step()
    assert len(running.tokens) == 3  # one a step, whatever is filled beside it
    assert len(short.tokens) >= 1  # not behind the long prompt
    assert not long.tokens
    run(live)
    assert_same(
        [running, long, short], expected(model, [running.request, long.request, short.request])
    )


def test_cancelled_requests_leave_from_wherever_they_are(model, monkeypatch):
    monkeypatch.setattr(pace, "_FIRST_TOKENS", 8)
    live = engine(model, max_cache_tokens=600)
    running = live.submit(request((1, 2, 3), "running"))
    live.step()
    filling = live.submit(request(range(40), "filling"))
    stays = live.submit(request((4, 5), "stays"))
    waiting = live.submit(request(range(500), "waiting", max_new_tokens=2))
    monkeypatch.setattr(pace.Pace, "num_tokens", lambda self, *, has_streams: 8)
    live.step()
    for row in (running, filling, waiting, waiting, running):
        live.cancel(row)
    events = run(live)
    assert {event.row for event in events} == {stays}
    assert_same([stays], expected(model, [stays.request]))
    assert live.figures().num_cache_tokens == 0


@pytest.mark.parametrize(
    ("num_prompt", "num_new", "error", "message"),
    [
        (WINDOW_TOKENS - 4, 5, ContextLengthError, "window of 1024"),
        (300, 301, ContextLengthError, "caches of 600"),
        (0, 5, ModelError, "prompt of 0 tokens"),
        (3, 0, ModelError, "answer of up to 0"),
    ],
)
def test_what_can_never_fit_is_refused_at_once(model, num_prompt, num_new, error, message):
    live = engine(model, max_cache_tokens=600)
    with pytest.raises(error, match=message):
        live.submit(request([1] * num_prompt, "a", max_new_tokens=num_new))
    assert live.is_idle


def test_a_request_may_fill_the_caches_and_the_window(model):
    live = engine(model, max_cache_tokens=WINDOW_TOKENS)
    live.submit(request((1, 2), "beside", max_new_tokens=30))
    row = live.submit(request([5] * (WINDOW_TOKENS - 20), "a", max_new_tokens=20))
    run(live)
    assert len(row.tokens) == 20


def test_end_tokens_and_limits_end_answers(model):
    free = expected(model, [request((1, 2, 3), "a")])[0].token_ids
    live = engine(model, end_ids={free[4]})
    rows = [live.submit(request((1, 2, 3), "a")), live.submit(request((7,), "b", max_new_tokens=1))]
    reasons = {event.row: event.finish_reason for event in run(live) if event.finish_reason}
    assert tuple(rows[0].tokens) == free[: free.index(free[4]) + 1]
    assert reasons == {rows[0]: FinishReason.STOP, rows[1]: FinishReason.LENGTH}


@pytest.mark.parametrize("fails_at", ["decoding", "filling"])
def test_a_failure_is_told_to_its_callers_and_the_engine_goes_on(model, monkeypatch, fails_at):
    live = engine(model, prefix_cache_tokens=256)
    first = live.submit(request((1, 2, 3), "first"))
    live.step()
    second = live.submit(request((4, 5, 6, 7), "second"))
    whole = model.hidden

    def broken(token_ids, positions, attend, **settings):
        if (len(token_ids) == 1) == (fails_at == "decoding"):
            raise RuntimeError("out of memory")
        return whole(token_ids, positions, attend, **settings)

    monkeypatch.setattr(model, "hidden", broken)
    failed = [event for event in live.step() if event.error is not None]
    monkeypatch.setattr(model, "hidden", whole)
    hit, spared = (first, second) if fails_at == "decoding" else (second, first)
    assert [event.row for event in failed] == [hit]
    assert "out of memory" in str(failed[0].error)
    run(live)
    assert_same([spared], expected(model, [spared.request]))


def test_what_is_not_a_number_in_one_row_stays_in_it(model):
    live = engine(model)
    poisoned = live.submit(request((1, 2, 3), "poisoned", max_new_tokens=3))
    live.step()
    cache, _ = live._running.cache(poisoned)
    with torch.inference_mode():
        cache[...] = float("nan")
    live.cancel(poisoned)
    rows = [live.submit(request(range(number, 9), number)) for number in range(3)]
    run(live)
    assert_same(rows, expected(model, [row.request for row in rows]))


def test_shelves_are_at_most_half_as_wide_again_as_their_rows():
    widths = [shelf_tokens(number) for number in range(1, 20_000)]
    assert widths[:256] == [256] * 256
    assert sorted(set(widths))[:6] == [256, 384, 512, 768, 1_024, 1_536]
    assert all(number <= width for number, width in enumerate(widths, 1))
    assert all(width <= 1.5 * number for number, width in enumerate(widths, 1) if number > 256)


def test_half_precision_networks_run(tiny_folder):
    network = load_model(tiny_folder).to(torch.bfloat16)
    live = engine(network)
    rows = [live.submit(request(range(number, 30), number)) for number in range(3)]
    run(live)
    assert [len(row.tokens) for row in rows] == [12] * 3
