import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from longloom.models.drawing import draw_tokens
from longloom.models.folder import load_model
from longloom.models.generate import generate
from longloom.models.local_policy import score_sequences
from longloom.records import FinishReason, SampleRequest, SamplingParams, TrainingSequence

NO_END = -1
ALL = SamplingParams(temperature=1.0, top_p=1.0, max_new_tokens=12)


def request(prompt, key, params=ALL):
    return SampleRequest(prompt_ids=tuple(prompt), params=params, key=key)


def sample(model, requests, end_id=NO_END, max_batch_tokens=100_000):
    return generate(model, requests, end_id=end_id, max_batch_tokens=max_batch_tokens)


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
    small_batches = sample(model, requests, max_batch_tokens=30)
    assert together == alone
    assert [reordered[order.index(index)].token_ids for index in range(len(order))] == alone
    assert [completion.token_ids for completion in small_batches] == alone


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
    ended = sample(model, long, end_id=end_id)
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
    (cut,) = sample(model, [request((1, 2), "a", limit)], end_id=free.token_ids[5])
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
    torch.testing.assert_close(recorded, logprobs, rtol=1e-3, atol=1e-4)
    recorded = torch.tensor([value for each in completions for value in each.entropies])
    torch.testing.assert_close(recorded, entropies, rtol=1e-3, atol=1e-4)


def slow_draw(probabilities, uniform, top_p):
    """Invert the cumulative probability of the nucleus, in words."""
    order = sorted(range(len(probabilities)), key=lambda token: (-probabilities[token], token))
    if top_p >= 1:
        order = list(range(len(probabilities)))
    nucleus, mass = [], 0.0
    for token in order:
        if top_p < 1 and mass >= top_p * math.fsum(probabilities):
            break
        nucleus.append(token)
        mass += probabilities[token]
    reached = 0.0
    for token in nucleus:
        reached += probabilities[token]
        if reached > uniform * mass:
            return token
    return nucleus[-1]


@given(
    weights=st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0, 8.0]), min_size=1, max_size=80).filter(
        any
    ),
    uniform=st.sampled_from([0.0, 0.1, 0.37, 0.5, 0.83, 0.999]),
    top_p=st.sampled_from([0.05, 0.3, 0.8, 0.95, 1.0]),
)
def test_nucleus_draw_equals_the_slow_reference(weights, uniform, top_p):
    rows = torch.tensor([weights, weights])
    # The second row has another top_p, so that mixed batches are drawn row by row.
    drawn = draw_tokens(
        rows, torch.tensor([uniform, uniform], dtype=torch.float64), torch.tensor([top_p, 0.5])
    )
    expected = [slow_draw(weights, uniform, float(torch.tensor(p))) for p in (top_p, 0.5)]
    if top_p < 1:
        assert drawn.tolist() == expected
    else:
        assert weights[int(drawn[0])] > 0


def test_draws_have_the_frequencies_of_the_nucleus():
    weights = torch.tensor([[0.1, 0.4, 0.2, 0.3]]).expand(2_000, 4)
    uniforms = (torch.arange(2_000, dtype=torch.float64) + 0.5) / 2_000
    drawn = draw_tokens(weights, uniforms, torch.full((2_000,), 0.65))
    # The nucleus of 0.65 is tokens 1 and 3: 0.4 and 0.3 of 0.7.
    assert torch.bincount(drawn, minlength=4).tolist() == pytest.approx([0, 1143, 0, 857], abs=1)


def test_top_p_keeps_only_the_most_probable_token_when_it_is_small(model):
    tiny = SamplingParams(temperature=1.0, top_p=1e-6, max_new_tokens=8)
    greedy = replace(tiny, temperature=0.0)
    drawn, best = sample(model, [request((1, 2), "a", tiny), request((1, 2), "a", greedy)])
    assert drawn.token_ids == best.token_ids
