"""A step whose rollouts all fail stops the training; the steps before it are safe."""

import pytest

from longloom.errors import EngineError, ModelError
from longloom.training.loop import last_step
from training.stages import CONFIG, recorder, train
from training.unigram_engine import UnigramEngine, read_logits

ALL = CONFIG.sampling.replace(batch_size=12)


def breaking_engine(is_broken):
    """Return an engine whose sampler fails where `is_broken` says so of a stream's name."""
    engine = UnigramEngine()
    draw = engine.sampler.sample

    async def sample(request):
        if is_broken(request.key):
            raise ModelError(f"no answer for {request.key}")
        return await draw(request)

    engine.sampler.sample = sample
    return engine


def test_training_stops_at_the_step_and_resumes_before_it(tmp_path):
    straight, broken, resumed = {}, {}, {}
    final = train(tmp_path / "straight", listener=recorder(straight))
    engine = breaking_engine(lambda key: key.startswith("3/stage/2/"))
    message = r"^all 16 rollouts of step 3 of stage failed, the first with: .*no answer for 3/stage"
    with pytest.raises(EngineError, match=message):
        train(tmp_path / "broken", listener=recorder(broken), engine=engine)
    assert list(broken) == [1, 2, 3]
    assert broken[3]["training/skipped_steps"] == broken[3]["rollout/failed_fraction"] == 1.0
    assert last_step(tmp_path / "broken") == 2
    again = train(tmp_path / "broken", listener=recorder(resumed))
    assert resumed == {3: straight[3], 4: straight[4]}
    assert read_logits(again) == read_logits(final)


def test_training_goes_on_while_one_rollout_lives(tmp_path):
    log = {}
    engine = breaking_engine(lambda key: "/stage/2/" in key and "/e1/0/" not in key)
    examples_of_step = set()

    def listen(result):
        recorder(log)(result)
        if result.step == 3:
            examples_of_step.update(group.example.example_id for group in result.groups)

    train(tmp_path, CONFIG.replace(sampling=ALL), listen, engine=engine)
    assert "e1" in examples_of_step
    assert log[3]["rollout/failed_fraction"] == 47 / 48
