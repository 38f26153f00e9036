"""The ablation runs, resumes, pairs what belongs together and says what follows from it."""

import asyncio
import json
import math
from dataclasses import replace

import ablation
import pytest
from ablations.arms import ARMS, BASELINES, RlStage, SftStage, grpo_training
from ablations.estimates import compare, question_interval, student_interval
from ablations.figures import mean_curve, smoothed
from ablations.gold_forms import FormJudge, in_other_form
from ablations.paper import PAPER_DIRECTIONS, PAPER_SCORES
from ablations.report import collect, statements, written
from ablations.run_files import CurvePoint, RunResult, TaskScore, read_runs, run_path, write_run
from ablations.settings import FULL, QUICK

from longloom.errors import DataError
from longloom.records import Example, RewardRule, Split, TaskType
from longloom.rewards import RewardConfig, hybrid_reward
from longloom.rewards.judge import Verdict
from tiny_folder import write_documents


def made_run(arm="grpo", seed=0, rewards=(1.0, 0.0), **changes) -> RunResult:
    fields = {
        "arm": arm,
        "seed": seed,
        "pool_digest": "pool",
        "reward_by_question": {f"q{index}": value for index, value in enumerate(rewards)},
        "score_by_task": (TaskScore(task="multi_hop", mean_reward=sum(rewards) / len(rewards)),),
        "kl_to_base_nats": 0.1,
        "held_out_entropy_nats": 0.2,
        "held_out_response_tokens": 12.0,
        "curve": (),
        "judge_asked": 0,
        "judge_accepted": 0,
        "train_cpu_seconds": 1.0,
        "cpu_seconds": 2.0,
        "worker": 1,
    }
    return RunResult(**{**fields, **changes})


def point(step: int, validation: float | None, entropy: float = 0.0) -> CurvePoint:
    return CurvePoint(
        step=step, reward=0.5, entropy_nats=entropy, response_tokens=10.0, negatives_on=1.0,
        validation=validation,
    )  # fmt: skip


TASK_BY_QUESTION = {"q0": "multi_hop", "q1": "numerical"}


@pytest.mark.slow
def test_runs_once_resumes_and_reports(tmp_path, capsys):
    documents = write_documents(tmp_path / "documents")
    options = ["--quick", "--documents", str(documents), "--folder", str(tmp_path)]
    run = ["run", *options, "--arms", "base,aepo,l1-full", "--seeds", "1"]
    ablation.main(run)
    assert "3 runs to do" in capsys.readouterr().out
    run_path(tmp_path, "aepo", 0).unlink()  # as if the call had been killed before it
    kept = run_path(tmp_path, "l1-full", 0).read_bytes()
    ablation.main(run)
    assert "1 runs to do" in capsys.readouterr().out
    assert run_path(tmp_path, "l1-full", 0).read_bytes() == kept
    assert not list((tmp_path / "work").iterdir())
    ablation.main(["report", *options])
    text = (tmp_path / "report" / "ablation.md").read_text("utf-8")
    assert "| AEPO | 1 |" in text
    assert "| L1, all parts | 1 |" in text
    assert (tmp_path / "report" / "ablation_negatives.svg").is_file()
    saved = json.loads((tmp_path / "report" / "ablation.json").read_text("utf-8"))
    steps = json.loads(run_path(tmp_path, "l1-full", 0).read_text("utf-8"))["curve"]
    assert [found["step"] for found in steps] == [1, 2, 3, 4]
    assert set(saved["arms"]) == {"base", "aepo", "l1-full"}


def test_unknown_arm_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="unknown arms aepoo"):
        ablation.chosen_arms("aepoo,grpo", tmp_path, QUICK)


def changed_fields(training, other) -> set[str]:
    return {
        name
        for name in type(training).model_fields
        if getattr(training, name) != getattr(other, name)
    }


@pytest.mark.parametrize(
    ("arm", "expected"),
    [
        ("grpo", set()),
        ("tbs", {"sampling"}),
        ("tbs-batch-std", {"sampling", "advantage"}),
        ("tbs-task-std", {"sampling", "advantage"}),
        ("clip-low-tokens", {"negative_clipping"}),
        ("clip-high-tokens", {"negative_clipping"}),
        ("clip-low-sequences", {"negative_clipping"}),
        ("clip-high-sequences", {"negative_clipping"}),
        ("aepo", {"aepo"}),
    ],
)
def test_arm_differs_from_grpo_in_nothing_but_its_name(arm, expected):
    (stage,) = ARMS[arm].stages(FULL)
    assert isinstance(stage, RlStage)
    assert changed_fields(stage.training, grpo_training(FULL)) == expected


@pytest.mark.parametrize("arm", [arm for arm in ARMS if ARMS[arm].family == "l1"])
def test_l1_arms_take_equally_many_steps_of_reinforcement_learning(arm):
    stages = ARMS[arm].stages(FULL)
    learned = [stage.training.num_steps for stage in stages if isinstance(stage, RlStage)]
    assert sum(learned) == FULL.num_steps
    assert len(learned) == (1 if arm == "l1-one-phase" else 2)
    assert any(isinstance(stage, SftStage) for stage in stages) == (arm != "l1-no-sft")
    returns = stages[-1].training.selection.retrospective.kind != "off"
    assert returns == (arm not in ("l1-one-phase", "l1-no-retrospective"))
    assert ARMS[arm].has_judge == (arm != "l1-rule-only")


def test_every_arm_of_the_paper_is_there():
    assert set(PAPER_SCORES) == {arm for arm in ARMS if ARMS[arm].family == "l15"}
    named = {arm for better, other, _ in PAPER_DIRECTIONS for arm in (better, other)}
    assert named <= set(ARMS)
    assert set(BASELINES.values()) <= set(ARMS)


def test_paper_directions_agree_with_its_figures():
    for better, other, claim in PAPER_DIRECTIONS:
        if better in PAPER_SCORES:
            assert PAPER_SCORES[better] > PAPER_SCORES[other], claim


def test_student_interval_by_hand():
    found = student_interval([1.0, 2.0, 3.0])
    # mean 2, standard deviation 1, t(2) = 4.303: 4.303 / sqrt(3)
    assert found.mean == 2
    assert found.high - found.mean == pytest.approx(4.303 / math.sqrt(3))
    assert found.low == pytest.approx(2 - 4.303 / math.sqrt(3))
    assert found.verdict == "not separated"
    assert student_interval([1.0, 1.1, 0.9]).verdict == "better"
    assert student_interval([-1.0, -1.1, -0.9]).verdict == "worse"
    assert student_interval([1.0]).verdict == "not separated"


def test_differences_are_paired_by_seed_and_question():
    grpo = [made_run(seed=0, rewards=(1.0, 0.0)), made_run(seed=1, rewards=(0.5, 0.5))]
    aepo = [
        made_run("aepo", seed=2, rewards=(1.0, 1.0)),  # no partner: left out
        made_run("aepo", seed=1, rewards=(1.0, 0.5)),
        made_run("aepo", seed=0, rewards=(1.0, 0.5)),
    ]
    found = compare(aepo, grpo, TASK_BY_QUESTION)
    assert found.seeds == (0, 1)
    # seed 0: (0 + 0.5) / 2; seed 1: (0.5 + 0) / 2
    assert found.over_seeds.mean == pytest.approx(0.25)
    assert found.over_seeds.low == pytest.approx(0.25)
    assert found.by_task["multi_hop"].mean == pytest.approx(0.25)
    assert compare(aepo[:1], grpo, TASK_BY_QUESTION) is None
    with pytest.raises(ValueError, match="different questions"):
        compare([made_run("aepo", rewards=(1.0,))], grpo, TASK_BY_QUESTION)


def test_score_weighs_tasks_alike_whatever_their_questions():
    tasks = {"q0": "a", "q1": "b", "q2": "b", "q3": "b"}
    found = question_interval([{"q0": 1.0, "q1": 0.0, "q2": 0.0, "q3": 0.0}], tasks)
    assert found.mean == 0.5
    assert found.low == found.high == 0.5  # within each task the questions are equal


def test_statements_follow_the_intervals():
    runs = [
        *[made_run(seed=seed, rewards=(0.5, 0.5)) for seed in range(3)],
        *[made_run("aepo", seed=seed, rewards=(0.9, 0.5 + 0.01 * seed)) for seed in range(3)],
        *[made_run("tbs", seed=seed, rewards=(0.1, 0.5 + 0.01 * seed)) for seed in range(3)],
        *[made_run("clip-high-tokens", seed=s, rewards=(0.5 + s / 10, 0.4)) for s in range(3)],
    ]
    findings = collect(runs, FULL, TASK_BY_QUESTION, machine="here")
    lines = statements(findings)
    place = {title: lines.index(f"**{title}**") for title in ("Holds", "The opposite holds")}
    assert place["Holds"] < lines.index(next(x for x in lines if x.startswith("- AEPO helps.")))
    opposite = next(x for x in lines if x.startswith("- Task-balanced sampling helps."))
    assert place["The opposite holds"] < lines.index(opposite)
    assert findings.unsettled() == ["grpo", "clip-high-tokens"]
    like_tbs = [made_run("tbs-batch-std", seed=s, rewards=(0.1 + s / 50, 0.5)) for s in range(3)]
    findings = collect([*runs, *like_tbs], FULL, TASK_BY_QUESTION, machine="here")
    assert findings.unsettled() == ["grpo", "tbs", "tbs-batch-std", "clip-high-tokens"]
    assert "| AEPO | 3 |" in written(findings)


def test_steps_to_a_score_takes_the_first_validation_that_has_it():
    run = made_run(curve=(point(1, None), point(2, 0.7), point(3, 0.9), point(4, 0.8)))
    assert run.steps_to(0.8) == 3
    assert run.steps_to(0.95) is None


def test_curves_are_means_over_seeds_and_smoothed_backwards():
    runs = [
        made_run(seed=0, curve=(point(1, None, 1.0), point(2, 0.5, 2.0))),
        made_run(seed=1, curve=(point(1, None, 3.0), point(2, 0.7, 6.0))),
    ]
    assert mean_curve(runs, "entropy_nats") == [(1.0, 2.0), (2.0, 4.0)]
    assert mean_curve(runs, "validation") == [(2.0, pytest.approx(0.6))]
    assert smoothed([(1.0, 2.0), (2.0, 4.0), (3.0, 9.0)], 2) == [(1.0, 2.0), (2.0, 3.0), (3.0, 6.5)]


def test_results_come_back_and_damage_is_told(tmp_path):
    run = made_run(curve=(point(1, 0.5),))
    write_run(tmp_path, run, QUICK)
    assert read_runs(tmp_path, QUICK) == [run]
    with pytest.raises(DataError, match="use another --folder"):
        read_runs(tmp_path, FULL)
    run_path(tmp_path, "grpo", 0).write_text("{")
    with pytest.raises(DataError, match="delete it to run it again"):
        read_runs(tmp_path, QUICK)


def example(answer: str, task: TaskType, question: str) -> Example:
    is_number = task is TaskType.NUMERICAL
    rule = RewardRule.NUMERIC if is_number else RewardRule.COVER_EXACT_MATCH
    return Example(
        example_id=f"{answer}/{question}", task_type=task, ability="recall", context_id="c",
        question=question, answer=answer, reward_rule=rule, program="{}", evidence=(),
        num_context_tokens=1, num_prompt_tokens=1, split=Split.TRAIN, licences=(), provenance=(),
    )  # fmt: skip


NUMBER = example("7", TaskType.NUMERICAL, "What is the sum of the parameter count of x and y?")
NAME = example("OrderedDict", TaskType.READING_COMPREHENSION, "What is the base of Counter?")


@pytest.mark.parametrize(("plain", "gold"), [(NUMBER, "seven"), (NAME, "OrderedDict, the base")])
def test_other_forms_are_missed_by_the_rule_and_accepted_by_the_judge(plain, gold):
    other = in_other_form(plain, 1.0)
    assert other.answer == gold
    assert in_other_form(plain, 0.0) == plain
    config = RewardConfig(cover_match="whole_words", numeric_scales=())

    def reward(answer: str, judge) -> float:
        text = f"</think>\n\nTherefore, the answer is {answer}"
        return asyncio.run(hybrid_reward(other, text, config=config, judge=judge)).value

    judge = FormJudge()
    assert reward(plain.answer, None) == 0
    assert reward(plain.answer, judge) == 1
    assert reward("8", judge) == 0
    assert reward("OrderedDictionary", judge) == 0
    assert (judge.num_asked, judge.num_accepted) == (3, 1)


def test_verbatim_and_choice_answers_keep_their_form():
    for task in (TaskType.DIALOGUE_MEMORY, TaskType.MULTIPLE_CHOICE):
        kept = replace(NAME, task_type=task)
        assert in_other_form(kept, 1.0) == kept


def test_judge_does_not_take_nothing_for_an_answer():
    assert asyncio.run(FormJudge().verdict("q", "the", "a")) is Verdict.NO
