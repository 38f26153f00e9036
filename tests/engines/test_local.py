import asyncio
import math

import pytest
import torch

from longloom.engines.local import LocalEngine
from longloom.errors import EngineError, ModelError
from longloom.models.folder import load_model
from longloom.models.local_policy import score_sequences
from longloom.records import SampleRequest, SamplingParams, TrainingSequence
from longloom.training.engine import Update
from longloom.training.loss_config import LossConfig, LossDenominators

LOSS = LossConfig()


@pytest.fixture
def engine(tiny_folder):
    return LocalEngine(tiny_folder)


def sampled(engine, prompts=((1, 2, 3), (4, 5)), group_size=3):
    params = SamplingParams(temperature=1.0, top_p=1.0, max_new_tokens=6)

    async def run_all():
        return await asyncio.gather(
            *(
                engine.sampler.sample(
                    SampleRequest(prompt_ids=prompt, params=params, key=f"{prompt}/{index}")
                )
                for prompt in prompts
                for index in range(group_size)
            )
        )

    completions = asyncio.run(run_all())
    return [
        TrainingSequence(
            prompt_ids=prompts[number // group_size],
            response_ids=completion.token_ids,
            rollout_logprobs=completion.logprobs,
            advantages=((-1.0) ** number * (number + 1),) * len(completion.token_ids),
        )
        for number, completion in enumerate(completions)
    ]


def update_of(sequences, **changes):
    settings = {
        "sequences": sequences,
        "denominators": LossDenominators(
            num_tokens=sum(len(sequence.response_ids) for sequence in sequences),
            num_sequences=len(sequences),
        ),
        "temperature": 1.0,
        "learning_rate": 1e-3,
        "max_grad_norm": 1.0,
    }
    return Update(**{**settings, **changes})


def slow_logprobs(model, sequence, temperature=1.0):
    """Score one sequence by itself, with every logit there is."""
    ids = torch.tensor([[*sequence.prompt_ids, *sequence.response_ids]])
    logprobs = (model(ids).logits[0, :-1] / temperature).log_softmax(dim=-1)
    rows = logprobs[len(sequence.prompt_ids) - 1 :]
    return rows.gather(1, ids[0, len(sequence.prompt_ids) :, None])[:, 0]


def weights(engine, folder):
    engine.save(folder)
    return load_model(folder).state_dict()


def test_an_update_makes_good_answers_likelier_and_bad_ones_less_likely(engine, tmp_path):
    sequences = sampled(engine)
    engine.update(update_of(sequences, max_grad_norm=100.0), loss=LOSS)
    engine.save(tmp_path / "after")
    with torch.no_grad():
        after, _ = score_sequences(load_model(tmp_path / "after"), sequences, temperature=1.0)
    before = torch.tensor([value for sequence in sequences for value in sequence.rollout_logprobs])
    signs = torch.tensor([value for sequence in sequences for value in sequence.advantages])
    assert float(((after - before) * signs).sum()) > 0


def test_sampler_and_trainer_agree_on_policy(engine):
    metrics = engine.update(update_of(sampled(engine)), loss=LOSS)
    assert 0 <= metrics["training/sampler_gap_nats"] <= metrics["training/sampler_gap_max_nats"]
    assert metrics["training/sampler_gap_max_nats"] < 1e-3
    assert metrics["training/sampler_ratio_mean"] == pytest.approx(1.0, abs=1e-3)
    assert metrics["training/importance_ratio_mean"] == pytest.approx(1.0, abs=1e-5)


def test_a_gradient_that_is_not_finite_leaves_the_weights_alone(engine, tmp_path):
    before = weights(engine, tmp_path / "before")
    sequences = [
        TrainingSequence(
            prompt_ids=(1,), response_ids=(2,), rollout_logprobs=(-1.0,), advantages=(math.inf,)
        )
    ]
    with pytest.raises(EngineError, match="gradient norm"):
        engine.update(update_of(sequences), loss=LOSS)
    after = weights(engine, tmp_path / "after")
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


def test_a_checkpoint_before_the_first_update_can_be_restored(engine, tiny_folder, tmp_path):
    engine.save(tmp_path / "new")
    restored = LocalEngine(tiny_folder)
    restored.load(tmp_path / "new")
    sequences = sampled(engine)
    for one in (engine, restored):
        one.update(update_of(sequences), loss=LOSS)
    scores = [one.score(sequences, temperature=1.0) for one in (engine, restored)]
    assert scores[0] == scores[1]


def test_saved_folders_load_in_transformers(engine, tmp_path):
    from transformers import Qwen3ForCausalLM

    sequences = sampled(engine)
    engine.update(update_of(sequences), loss=LOSS)
    engine.save(tmp_path / "saved")
    theirs = Qwen3ForCausalLM.from_pretrained(tmp_path / "saved")
    scores = engine.score(sequences, temperature=1.0)
    for sequence, row in zip(sequences, scores, strict=True):
        assert row == pytest.approx(slow_logprobs(theirs, sequence).tolist(), abs=1e-4)


def test_a_folder_without_a_model_is_a_model_error(tmp_path):
    with pytest.raises(ModelError, match=r"config\.json"):
        LocalEngine(tmp_path)
