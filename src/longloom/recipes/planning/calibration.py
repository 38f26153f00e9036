"""How fast the CPU at hand does each kind of work, measured in a few seconds at a model's shapes.

A network of random weights and the model's widths (of fewer layers where all would take long) is
timed at small sizes; the time of other sizes follows from its operations. CPU seconds of this
process are counted, so other work on the machine changes little.

    prefill, training    a + b x linear operations + c x attention operations
    decoding step        o per layer + r x operations of the rows + k x attention operations
    head, optimizer      operations, weights

Each is measured at as many sizes as it has terms, and no term is less than nothing. Models of other
architectures are timed as a Qwen3 of their sizes.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from longloom.engines.local_config import OptimizerConfig
from longloom.engines.machine import MachineUse
from longloom.engines.model_sizes import ModelSizes
from longloom.engines.optimizer import Optimizer
from longloom.models.generate import generate
from longloom.models.local_policy import score_sequences
from longloom.models.logprob_head import logprobs_and_entropies
from longloom.models.qwen3 import Qwen3, Qwen3Shape
from longloom.recipes.planning.operations import (
    Number,
    Operations,
    answer_operations,
    context_operations,
    layer_operations,
)
from longloom.recipes.planning.rates import DecodingLoad, StepSeconds
from longloom.records import SampleRequest, SamplingParams, TrainingSequence

_WORDS = 1_000
"""Token ids are drawn below this, or below the vocabulary if that is smaller."""
_TRAINING_OPERATIONS = 1e10
"""The network is cut to so many layers that its largest pass forward takes no more."""
_WHOLE_WEIGHTS = 200_000_000
"""Larger networks decode with fewer layers too."""
_SHAPES = ((48, 16), (512, 64), (2_048, 64))
"""Prompt and answer tokens of the passes that are timed, with four answers each."""
_ANSWERS = 4
_DECODED = ((32, 1, 1), (32, 1, 8), (32, 4, 8), (1_024, 1, 8))
"""Prompt tokens, prompts and answers to each of the steps that are timed."""
_FEW_STEPS, _MANY_STEPS = 4, 16
_HEAD_TOKENS = 256
_OPTIMIZED_WEIGHTS = 1 << 21


@dataclass(frozen=True, slots=True, kw_only=True)
class PassRate:
    """Seconds of a pass: per pass, and per operation of each kind."""

    each: Number
    """Of one pass, however small."""
    linear: Number
    """Per linear operation."""
    attention: Number
    """Per operation of attention."""
    head: Number
    """Per operation of the head going forward."""

    def seconds(self, work: Operations, num_passes: Number) -> Number:
        """Return the seconds of passes."""
        return (
            num_passes * self.each
            + work.linear * self.linear
            + work.attention * self.attention
            + work.head * self.head
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRates:
    """Rates of this machine (see `rates.Rates`); training is forward and backward together."""

    sizes: ModelSizes
    """The network."""
    prefill: PassRate
    """Passes over prompts."""
    training: PassRate
    """Forward and backward pass, per operation going forward."""
    layer_seconds: Number
    """Of one layer in a decoding step of one row."""
    row_rate: Number
    """Seconds per operation of rows in linear layers and head."""
    key_rate: Number
    """Seconds per operation of their attention."""
    weight_seconds: Number
    """Of one weight in an optimizer step."""

    def prefill_seconds(self, work: Operations, num_passes: Number = 0.0) -> Number:
        """See `rates.Rates`."""
        return self.prefill.seconds(work, num_passes)

    def training_seconds(self, forward: Operations, num_passes: Number = 0.0) -> Number:
        """See `rates.Rates`."""
        return self.training.seconds(forward, num_passes)

    def optimizer_seconds(self, num_trained: Number) -> Number:
        """See `rates.Rates`."""
        return num_trained * self.weight_seconds

    def step_seconds(self, load: DecodingLoad) -> StepSeconds:
        """See `rates.Rates`."""
        each = answer_operations(self.sizes, load.prompt_tokens + load.own_tokens, 1)
        rows = (each.linear + each.head) * self.row_rate + each.attention * self.key_rate
        return StepSeconds(
            overhead=(self.sizes.num_layers + 1) * self.layer_seconds,
            weights=0.0,
            rows=load.rows * rows,
        )


def calibrate(sizes: ModelSizes, use: MachineUse, *, has_adapters: bool = False) -> MeasuredRates:
    """Measure this machine's CPU at the shapes of a model; takes a few seconds.

    Args:
        sizes: of the model.
        use: in what it computes, and whether layers are computed again.
        has_adapters: whether the weights are left as they are.
    """
    largest = _ANSWERS * _SHAPES[-1][1] + _SHAPES[-1][0]
    most_layers = int(_TRAINING_OPERATIONS / (layer_operations(sizes) * largest))
    cut = _with_layers(sizes, max(2, most_layers))
    with _one_seed():
        network = _network(cut, use)
        head = _head_rate(network, cut)
        training = _training_rate(network, cut, use, head, has_adapters=has_adapters)
        prefill = _prefill_rate(network, cut)
        if sizes.num_weights <= _WHOLE_WEIGHTS and cut.num_layers < sizes.num_layers:
            cut = sizes
            network = _network(sizes, use)
        layer_seconds, row_rate, key_rate = _decoding_rates(network, cut)
    return MeasuredRates(
        sizes=sizes,
        prefill=prefill,
        training=training,
        layer_seconds=layer_seconds,
        row_rate=row_rate,
        key_rate=key_rate,
        weight_seconds=_optimizer_rate(),
    )


def _with_layers(sizes: ModelSizes, num_layers: int) -> ModelSizes:
    return replace(sizes, num_layers=min(sizes.num_layers, num_layers), is_own=True)


def _network(sizes: ModelSizes, use: MachineUse) -> Qwen3:
    head_dim = sizes.query_width // sizes.num_heads
    network = Qwen3(
        Qwen3Shape(
            vocab_size=sizes.vocab_size,
            hidden_size=sizes.hidden_size,
            intermediate_size=sizes.mlp_width,
            num_hidden_layers=sizes.num_layers,
            num_attention_heads=sizes.num_heads,
            num_key_value_heads=sizes.key_width // head_dim,
            head_dim=head_dim,
            max_position_embeddings=1 << 20,
            rope_theta=1e6,
            rms_norm_eps=1e-6,
            tie_word_embeddings=sizes.is_tied,
        )
    )
    network.recomputes_layers = use.recomputes_layers
    return network.to(use.dtype)


@contextmanager
def _one_seed() -> Iterator[None]:
    """Leave torch's random numbers as they were."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def _timed(work: Callable[[], object], *, times: int = 2) -> Number:
    """Return the CPU seconds of the fastest of some calls, after one that warms up."""
    work()
    found = []
    for _ in range(times):
        begin = time.process_time()
        work()
        found.append(time.process_time() - begin)
    return min(found)


def _prompt(sizes: ModelSizes, num_tokens: int, number: int = 0) -> tuple[int, ...]:
    limit = min(_WORDS, sizes.vocab_size)
    return tuple((place * 7 + number * 13) % limit for place in range(num_tokens))


def _sequences(sizes: ModelSizes, prompt_tokens: int, num_tokens: int) -> list[TrainingSequence]:
    prompt = _prompt(sizes, prompt_tokens)
    return [
        TrainingSequence(
            prompt_ids=prompt,
            response_ids=_prompt(sizes, num_tokens, number),
            rollout_logprobs=(),
            advantages=(),
        )
        for number in range(1, _ANSWERS + 1)
    ]


def _head_rate(network: Qwen3, sizes: ModelSizes) -> tuple[Number, Number]:
    """Return seconds per forward operation of the head: forward alone, and with backward."""
    operations = 2.0 * sizes.embedding_weights * _HEAD_TOKENS
    hidden = torch.randn(_HEAD_TOKENS, sizes.hidden_size).to(network.dtype).requires_grad_()
    targets = torch.arange(_HEAD_TOKENS) % sizes.vocab_size
    weight = network.head_weight

    def forward() -> torch.Tensor:
        return logprobs_and_entropies(hidden, weight, targets, temperature=1.0)[0]

    def both() -> None:
        forward().sum().backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        weight.grad = None

    with torch.no_grad():
        alone = _timed(forward)
    return alone / operations, _timed(both) / operations


def _training_rate(
    network: Qwen3,
    sizes: ModelSizes,
    use: MachineUse,
    head: tuple[Number, Number],
    *,
    has_adapters: bool,
) -> PassRate:
    rows, seconds = [], []
    for weight in network.parameters():
        weight.requires_grad_(not has_adapters)
    if has_adapters:  # so that the backward pass goes all the way down
        network.model.embed_tokens.weight.requires_grad_()
    for prompt_tokens, num_tokens in _SHAPES:
        sequences = _sequences(sizes, prompt_tokens, num_tokens)

        def step(sequences: Sequence[TrainingSequence] = sequences) -> None:
            logprobs, _ = score_sequences(network, sequences, temperature=1.0)
            logprobs.sum().backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            for weight in network.parameters():
                weight.grad = None

        work = context_operations(sizes, prompt_tokens - 1) + answer_operations(
            sizes, prompt_tokens - 1, num_tokens
        ).times(_ANSWERS)
        rows.append((1.0, work.linear, work.attention))
        seconds.append(_timed(step) - work.head * head[1])
    each, linear, attention = _fitted(rows, seconds)
    return PassRate(each=each, linear=linear, attention=attention, head=head[1])


def _prefill_rate(network: Qwen3, sizes: ModelSizes) -> PassRate:
    """Time rollouts of one token: passes over prompts, and one draw."""
    rows, seconds = [], []
    for prompt_tokens, _ in _SHAPES:
        work = context_operations(sizes, prompt_tokens)
        rows.append((1.0, work.linear, work.attention))
        seconds.append(_timed(partial(_draw, network, sizes, prompt_tokens, 1, 1, 1)))
    each, linear, attention = _fitted(rows, seconds)
    return PassRate(each=each, linear=linear, attention=attention, head=linear)


def _draw(
    network: Qwen3,
    sizes: ModelSizes,
    prompt_tokens: int,
    num_prompts: int,
    group_size: int,
    num_tokens: int,
) -> None:
    params = SamplingParams(temperature=1.0, top_p=1.0, max_new_tokens=num_tokens)
    requests = [
        SampleRequest(
            prompt_ids=_prompt(sizes, prompt_tokens, number), params=params, key=f"{number}/{row}"
        )
        for number in range(num_prompts)
        for row in range(group_size)
    ]
    generate(network, requests, end_ids=frozenset(), max_batch_tokens=1 << 30)


def _decoding_rates(network: Qwen3, sizes: ModelSizes) -> tuple[Number, Number, Number]:
    """Return seconds per layer and step, per operation of a row, and per operation of attention."""
    rows, seconds = [], []
    for prompt_tokens, num_prompts, group_size in _DECODED:
        drawn = partial(_draw, network, sizes, prompt_tokens, num_prompts, group_size)
        spent = [_timed(partial(drawn, count)) for count in (_FEW_STEPS, _MANY_STEPS)]
        own = (_FEW_STEPS + _MANY_STEPS) / 2
        each = answer_operations(sizes, prompt_tokens + own, 1)
        num_rows = num_prompts * group_size
        rows.append(
            (
                float(sizes.num_layers + 1),
                num_rows * (each.linear + each.head),
                num_rows * each.attention,
            )
        )
        seconds.append((spent[1] - spent[0]) / (_MANY_STEPS - _FEW_STEPS))
    layer, row, key = _fitted(rows, seconds)
    return layer, row, key


def _optimizer_rate() -> Number:
    weight = torch.nn.Parameter(torch.zeros(_OPTIMIZED_WEIGHTS))
    optimizer = Optimizer({"weight": weight}, OptimizerConfig())

    def step() -> None:
        weight.grad = torch.full_like(weight, 1e-3)
        optimizer.step(learning_rate=1e-6, max_grad_norm=1.0)

    return _timed(step) / _OPTIMIZED_WEIGHTS


def _fitted(
    rows: Sequence[tuple[Number, Number, Number]], seconds: Sequence[Number]
) -> tuple[Number, Number, Number]:
    """Return what each term costs: least squares of relative errors, none below 0.

    Terms that come out negative are left out, and the others fitted again.
    """
    scale = np.asarray(seconds, dtype=float)
    terms = np.asarray(rows, dtype=float) / scale[:, None]
    kept = [0, 1, 2]
    found = np.zeros(3)
    while kept:
        solution = np.linalg.lstsq(terms[:, kept], np.ones(len(scale)), rcond=None)[0]
        if (solution >= 0).all():
            found[kept] = solution
            break
        del kept[int(np.argmin(solution * terms[:, kept].max(axis=0)))]
    first, second, third = (float(value) for value in found)
    return first, second, third
