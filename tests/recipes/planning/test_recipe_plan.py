"""Work, time and what binds, from small recipes counted by hand."""

from dataclasses import replace

import pytest

from longloom.errors import ConfigError
from longloom.recipes import api
from longloom.recipes.catalogue import RECIPES, load_config
from longloom.recipes.planning import stage_seconds
from longloom.recipes.planning.assumptions import PlanAssumptions
from longloom.recipes.planning.devices import ACCELERATORS, accelerator
from longloom.recipes.planning.expected_work import (
    INSTRUCTION_TOKENS,
    CallBatch,
    ExpectedWork,
    expected_work,
)
from longloom.recipes.planning.known_models import model_sizes
from longloom.recipes.planning.machines import gpus
from longloom.recipes.planning.rates import DecodingLoad, StatedRates, StepSeconds
from longloom.recipes.planning.recipe_plan import plan_recipe
from longloom.recipes.planning.tables import plain_plan
from longloom.recipes.run_config import EvaluationConfig

ASSUMED = PlanAssumptions(answer_fraction=0.5, prompt_fraction=0.5)
SIZES = (
    "stages.0.training.num_steps=3", "stages.0.training.sampling.batch_size=5",
    "stages.0.training.group_size=4", "stages.0.training.max_prompt_tokens=96",
    "stages.0.training.max_response_tokens=32",
)  # fmt: skip


def work_of(*overrides: str, stage: int = 0, recipe: str = "tiny-cpu", assumed=ASSUMED):
    return expected_work(load_config(recipe, overrides=[*overrides]), assumed)[stage]


def test_full_context_work_is_counted_by_hand() -> None:
    work = work_of(*SIZES)
    # 3 steps of 5 prompts of 48 tokens, 4 answers of 16 tokens to each
    assert work.num_rollouts == 60
    assert work.prefilled_tokens == 3 * 5 * 48
    assert work.unshared_prefilled_tokens == 60 * 48
    assert work.drawn_tokens == 60 * 16
    assert work.trained_tokens == 15 * 48 + 60 * 16
    assert work.unshared_trained_tokens == 60 * (48 + 16)


def test_prompts_have_the_mean_length_of_their_band() -> None:
    # Filled between three quarters and all of the band of 96 tokens.
    work = work_of(*SIZES, assumed=PlanAssumptions())
    assert work.prefilled_tokens == pytest.approx(15 * 0.875 * 96)


def test_validation_and_selection_are_counted() -> None:
    validated = work_of(
        *SIZES, "stages.0.training.validation.every_steps=2",
        "stages.0.training.validation.num_examples=7",
    )  # fmt: skip
    assert validated.num_rollouts == 60 + 2 * 7  # after steps 2 and 3
    assert validated.trained_tokens == work_of(*SIZES).trained_tokens
    selected = work_of(
        *SIZES, "stages.0.training.selection.transition.enabled=true",
        "stages.0.training.selection.num_rollouts=6", "synthesis.num_train_examples=10",
    )  # fmt: skip
    assert selected.num_rollouts == 60 + 10 * 6


def test_dropped_groups_are_drawn_again() -> None:
    refilled = work_of(*SIZES, "stages.0.training.group_filter.drop_zero_variance=true")
    assert refilled.num_rollouts == pytest.approx(60 / 0.7)
    assert refilled.trained_tokens == work_of(*SIZES).trained_tokens


def test_the_memory_agent_shares_its_first_section_alone() -> None:
    overrides = [
        "memory_document_tokens=500", "memory.chunk_tokens=200", "memory.memory_tokens=10",
        "stages.3.training.num_steps=2", "stages.3.training.group_size=4",
        "stages.3.training.sampling.batch_size=5", "stages.3.training.max_response_tokens=8",
    ]  # fmt: skip
    work = work_of(*overrides, stage=3)
    section, written, said = 500 / 3, 5, INSTRUCTION_TOKENS["compact"]
    # 2 steps of 5 documents in 4 rollouts: 3 sections and an answer of 4 tokens in each
    assert work.num_rollouts == 40
    assert work.drawn_tokens == 40 * (3 * written + 4)
    first = 10 * (section + said)
    later = 40 * 2 * (section + written + said)
    assert work.prefilled_tokens == pytest.approx(first + later + 40 * (written + said))


def test_fine_tuning_counts_its_rows(tmp_path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "1?", "response": "1"}\n' * 10)
    sizes = ("stages.0.sft.batch_size=4", "stages.0.sft.max_tokens=100")
    known = work_of(*sizes, f"stages.0.sft_rows={rows}", recipe="qwenlong-l1")
    assert known.num_steps == 3 * 3
    assert known.trained_tokens == pytest.approx(3 * 10 * 50)
    assumed = work_of(*sizes, recipe="qwenlong-l1")
    assert assumed.trained_tokens == pytest.approx(3 * 5_300 * 50)


def test_updates_after_the_first_score_their_batch() -> None:
    assert work_of(*SIZES).scored_fraction == 0
    assert work_of(*SIZES, "stages.0.training.updates_per_batch=4").scored_fraction == 0.75


class UnitRates:
    """A decoding step takes one second, whatever its rows; all else nothing."""

    def prefill_seconds(self, work, num_passes=0.0):
        return 0.0

    def training_seconds(self, forward, num_passes=0.0):
        return 0.0

    def optimizer_seconds(self, num_trained):
        return 0.0

    def step_seconds(self, load):
        return StepSeconds(overhead=1.0, weights=0.0, rows=0.0)


USE = stage_seconds.EngineUse(
    num_devices=1, num_copies=1, cache_tokens=1e9, batch_tokens=1_000, has_adapters=False,
    recomputes_layers=False, num_trained=1,
)  # fmt: skip
BATCH = CallBatch(
    num_batches=2, num_prompts=4, group_size=8, prompt_tokens=100, response_tokens=10,
    longest_tokens=30,
)  # fmt: skip


def seconds_of(batch: CallBatch, **changes: float) -> dict[str, float]:
    work = ExpectedWork(
        name="s", kind="full_context", num_steps=2, num_rollouts=1, batches=(batch,)
    )
    sizes = model_sizes("tiny-base")
    return stage_seconds.stage_seconds(sizes, work, replace(USE, **changes), UnitRates())


def test_steps_are_the_longest_answer_where_all_rows_fit() -> None:
    found = seconds_of(BATCH)
    # two batches of 30 steps: 10 that every row needs and 20 for the longest
    assert found[stage_seconds.OVERHEAD] == 20
    assert found[stage_seconds.TAIL] == 40
    assert found[stage_seconds.WAITING] == 0


def test_rows_that_do_not_fit_wait() -> None:
    # A group needs 100 + 8 x 10 tokens: one of four groups at once, so three more rounds of 10.
    found = seconds_of(BATCH, cache_tokens=200)
    assert found[stage_seconds.WAITING] == 2 * 3 * 10
    assert stage_seconds.rollout_seconds(found) == 2 * (30 + 30)


def test_a_decoding_step_reads_weights_and_caches() -> None:
    sizes = model_sizes("Qwen/Qwen3-4B")
    assumed = PlanAssumptions(mbu_decode=0.5, layer_step_seconds=1e-4)
    rates = StatedRates(accelerator=accelerator("h100"), assumed=assumed, sizes=sizes)
    load = DecodingLoad(rows=8, groups=1, prompt_tokens=1_000, own_tokens=100)
    step = rates.step_seconds(load)
    assert step.overhead == pytest.approx(36e-4)
    assert step.weights == pytest.approx(4_022_468_096 * 2 / 1.675e12)
    # 1,000 shared and 8 x 100 own tokens of 4,096 bytes, 8 x 1,100 x 32 scores of 16, 36 layers
    caches = 36 * (1_800 * 4_096 + 8 * 1_100 * 32 * 16)
    assert step.rows == pytest.approx(caches / 1.675e12)
    served = replace(rates, is_served=True).step_seconds(load)
    assert served.rows == pytest.approx(36 * 8 * 1_100 * 4_096 / 1.675e12)


def test_many_rows_are_bound_by_arithmetic() -> None:
    sizes = model_sizes("Qwen/Qwen3-4B")
    rates = StatedRates(accelerator=accelerator("l4"), assumed=PlanAssumptions(), sizes=sizes)
    load = DecodingLoad(rows=4_096, groups=4_096, prompt_tokens=1, own_tokens=1)
    assert rates.step_seconds(load).weights == 0


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_planned(name) -> None:
    config = load_config(name)
    plan = plan_recipe(config, gpus("h200", 8, None, PlanAssumptions()))
    assert [stage.work.name for stage in plan.stages][: len(config.stages)] == [
        stage.name for stage in config.stages
    ]
    assert all(stage.total_seconds > 0 for stage in plan.stages)
    assert plain_plan(plan)["seconds"] == plan.total_seconds
    assert any("never been run here" in note for note in plan.notes)


def test_one_gpu_weekend_fits_a_weekend_and_80_gb() -> None:
    for name in ("a100-80g", "h100", "h200"):
        plan = api.plan("one-gpu-weekend", gpu=name, assume=["answer_fraction=0.6"])
        assert plan.fits
        assert plan.total_seconds < 48 * 3_600


def test_more_gpus_take_less_time_and_longer_answers_more() -> None:
    def seconds(num_gpus: int, fraction: float) -> float:
        assume = [f"answer_fraction={fraction}"]
        planned = api.plan("one-gpu-weekend", gpu="h100", gpus=num_gpus, assume=assume)
        return planned.total_seconds

    assert seconds(8, 0.5) < seconds(4, 0.5) < seconds(1, 0.5) < seconds(1, 0.8)


def test_what_does_not_fit_says_what_to_change() -> None:
    plan = api.plan("one-gpu-weekend", gpu="h100", overrides=["engine.lora=null"])
    assert not plan.fits
    assert "train adapters" in plan.stages[0].advice
    assert "such GPUs" in plan.stages[0].advice


def test_the_price_is_of_device_hours() -> None:
    plan = api.plan("one-gpu-weekend", gpu="h100", gpus=2, price=3.0)
    plain = plain_plan(plan)
    assert plain["cost"] == pytest.approx(plan.total_seconds / 3_600 * 2 * 3)


def test_the_evaluation_is_left_out_where_there_is_none() -> None:
    config = load_config("tiny-cpu").replace(
        evaluation=EvaluationConfig(num_questions=0, num_documents=0)
    )
    names = [work.name for work in expected_work(config, ASSUMED)]
    assert "evaluation" not in names


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"gpu": "h10"}, "did you mean 'h100'"),
        ({"gpus": 0}, "gpus is 0; expected at least 1"),
        ({"gpus": 10**400}, "expected at most 1000000"),
        ({"gpu_memory": -1.0}, "gpu_memory is -1.0"),
        ({"gpu_memory": 1e300}, "gpu_memory is 1e.300"),
        ({"price": -1.0}, "price is -1.0"),
        ({"cpu": True, "gpus": 2}, "cpu and GPUs are both given"),
        ({"assume": ["answer_share=1"]}, "did you mean 'answer_fraction'"),
        ({"assume": ["answer_fraction=2"]}, "answer_fraction is 2"),
    ],
)
def test_wrong_requests_are_refused_in_one_line(asked, message) -> None:
    with pytest.raises(ConfigError, match=message):
        api.plan("tiny-cpu", **asked)


def test_accelerators_say_where_their_figures_are_from() -> None:
    assert all(entry.source and entry.peak_flops > 1e13 for entry in ACCELERATORS.values())
