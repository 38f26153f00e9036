import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from longloom.models import drawing
from longloom.models.drawing import (
    DrawSettings,
    OutputHead,
    choose_tokens,
    draw_tokens,
    uniform_stream,
)
from longloom.records import SamplingParams

PROBABILITIES = (0.1, 0.4, 0.2, 0.3)


def settings(*rows):
    """Rows of (temperature, top_p)."""
    params = [
        SamplingParams(temperature=temperature, top_p=top_p, max_new_tokens=1)
        for temperature, top_p in rows
    ]
    return DrawSettings.of(params, torch.device("cpu"))


def choose(uniforms, *rows):
    logits = torch.tensor(PROBABILITIES).log().expand(len(rows), 4).clone()
    return choose_tokens(logits, torch.tensor(uniforms, dtype=torch.float64), settings(*rows))


def test_a_stream_depends_on_its_key_alone_and_has_no_end():
    first = list(itertools.islice(uniform_stream("a"), 200))
    assert first == list(itertools.islice(uniform_stream("a"), 200))
    assert first[:5] != list(itertools.islice(uniform_stream("b"), 5))
    assert min(first) >= 0
    assert max(first) < 1
    assert np.mean(first) == pytest.approx(0.5, abs=0.1)


def test_temperature_and_top_p_by_hand():
    # At temperature 0.5 the probabilities are squared: 0.01, 0.16, 0.04, 0.09 of 0.30.
    squared = [0.01 / 0.3, 0.16 / 0.3, 0.04 / 0.3, 0.09 / 0.3]
    # Cumulated: 0.033, 0.567, 0.700, 1. With top-p 0.8 only tokens 1 and 3 are left, the more
    # probable first: 0.64 of their mass belongs to token 1.
    tokens, logprobs, entropies = choose(
        [0.02, 0.5, 0.69, 0.71, 0.63, 0.65], *[(0.5, 1.0)] * 4, *[(0.5, 0.8)] * 2
    )
    assert tokens.tolist() == [0, 1, 2, 3, 1, 3]
    expected = [math.log(squared[token]) for token in (0, 1, 2, 3, 1, 3)]
    assert logprobs.tolist() == pytest.approx(expected, abs=1e-6)
    entropy = -math.fsum(p * math.log(p) for p in squared)
    assert entropies.tolist() == pytest.approx([entropy] * 6, abs=1e-6)


def test_greedy_takes_the_most_probable_token_and_reports_plain_probabilities():
    tokens, logprobs, entropies = choose([0.0, 0.99], (0.0, 1.0), (0.0, 0.1))
    assert tokens.tolist() == [1, 1]
    assert logprobs.tolist() == pytest.approx([math.log(0.4)] * 2, abs=1e-6)
    entropy = -math.fsum(p * math.log(p) for p in PROBABILITIES)
    assert entropies.tolist() == pytest.approx([entropy] * 2, abs=1e-6)


@pytest.mark.parametrize("uniform", [0.05, 0.3, 0.55, 0.9])
def test_other_rows_do_not_change_what_a_row_draws(uniform):
    rows = ((1.0, 1.0), (1.0, 0.65), (0.0, 1.0), (0.6, 0.9))
    together, *_ = choose([uniform] * 4, *rows)
    alone = [int(choose([uniform], row)[0][0]) for row in rows]
    assert together.tolist() == alone


def test_rows_drawn_in_chunks_are_those_drawn_together(monkeypatch):
    logits = torch.randn(23, 17)
    uniforms = torch.rand(23, dtype=torch.float64)
    rows = settings(*[((1.0, 0.0, 0.7)[row % 3], (1.0, 0.8)[row % 2]) for row in range(23)])
    whole = choose_tokens(logits.clone(), uniforms, rows)
    monkeypatch.setattr(drawing, "_CPU_CHUNK_LOGITS", 5 * 17)
    for found, expected in zip(choose_tokens(logits, uniforms, rows), whole, strict=True):
        torch.testing.assert_close(found, expected)


def test_logits_of_half_precision_are_summed_in_fp32():
    hidden, weight = torch.randn(3, 64).bfloat16(), torch.randn(11, 64).bfloat16()
    logits = OutputHead(weight).logits(hidden)
    assert logits.dtype == torch.float32
    expected = hidden.double() @ weight.double().T
    torch.testing.assert_close(logits.double(), expected, rtol=1e-5, atol=1e-5)


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


def test_of_equally_probable_tokens_the_lower_ids_are_kept():
    weights = torch.ones(1, 200)
    for uniform, expected in ((0.0, 0), (0.5, 25), (0.999, 49)):
        drawn = draw_tokens(
            weights, torch.tensor([uniform], dtype=torch.float64), torch.tensor([0.25])
        )
        assert drawn.tolist() == [expected]


class Reads(TorchDispatchMode):
    """Counts how often a value is read out of a tensor: on a device, each waits for it."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        self.count += operation is torch.ops.aten._local_scalar_dense.default
        return operation(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    ("rows", "num_reads"),
    [
        ([(1.0, 1.0), (0.6, 1.0)], 0),
        ([(1.0, 1.0), (0.0, 1.0)], 0),
        ([(1.0, 0.8), (0.6, 0.9)], 1),  # whether the candidates suffice depends on the logits
        ([(1.0, 0.8), (1.0, 1.0)], 1),
    ],
)
def test_what_the_settings_tell_is_not_asked_of_the_device(rows, num_reads):
    logits = torch.tensor(PROBABILITIES).log().expand(2, 4).clone()
    uniforms, chosen = torch.tensor([0.3, 0.6], dtype=torch.float64), settings(*rows)
    with Reads() as reads:
        choose_tokens(logits, uniforms, chosen)
    assert reads.count == num_reads


@pytest.mark.parametrize("top_p", [(0.3, 0.8), (0.05, 0.999)])
def test_the_flag_changes_no_token_where_every_row_is_cut(top_p):
    weights, uniforms = torch.rand(2, 90), torch.rand(2, dtype=torch.float64)
    masses = torch.tensor(top_p)
    expected = draw_tokens(weights, uniforms, masses)
    assert torch.equal(draw_tokens(weights, uniforms, masses, cuts_every_row=True), expected)
