"""Whole evaluations by inspect_ai against a scripted endpoint, beside those of our own runner.

Run by `make test-inspect`; it needs the environment that this makes.
"""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import sums_benchmark as sums
from inspect_runs import (
    NUM_QUESTIONS,
    asked_number,
    asking,
    by_inspect,
    by_our_runner,
    figure,
    log_bytes,
    planted,
    read,
    scores_of,
)
from longloom.evaluation.asking.answers import Failure
from longloom.evaluation.questions import Asked, Question, QuestionSet
from longloom.evaluation.scoring.score import Score
from longloom.memory import MemoryAgent, MemoryConfig
from scripted_endpoint import (
    Fault,
    Scripted,
    ScriptedEndpoint,
    never_fails,
    prompt_of,
)

pytestmark = [
    pytest.mark.inspect,
    pytest.mark.enable_socket,
    pytest.mark.allow_hosts(["127.0.0.1"]),
]


def test_the_planted_accuracy_is_reported_in_both_modes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedEndpoint(planted) as endpoint:
        log = by_inspect(endpoint, tmp_path, monkeypatch)
    assert log.status == "success", log.error or [one.error for one in log.samples]
    assert figure(log, "strict") == 11 / 20
    assert figure(log, "parity") == 16 / 20
    # Even numbers below 11: 6 of 10; odd ones: 5 of 10.
    assert figure(log, "strict, parity: even") == 6 / 10
    assert figure(log, "strict, parity: odd") == 5 / 10
    assert figure(log, "parity, parity: odd") == 8 / 10
    assert log.results.headline.metric == "strict"
    # 11 ones and 9 zeros: the variance is 20/19 of 0.55 * 0.45.
    assert figure(log, "strict_stderr") == pytest.approx(math.sqrt(0.55 * 0.45 / 19))


def test_every_score_is_that_of_our_runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def by_seed(body: dict[str, Any]) -> str:
        """Another answer at every seed: equal scores need equal requests."""
        return str(asked_number(body) + 1) if body["seed"] % 3 else planted(body)

    with ScriptedEndpoint(by_seed) as endpoint:
        ours = by_our_runner(endpoint, tmp_path / "ours", num_samples=3)
        bodies = {request_of(body) for body in endpoint.bodies}
        endpoint.bodies.clear()
        log = by_inspect(endpoint, tmp_path / "inspect", monkeypatch, num_samples=3)
        assert {request_of(body) for body in endpoint.bodies} == bodies
        assert len(endpoint.bodies) == 60
    assert scores_of(log) == {
        (one.question_id, index): (answer.strict, answer.parity)
        for one in ours
        for index, answer in enumerate(one.answers)
    }
    for mode in ("strict", "parity"):
        mean = math.fsum(one.mean(mode) for one in ours) / len(ours)
        assert figure(log, mode) == pytest.approx(mean, abs=1e-12)


def request_of(body: dict[str, Any]) -> tuple[Any, ...]:
    return (
        prompt_of(body), body["seed"], body["temperature"], body["top_p"], body["max_tokens"]
    )  # fmt: skip


def test_what_is_said_on_the_command_line_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedEndpoint(planted) as endpoint:
        by_inspect(endpoint, tmp_path, monkeypatch, temperature=0.0, max_tokens=7, limit=2)
    assert {(body["temperature"], body["max_tokens"]) for body in endpoint.bodies} == {(0.0, 7)}


def test_a_call_that_fails_counts_as_0_and_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from inspect_ai import eval_retry

    broken = {"is_broken": True}

    def breaks(body: dict[str, Any], num_earlier: int) -> Fault | None:
        is_met = broken["is_broken"] and asked_number(body) < 4
        return Fault.SERVER_ERROR if is_met else never_fails(body, num_earlier)

    with ScriptedEndpoint(planted, faults=breaks) as endpoint:
        log = by_inspect(endpoint, tmp_path, monkeypatch)
        assert log.status == "error"
        assert figure(log, "strict") == 7 / 20
        assert sum(sample.error is not None for sample in read(log).samples) == 4
        broken["is_broken"] = False
        endpoint.bodies.clear()
        (again,) = eval_retry(log, log_dir=str(tmp_path), display="none", log_level="error")
    assert again.status == "success"
    assert figure(again, "strict") == 11 / 20
    assert len(endpoint.bodies) == 4


def test_prompts_that_are_too_long_fail_without_a_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedEndpoint(planted) as endpoint:
        log = by_inspect(
            endpoint,
            tmp_path,
            monkeypatch,
            put=asking(max_prompt_tokens=20, cuts_prompts=False),
        )
        assert endpoint.bodies == []
    assert figure(log, "parity") == 0.0
    failures = {one.scores["benchmark_score"].metadata["failure"] for one in log.samples}
    assert failures == {Failure.TOO_LONG}


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        (Scripted(""), Failure.EMPTY),
        (Scripted("<think>1 and so on", finish_reason="length"), Failure.UNFINISHED_THINKING),
        (Scripted("", "1, or is it", finish_reason="length"), Failure.UNFINISHED_THINKING),
        (Scripted("1", finish_reason="content_filter"), Failure.REFUSED),
    ],
)
def test_replies_without_an_answer_are_failures(
    reply: Scripted, failure: Failure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedEndpoint(lambda body: reply) as endpoint:
        log = by_inspect(endpoint, tmp_path, monkeypatch, limit=1)
    (score,) = [sample.scores["benchmark_score"] for sample in log.samples]
    assert score.value == 0.0
    assert score.metadata["failure"] == failure


def test_thinking_that_is_kept_apart_is_no_part_of_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedEndpoint(lambda body: Scripted("1", "After 0 comes 1.")) as endpoint:
        log = by_inspect(endpoint, tmp_path, monkeypatch, limit=1)
    assert figure(log, "strict") == 1.0


def long_questions(num_characters: int, num_questions: int = 1) -> QuestionSet:
    """Sums whose contexts have so many characters, all different."""
    short = sums.questions(num_questions)

    def ask(question: Question) -> Asked:
        line = "Line {} of the ledger of question {} is about flour.\n"
        num_lines = num_characters // 52 + 1
        lines = (line.format(number, question.question_id) for number in range(num_lines))
        return replace(short.ask(question), context="".join(lines)[:num_characters])

    return replace(short, ask=ask)


def test_a_context_of_4_million_characters_adds_nothing_to_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {}
    with ScriptedEndpoint(planted) as endpoint:
        for num_characters in (1_000, 4_000_000):
            folder = tmp_path / str(num_characters)
            log = by_inspect(
                endpoint,
                folder,
                monkeypatch,
                found=long_questions(num_characters),
                put=asking(max_prompt_tokens=2_000_000),
            )
            sizes[num_characters] = log_bytes(folder)
            assert figure(log, "strict") == 1.0
        assert len(prompt_of(endpoint.bodies[-1])) > 4_000_000
    assert sizes[4_000_000] - sizes[1_000] < 1_000
    assert sizes[4_000_000] < 20_000


def reads_and_answers(body: dict[str, Any]) -> str:
    """What the memory agent's model writes: a memory for a section, then the answer."""
    prompt = prompt_of(body)
    if "<section>" in prompt:
        return f"<memory>After 0 comes 1. {len(prompt)}</memory><plan>Read on.</plan>"
    return "1"


def test_the_memory_agent_is_a_solver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = MemoryConfig(chunk_tokens=8_000, memory_tokens=1_000)
    agent = MemoryAgent(config.replace(citations=False))
    with ScriptedEndpoint(reads_and_answers) as endpoint:
        log = by_inspect(
            endpoint,
            tmp_path,
            monkeypatch,
            found=long_questions(400_000),
            put=asking(agent=agent),
        )
        num_calls = len(endpoint.bodies)
    assert num_calls > 10
    assert figure(log, "strict") == 1.0
    (sample,) = log.samples
    answer = sample.output.metadata
    assert answer["usage"]["num_calls"] == num_calls
    assert answer["num_prompt_tokens"] > 80_000
    assert log_bytes(tmp_path) < 20_000
    (usage,) = log.stats.model_usage.values()
    assert usage.output_tokens == answer["usage"]["num_response_tokens"]


def test_a_grader_judges_as_our_judge_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from inspect_ai.model import get_model

    monkeypatch.setenv("JUDGE_API_KEY", "none")
    verdicts = lambda body: "yes" if "gold 12" in prompt_of(body) else "no"  # noqa: E731
    with ScriptedEndpoint(planted) as endpoint, ScriptedEndpoint(verdicts) as judge:
        grader = get_model("openai-api/judge/judge", base_url=judge.url, memoize=False)
        log = by_inspect(
            endpoint,
            tmp_path,
            monkeypatch,
            benchmark=sums.benchmark(NUM_QUESTIONS, judge=sums.JUDGE),
            model_roles={"grader": grader},
        )
        assert len(judge.bodies) == NUM_QUESTIONS
    assert figure(log, "strict") == 12 / 20  # "It is 12, I think." by the judge
    (judged,) = [one for one in log.samples if one.id == "q11"]
    assert judged.scores["benchmark_score"].metadata["parts"]["judge"] == 1.0


def test_a_log_is_scored_anew_without_the_questions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from inspect_ai import score

    from longloom.evaluation.inspect_tasks import benchmark_score

    def stricter(question: Question, text: str) -> Score:
        return Score(parity=0.0, strict=float(text == question.golds[0] == "1"))

    with ScriptedEndpoint(planted) as endpoint:
        log = by_inspect(endpoint, tmp_path, monkeypatch)
    other = replace(sums.benchmark(NUM_QUESTIONS), score=stricter)
    again = score(read(log), benchmark_score(other), action="overwrite", display="none")
    assert figure(again, "strict") == 1 / 20


def test_the_mean_of_means_counts_groups_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unequal(number: int) -> dict[str, str]:
        return {} if number == 0 else {"size": "large" if number < 16 else "small"}

    found = sums.questions(NUM_QUESTIONS)
    sized = [replace(one, facets=unequal(int(one.question_id[1:]))) for one in found.questions]
    benchmark = replace(sums.benchmark(), facets=("size",), mean_over="size")
    with ScriptedEndpoint(planted) as endpoint:
        log = by_inspect(
            endpoint,
            tmp_path,
            monkeypatch,
            benchmark=benchmark,
            found=replace(found, questions=sized),
        )
    assert figure(log, "strict") == pytest.approx((10 / 15 + 0) / 2)
    assert figure(log, "strict, size: large") == pytest.approx(10 / 15)
    assert log.results.headline.metric == "strict"
