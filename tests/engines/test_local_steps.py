"""One step of the local engine against the same step on unshared rows with all logits."""

import random
from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForCausalLM

from longloom.engines.local import LocalEngine
from longloom.engines.local_config import LocalEngineConfig, OptimizerConfig
from longloom.engines.optimizer_file import read_optimizer
from longloom.errors import EngineError
from longloom.models.loading import load_network
from longloom.records import TrainingSequence
from longloom.training.loss_config import LossConfig, LossDenominators, SupervisedLossConfig
from longloom.training.losses import policy_gradient_loss
from random_sequences import sequences_of, update_of
from tiny_architectures import write_architecture
from tiny_models import TinyShape, write_model

# A step of AdamW is lr * g / (|g| + epsilon) at first. A large epsilon makes it smooth, so that
# rounding of a small gradient stays rounding.
SMOOTH = OptimizerConfig(epsilon=0.1, weight_decay=0.03)
LEARNING_RATE = 0.01


def slow_logprobs(model, sequence, temperature):
    ids = torch.tensor([[*sequence.prompt_ids, *sequence.response_ids]])
    logprobs = (model(ids).logits[0, :-1] / temperature).log_softmax(dim=-1)
    rows = logprobs[len(sequence.prompt_ids) - 1 :]
    return rows.gather(1, ids[0, len(sequence.prompt_ids) :, None])[:, 0]


def flat(sequences, name):
    values = [getattr(sequence, name) for sequence in sequences]
    return None if values[0] is None else torch.tensor([v for row in values for v in row])


def slow_step(folder, update, loss, reference=None):
    """Return the weights after one step of torch's own AdamW, row by row."""
    model = AutoModelForCausalLM.from_pretrained(folder)
    sequences, temperature = update.sequences, update.temperature
    logprobs = torch.cat([slow_logprobs(model, each, temperature) for each in sequences])
    if isinstance(loss, SupervisedLossConfig):
        value = -logprobs.mean()
    else:
        ref_logprobs = None
        if reference is not None:
            theirs = AutoModelForCausalLM.from_pretrained(reference)
            with torch.no_grad():
                rows = [slow_logprobs(theirs, each, temperature) for each in sequences]
            ref_logprobs = torch.cat(rows)
        lengths = torch.tensor([len(each.response_ids) for each in sequences])
        value, _ = policy_gradient_loss(
            logprobs,
            flat(sequences, "old_logprobs"),
            flat(sequences, "advantages"),
            loss,
            update.denominators,
            sequence_tokens=lengths.repeat_interleave(lengths),
            ref_logprobs=ref_logprobs,
            rollout_logprobs=flat(sequences, "rollout_logprobs"),
        )
    value.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), update.max_grad_norm)
    adamw = torch.optim.AdamW(
        model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.95), eps=0.1, weight_decay=0.03
    )
    adamw.step()
    return dict(model.named_parameters()), float(value.detach()), float(norm)


def weights_of(engine, folder):
    engine.save_policy(folder)
    return dict(load_network(folder).named_parameters())


def assert_same(found, expected, atol=2e-6):
    assert set(found) == set(expected)
    for name, weight in expected.items():
        torch.testing.assert_close(found[name], weight, rtol=0, atol=atol, msg=name)


LOSSES = {
    "on policy": LossConfig(),
    "sequence mean": LossConfig(aggregation="sequence_mean"),
    "capped": LossConfig(importance_cap=1.5),
    "kl": LossConfig(kl_coefficient=0.3),
    "supervised": SupervisedLossConfig(),
}


@pytest.mark.parametrize("old", [False, True], ids=["first", "later"])
@pytest.mark.parametrize("name", LOSSES)
def test_a_step_is_that_of_torch_on_unshared_rows(tiny_folder, tmp_path, name, old):
    write_model(tmp_path / "other", TinyShape(seed=3))
    update, loss = update_of(sequences_of(old=old)), LOSSES[name]
    config = LocalEngineConfig(optimizer=SMOOTH, max_batch_tokens=40)
    engine = LocalEngine(tiny_folder, config=config, reference=tmp_path / "other")
    metrics = engine.update(update, loss=loss)
    reference = tmp_path / "other" if name == "kl" else None
    expected, value, norm = slow_step(tiny_folder, update, loss, reference)
    assert metrics["training/loss"] == pytest.approx(value, rel=1e-5, abs=1e-5)
    assert metrics["training/grad_norm"] == pytest.approx(norm, rel=1e-4)
    assert_same(weights_of(engine, tmp_path / "found"), expected)


def trajectories():
    """Return the calls of three trajectories of 2, 3 and 5 calls, each with one advantage.

    They read the same sections, section first: the first call of all is the same, the others begin
    with the section and go on with memories of their own.
    """
    rng = random.Random(4)

    def ids(count):
        return tuple(rng.randrange(256) for _ in range(count))

    sections = [ids(70) for _ in range(4)]
    found = []
    for num_calls, advantage in ((2, 1.1), (3, -0.2), (5, -0.9)):
        memory = (1,)
        for call in range(num_calls):
            is_answer = call == num_calls - 1
            prompt = (*(() if is_answer else sections[call]), *memory, 2)
            count = rng.randint(2, 9)
            memory = ids(count)
            found.append(
                TrainingSequence(
                    prompt_ids=prompt,
                    response_ids=memory,
                    rollout_logprobs=(-5.0,) * count,
                    advantages=(advantage,) * count,
                )
            )
    return found


@pytest.mark.parametrize("max_batch_tokens", [10, 100, 160, 1_000])
def test_calls_of_unequal_trajectories_take_torchs_step_however_they_are_cut(
    tiny_folder, tmp_path, max_batch_tokens
):
    update, loss = update_of(trajectories()), LossConfig(kl_coefficient=0.001)
    config = LocalEngineConfig(optimizer=SMOOTH, max_batch_tokens=max_batch_tokens)
    engine = LocalEngine(tiny_folder, config=config)
    metrics = engine.update(update, loss=loss)
    expected, value, norm = slow_step(tiny_folder, update, loss, tiny_folder)
    assert metrics["training/loss"] == pytest.approx(value, rel=1e-5, abs=1e-5)
    assert metrics["training/grad_norm"] == pytest.approx(norm, rel=1e-4)
    assert_same(weights_of(engine, tmp_path / "found"), expected)


@pytest.mark.parametrize("name", ["llama", "qwen2", "qwen3_moe"])
def test_other_architectures_take_torchs_step_too(tmp_path, name):
    write_architecture(tmp_path / name, name)
    update = update_of(sequences_of())
    engine = LocalEngine(tmp_path / name, config=LocalEngineConfig(optimizer=SMOOTH))
    engine.update(update, loss=LossConfig())
    expected, _, _ = slow_step(tmp_path / name, update, LossConfig())
    assert_same(weights_of(engine, tmp_path / "found"), expected)


@pytest.mark.parametrize(
    "changes",
    [
        {"max_batch_tokens": 1},  # every answer by itself
        {"max_batch_tokens": 9},
        {"max_batch_tokens": 30},
        {"gradient_checkpointing": "on"},
        {"activation_offload": True},
        {"gradient_checkpointing": "on", "activation_offload": True, "max_batch_tokens": 30},
    ],
    ids=str,
)
def test_how_the_machine_is_used_changes_rounding_alone(tiny_folder, tmp_path, changes):
    found = []
    for index, settings in enumerate(({}, changes)):
        config = LocalEngineConfig(optimizer=SMOOTH, **settings)
        engine = LocalEngine(tiny_folder, config=config)
        metrics = engine.update(update_of(sequences_of()), loss=LossConfig())
        found.append((metrics, weights_of(engine, tmp_path / str(index))))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-4, abs=1e-6)
    assert_same(found[1][1], found[0][1])


def test_scores_are_the_log_probabilities_of_unshared_rows_in_order(tiny_folder):
    sequences = sequences_of()
    engine = LocalEngine(tiny_folder, config=LocalEngineConfig(max_batch_tokens=20))
    model = AutoModelForCausalLM.from_pretrained(tiny_folder)
    scores = engine.score(sequences, temperature=0.8)
    assert [len(row) for row in scores] == [len(each.response_ids) for each in sequences]
    for sequence, row in zip(sequences, scores, strict=True):
        assert row == pytest.approx(slow_logprobs(model, sequence, 0.8).tolist(), abs=1e-4)


def test_old_scores_of_the_same_policy_give_a_ratio_of_one_to_the_bit(tiny_folder):
    engine = LocalEngine(tiny_folder, config=LocalEngineConfig(max_batch_tokens=20))
    sequences = sequences_of()
    scores = engine.score(sequences, temperature=0.8)
    rescored = [
        replace(each, old_logprobs=row, rollout_logprobs=row)
        for each, row in zip(sequences, scores, strict=True)
    ]
    metrics = engine.update(update_of(rescored), loss=LossConfig())
    assert metrics["training/sampler_gap_max_nats"] == 0.0
    # The update's own log-probabilities are those of the scores, so no ratio is off by a bit.
    assert metrics["training/importance_ratio_mean"] == pytest.approx(1.0, abs=1e-7)
    again = engine.update(update_of(rescored), loss=LossConfig())
    assert abs(again["training/importance_ratio_mean"] - 1) > 1e-4
    # The gap is that of the policy that was sampled, however far this one has moved.
    assert again["training/sampler_gap_max_nats"] == 0.0


@pytest.mark.parametrize("cap", [None, 2.0])
def test_the_gap_to_the_sampler_is_that_of_the_log_probabilities(tiny_folder, cap):
    sequences = sequences_of()
    engine = LocalEngine(tiny_folder)
    scores = engine.score(sequences, temperature=0.8)
    gaps = [
        ours - theirs
        for row, sequence in zip(scores, sequences, strict=True)
        for ours, theirs in zip(row, sequence.rollout_logprobs, strict=True)
    ]
    metrics = engine.update(update_of(sequences), loss=LossConfig(importance_cap=cap))
    expected = torch.tensor(gaps, dtype=torch.float64)
    assert metrics["training/sampler_gap_nats"] == pytest.approx(float(expected.abs().mean()))
    assert metrics["training/sampler_gap_max_nats"] == pytest.approx(float(expected.abs().max()))
    assert metrics["training/sampler_ratio_mean"] == pytest.approx(
        float(expected.exp().mean()), rel=1e-5
    )


def test_supervised_learning_needs_no_sampler_and_logs_no_gap(tiny_folder):
    engine = LocalEngine(tiny_folder)
    rows = [replace(each, rollout_logprobs=()) for each in sequences_of()]
    losses = []
    for _ in range(15):
        update = update_of(rows, temperature=1.0, max_grad_norm=10.0)
        metrics = engine.update(update, loss=SupervisedLossConfig())
        assert metrics["training/nll_nats"] == metrics["training/loss"]
        losses.append(metrics["training/nll_nats"])
    assert set(metrics) == {"training/nll_nats", "training/loss", "training/grad_norm"}
    assert losses[-1] < losses[0] - 1


def test_an_update_without_sequences_is_an_engine_error(tiny_folder):
    denominators = LossDenominators(num_tokens=1, num_sequences=1)
    with pytest.raises(EngineError, match="no sequences"):
        LocalEngine(tiny_folder).update(update_of([], denominators=denominators), loss=LossConfig())


def test_old_scores_of_some_sequences_alone_are_an_engine_error(tiny_folder):
    first, *others = sequences_of()
    mixed = [replace(first, old_logprobs=(-1.0,) * len(first.response_ids)), *others]
    with pytest.raises(EngineError, match="old_logprobs; expected one per token"):
        LocalEngine(tiny_folder).update(update_of(mixed), loss=LossConfig())


def test_a_failed_update_leaves_no_gradient_to_the_next(tiny_folder, tmp_path):
    config = LocalEngineConfig(optimizer=SMOOTH, max_batch_tokens=20)
    good = update_of(sequences_of())
    bad = update_of([*sequences_of(), replace(sequences_of()[0], advantages=(1.0,))])
    engines = [LocalEngine(tiny_folder, config=config) for _ in range(2)]
    with pytest.raises(EngineError):
        engines[0].update(bad, loss=LossConfig())
    for engine in engines:
        engine.update(good, loss=LossConfig())
    first, second = (weights_of(each, tmp_path / str(i)) for i, each in enumerate(engines))
    assert_same(first, second, atol=0)


BF16 = LocalEngineConfig(dtype="bfloat16")


def test_bf16_learns(tiny_folder):
    engine = LocalEngine(tiny_folder, config=BF16)
    rows = [replace(each, rollout_logprobs=()) for each in sequences_of()]
    losses = [
        engine.update(
            update_of(rows, temperature=1.0, max_grad_norm=10.0), loss=SupervisedLossConfig()
        )["training/loss"]
        for _ in range(15)
    ]
    in_fp32 = LocalEngine(tiny_folder).update(
        update_of(rows, temperature=1.0), loss=SupervisedLossConfig()
    )
    assert losses[0] == pytest.approx(in_fp32["training/loss"], rel=0.02)
    assert losses[-1] < losses[0] - 1


def test_steps_too_small_for_bf16_move_the_masters(tiny_folder, tmp_path):
    engine = LocalEngine(tiny_folder, config=BF16)
    for index in range(2):
        engine.save(tmp_path / str(index))
        engine.update(update_of(sequences_of(), learning_rate=1e-7), loss=LossConfig())
    before, after = (read_optimizer(tmp_path / str(index)) for index in range(2))
    name = "model.layers.0.mlp.gate_proj.weight"
    moved = (after[f"{name}.master"] - before[f"{name}.master"]).abs()
    assert 0 < float(moved.max()) < 1e-6
    assert float((moved > 0).float().mean()) > 0.8
    kept = [dict(load_network(tmp_path / str(i)).named_parameters())[name] for i in range(2)]
    # Rounded to bf16 they are where they were, but for those that were about to turn.
    assert float((kept[0] != kept[1]).float().mean()) < 0.02
