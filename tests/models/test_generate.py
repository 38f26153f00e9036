from dataclasses import replace

import pytest
import torch

from longloom.models import generate as generating
from longloom.models.decoding import DecodingStep
from longloom.models.folder import load_model
from longloom.models.generate import Progress, generate
from longloom.models.local_policy import score_sequences
from longloom.models.prefill import prefill
from longloom.records import FinishReason, SampleRequest, SamplingParams, TrainingSequence

NO_END = frozenset()
ALL = SamplingParams(temperature=1.0, top_p=1.0, max_new_tokens=12)


def request(prompt, key, params=ALL):
    return SampleRequest(prompt_ids=tuple(prompt), params=params, key=key)


def sample(model, requests, end_ids=NO_END, max_batch_tokens=100_000):
    return generate(model, requests, end_ids=end_ids, max_batch_tokens=max_batch_tokens)


@pytest.fixture(scope="module")
def model(tiny_folder):
    return load_model(tiny_folder)


@pytest.fixture
def requests():
    """Groups of four, two and one with prompts of different lengths and limits."""
    made = []
    for number, (length, group_size) in enumerate(((7, 4), (3, 4), (12, 2), (5, 1), (9, 4))):
        prompt = range(10 * number, 10 * number + length)
        for index in range(group_size):
            params = replace(ALL, max_new_tokens=3 + 2 * index + number)
            made.append(request(prompt, f"{number}/{index}", params))
    return made


def test_greedy_equals_transformers_greedy(any_folder):
    from transformers import Qwen3ForCausalLM

    theirs, ours = Qwen3ForCausalLM.from_pretrained(any_folder), load_model(any_folder)
    prompts = [(1, 2, 3, 4, 5), (60, 61), (9, 8, 7, 6, 5, 4, 3)]
    greedy = SamplingParams(temperature=0.0, top_p=1.0, max_new_tokens=16)
    found = sample(ours, [request(prompt, "k", greedy) for prompt in prompts])
    for prompt, completion in zip(prompts, found, strict=True):
        expected = theirs.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.int64),
            max_new_tokens=16,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=0,
        )
        assert list(completion.token_ids) == expected[0, len(prompt) :].tolist()


def test_draws_depend_on_the_key_alone(model, requests):
    alone = [sample(model, [each])[0].token_ids for each in requests]
    together = [completion.token_ids for completion in sample(model, requests)]
    order = list(range(len(requests)))[::-1]
    reordered = sample(model, [requests[index] for index in order])
    assert together == alone
    assert [reordered[order.index(index)].token_ids for index in range(len(order))] == alone


@pytest.mark.parametrize("max_batch_tokens", [1, 30, 60, 100, 200])
def test_the_budget_does_not_change_what_is_drawn(model, requests, max_batch_tokens):
    expected = sample(model, requests)
    found = sample(model, requests, max_batch_tokens=max_batch_tokens)
    for one, other in zip(found, expected, strict=True):
        assert one.token_ids == other.token_ids
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-5)
        assert one.entropies == pytest.approx(other.entropies, abs=1e-5)


@pytest.fixture
def decoding_tokens(model, monkeypatch):
    """Record the rows of each decoding step and the tokens its caches have room for."""
    steps = []
    run = model.hidden

    def counted(token_ids, positions, attend, **settings):
        if isinstance(attend, DecodingStep):
            room = sum(cohort.tokens_with(cohort.capacity) for cohort in attend.caches)
            steps.append((len(token_ids), room))
        return run(token_ids, positions, attend, **settings)

    monkeypatch.setattr(model, "hidden", counted)
    return steps


@pytest.mark.parametrize("budget", [60, 100, 200])
def test_caches_grow_within_the_budget(model, requests, decoding_tokens, monkeypatch, budget):
    monkeypatch.setattr(generating, "_FIRST_OWN_TOKENS", 2)
    long = [
        replace(each, params=replace(ALL, max_new_tokens=9 + place))
        for place, each in enumerate(requests)
    ]
    expected = [sample(model, [each])[0].token_ids for each in long]
    decoding_tokens.clear()
    found = sample(model, long, max_batch_tokens=budget)
    assert [each.token_ids for each in found] == expected
    # The longest request alone needs less than the smallest budget.
    assert max(room for _, room in decoding_tokens) <= budget


def test_own_caches_begin_small_whatever_the_limit(model, decoding_tokens):
    (free,) = sample(model, [request((1, 2), "a")])
    end_id = free.token_ids[3]
    long = replace(ALL, max_new_tokens=900)
    (cut,) = sample(model, [request((1, 2), "a", long)], end_ids={end_id})
    assert cut.token_ids[-1] == end_id
    assert max(room for _, room in decoding_tokens) <= 2 + 64


def test_rows_that_end_free_their_place_for_groups_that_wait(model, decoding_tokens):
    short, long = replace(ALL, max_new_tokens=3), replace(ALL, max_new_tokens=21)
    requests = [request((number, 5), f"{number}", short) for number in range(6)]
    requests += [request((9, 9), "long", long)]
    sample(model, requests, max_batch_tokens=66)
    # Twenty steps of the long answer; the short ones run beside it, not after it.
    assert len(decoding_tokens) == 20
    assert sum(rows for rows, _ in decoding_tokens) == 20 + 6 * 2


def test_a_request_larger_than_the_budget_runs_alone(model, decoding_tokens):
    requests = [request(range(50), "large"), request((1, 2), "a"), request((3, 4), "b")]
    sample(model, requests, max_batch_tokens=40)
    rows = [rows for rows, _ in decoding_tokens]
    assert rows.count(1) == 11
    assert rows.count(2) == 11


def test_rows_of_a_prompt_larger_than_the_budget_share_it(model, decoding_tokens):
    # Five quarters of 80 tokens leave room for 20 own tokens: two rows (last tokens are not kept).
    params = replace(ALL, max_new_tokens=11)
    requests = [request(range(80), str(number), params) for number in range(4)]
    sample(model, requests, max_batch_tokens=40)
    assert [rows for rows, _ in decoding_tokens] == [2] * 10 + [2] * 10
    assert max(room for _, room in decoding_tokens) == 100


def test_progress_counts_finished_requests_and_their_tokens(model):
    limits = (2, 5, 5)
    requests = [
        request((1, 2), str(place), replace(ALL, max_new_tokens=limit))
        for place, limit in enumerate(limits)
    ]
    reports = []
    generate(model, requests, end_ids=NO_END, max_batch_tokens=1_000, on_progress=reports.append)
    assert reports == [
        Progress(num_requests=3, num_finished=1, num_tokens=2),
        Progress(num_requests=3, num_finished=3, num_tokens=12),
    ]


def test_requests_of_different_settings_are_drawn_as_if_alone(model):
    settings = [(1.0, 1.0, 3), (0.7, 0.8, 12), (0.0, 1.0, 6), (1.3, 0.5, 9), (1.0, 0.95, 1)]
    requests = [
        request(
            (1, 2, 3 + place % 2),
            str(place),
            SamplingParams(temperature=temperature, top_p=top_p, max_new_tokens=limit),
        )
        for place, (temperature, top_p, limit) in enumerate(settings)
    ]
    together = sample(model, requests)
    alone = [sample(model, [each])[0] for each in requests]
    assert [each.token_ids for each in together] == [each.token_ids for each in alone]
    assert [len(each.token_ids) for each in together] == [limit for *_, limit in settings]


def test_a_prompt_in_pieces_gives_the_answer_of_the_whole_prompt(model, monkeypatch):
    requests = [request(range(number, 60 + 9 * number), f"{number}") for number in range(4)]
    whole = sample(model, requests)
    monkeypatch.setattr(generating, "prefill", lambda *inputs: prefill(*inputs, pass_tokens=16))
    pieces = sample(model, requests)
    assert [each.token_ids for each in pieces] == [each.token_ids for each in whole]


def test_half_precision_networks_give_figures_in_fp32(tiny_folder):
    network = load_model(tiny_folder).to(torch.bfloat16)
    (completion,) = sample(network, [request((1, 2, 3), "a")])
    values = torch.tensor(completion.logprobs, dtype=torch.float64)
    assert not torch.equal(values, values.to(torch.bfloat16).double())


def test_another_key_draws_other_tokens(model):
    first, second = sample(model, [request((1, 2), "a"), request((1, 2), "b")])
    assert first.token_ids != second.token_ids


def test_a_shorter_limit_gives_the_beginning_of_the_longer_answer(model):
    long, short = sample(
        model, [request((1, 2), "a"), request((1, 2), "a", replace(ALL, max_new_tokens=4))]
    )
    assert short.token_ids == long.token_ids[:4]
    assert short.logprobs == pytest.approx(long.logprobs[:4], abs=1e-5)


def test_requests_that_end_early_do_not_change_the_others(model, requests):
    long = [replace(each, params=ALL) for each in requests]
    free = sample(model, long)
    end_id = free[0].token_ids[2]
    ended = sample(model, long, end_ids={end_id})
    num_stopped = 0
    for without, with_end in zip(free, ended, strict=True):
        tokens = without.token_ids
        stop = tokens.index(end_id) + 1 if end_id in tokens else len(tokens)
        num_stopped += stop < len(tokens)
        assert with_end.token_ids == tokens[:stop]
        assert with_end.logprobs == pytest.approx(without.logprobs[:stop], abs=1e-5)
        assert with_end.finish_reason is (
            FinishReason.STOP if end_id in tokens else FinishReason.LENGTH
        )
    assert num_stopped >= 1


def test_end_token_at_the_limit_counts_as_stopped(model):
    (free,) = sample(model, [request((1, 2), "a")])
    limit = replace(ALL, max_new_tokens=free.token_ids.index(free.token_ids[5]) + 1)
    (cut,) = sample(model, [request((1, 2), "a", limit)], end_ids={free.token_ids[5]})
    assert cut.finish_reason is FinishReason.STOP


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_recorded_figures_are_those_of_the_trainer(model, requests, temperature):
    params = SamplingParams(temperature=temperature, top_p=0.9, max_new_tokens=9)
    requests = [replace(each, params=params) for each in requests]
    completions = sample(model, requests)
    sequences = [
        TrainingSequence(
            prompt_ids=each.prompt_ids,
            response_ids=completion.token_ids,
            rollout_logprobs=completion.logprobs,
            advantages=(0.0,) * len(completion.token_ids),
        )
        for each, completion in zip(requests, completions, strict=True)
    ]
    with torch.no_grad():
        logprobs, entropies = score_sequences(model, sequences, temperature=temperature)
    recorded = torch.tensor([value for each in completions for value in each.logprobs])
    torch.testing.assert_close(recorded, logprobs, rtol=1e-5, atol=1e-5)
    recorded = torch.tensor([value for each in completions for value in each.entropies])
    torch.testing.assert_close(recorded, entropies, rtol=1e-5, atol=1e-5)


def test_top_p_keeps_only_the_most_probable_token_when_it_is_small(model):
    tiny = SamplingParams(temperature=1.0, top_p=1e-6, max_new_tokens=8)
    greedy = replace(tiny, temperature=0.0)
    drawn, best = sample(model, [request((1, 2), "a", tiny), request((1, 2), "a", greedy)])
    assert drawn.token_ids == best.token_ids


def test_any_of_several_end_tokens_stops_an_answer(model, requests):
    long = [replace(each, params=ALL) for each in requests]
    free = sample(model, long)
    end_ids = {free[0].token_ids[4], free[0].token_ids[2], free[1].token_ids[3]}
    for without, ended in zip(free, sample(model, long, end_ids=end_ids), strict=True):
        places = [place for place, token in enumerate(without.token_ids) if token in end_ids]
        stop = places[0] + 1 if places else len(without.token_ids)
        assert ended.token_ids == without.token_ids[:stop]
        assert (ended.finish_reason is FinishReason.STOP) == bool(places)
    assert free[0].token_ids[2] not in free[0].token_ids[:2]
