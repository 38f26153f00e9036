"""Answers become scores: thinking, failures, the judge, and how rule and judge are joined."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

import sums_benchmark as sums
from longloom.errors import ModelError
from longloom.evaluation.asking.answers import Answer, AnswerLog, Failure
from longloom.evaluation.asking.asking_judge import open_judge
from longloom.evaluation.benchmark import JudgeRule
from longloom.evaluation.results import QuestionResult, ScoredAnswer
from longloom.evaluation.scoring_run import score_answers
from longloom.models.endpoint.config import EndpointConfig
from longloom.rewards.judge_config import JudgeConfig
from scripted_endpoint import Fault, ScriptedEndpoint, always_fails, prompt_of


def answer(number: int, text: str, **changes: object) -> Answer:
    return Answer(benchmark="sums", question_id=f"q{number}", sample_index=0, text=text, **changes)


def scored(
    folder: Path,
    answers: list[Answer],
    *,
    thinking: str = "auto",
    judge: JudgeRule | None = None,
    config: JudgeConfig | None = None,
) -> list[ScoredAnswer]:
    return [result.answers[0] for result in results(folder, answers, thinking, judge, config)]


def results(
    folder: Path,
    answers: list[Answer],
    thinking: str = "auto",
    judge: JudgeRule | None = None,
    config: JudgeConfig | None = None,
) -> tuple[QuestionResult, ...]:
    found = sums.questions(len(answers))
    benchmark = sums.benchmark(judge=judge)

    async def score() -> tuple[QuestionResult, ...]:
        async with open_judge(config, folder) as asked:
            return await score_answers(
                benchmark,
                found,
                found.questions,
                log=log,
                num_samples=1,
                thinking=thinking,
                judge=asked,
            )

    with AnswerLog(folder / "log") as log:
        for one in answers:
            log.add(one)
        return asyncio.run(score())


def judge_at(url: str, **settings: object) -> JudgeConfig:
    endpoint = EndpointConfig(
        url=url, model="judge", max_retries=0, first_backoff_seconds=0.001, **settings
    )
    return JudgeConfig(endpoint=endpoint)


def test_thinking_is_removed_before_scoring(tmp_path: Path) -> None:
    found = scored(tmp_path, [answer(0, "<think>\n5?</think>\n\n1"), answer(1, "hm</think>2")])
    assert [one.strict for one in found] == [1.0, 1.0]


def test_unfinished_thinking_is_a_failure_but_parity_reads_it_as_the_authors_do(
    tmp_path: Path,
) -> None:
    texts = [answer(0, "<think> 1"), answer(1, "so 2", finish_reason="length")]
    texts.append(answer(2, "done</think>3"))
    found = scored(tmp_path, texts)
    assert [one.failure for one in found] == [Failure.UNFINISHED_THINKING] * 2 + [""]
    assert [one.strict for one in found] == [0.0, 0.0, 1.0]
    assert [one.parity for one in found] == [1.0, 1.0, 1.0]


def test_a_cut_answer_of_a_model_that_does_not_think_is_scored(tmp_path: Path) -> None:
    (found,) = scored(tmp_path, [answer(0, "1", finish_reason="length")])
    assert (found.strict, found.failure, found.finish_reason) == (1.0, "", "length")


def test_thinking_can_be_demanded_of_every_answer(tmp_path: Path) -> None:
    found = scored(tmp_path, [answer(0, "1"), answer(1, "x</think>2")], thinking="always")
    assert [one.strict for one in found] == [0.0, 1.0]


def test_reasoning_apart_that_used_up_the_limit_is_unfinished(tmp_path: Path) -> None:
    (found,) = scored(tmp_path, [answer(0, "", reasoning="1, or", finish_reason="length")])
    assert found.failure == Failure.UNFINISHED_THINKING


def test_failed_and_empty_answers_are_wrong_and_named(tmp_path: Path) -> None:
    failed = answer(0, "", failure=Failure.REFUSED, error="filtered", finish_reason="")
    found = scored(tmp_path, [failed, answer(1, " \n")])
    assert [(one.strict, one.parity, one.failure) for one in found] == [
        (0.0, 0.0, Failure.REFUSED),
        (0.0, 0.0, Failure.EMPTY),
    ]


def test_the_result_says_what_was_asked(tmp_path: Path) -> None:
    asked = answer(0, "1", num_prompt_tokens=70, is_prompt_cut=True)
    (found,) = results(tmp_path, [asked])
    assert (found.num_prompt_tokens, found.is_prompt_cut) == (70, True)
    assert (found.golds, found.depths, found.facets) == (("1",), (0.5,), {"parity": "even"})


@pytest.mark.enable_socket
def test_a_judge_can_only_raise_the_maximum(tmp_path: Path) -> None:
    texts = [answer(0, "1"), answer(1, "it is two"), answer(2, "wrong"), answer(3, "4 or 5")]

    def verdict(body: dict) -> str:
        return "yes" if "two" in prompt_of(body) else "no"

    with ScriptedEndpoint(verdict) as endpoint:
        found = scored(tmp_path, texts, judge=sums.JUDGE, config=judge_at(endpoint.url))
    assert [one.strict for one in found] == [1.0, 1.0, 0.0, 0.0]
    assert [one.parity for one in found] == [1.0, 1.0, 0.0, 1.0]
    assert [one.parts["judge"] for one in found] == [0.0, 1.0, 0.0, 0.0]
    assert [one.parts["rule"] for one in found] == [1.0, 0.0, 0.0, 0.0]
    assert endpoint.bodies[0]["temperature"] == 0.0


@pytest.mark.enable_socket
def test_a_judge_alone_decides_where_the_benchmark_says_so(tmp_path: Path) -> None:
    alone = replace(sums.JUDGE, combine="alone")
    with ScriptedEndpoint(lambda body: "no") as endpoint:
        found = scored(tmp_path, [answer(0, "1")], judge=alone, config=judge_at(endpoint.url))
    assert (found[0].strict, found[0].parity) == (0.0, 0.0)


@pytest.mark.enable_socket
def test_unclear_verdicts_are_wrong_in_strict_mode_and_read_as_the_authors_do(
    tmp_path: Path,
) -> None:
    with ScriptedEndpoint(lambda body: "yes and no") as endpoint:
        config = judge_at(endpoint.url)
        found = scored(tmp_path, [answer(0, "x")], judge=sums.JUDGE, config=config)
    assert (found[0].strict, found[0].parity, found[0].verdict) == (0.0, 1.0, "unclear")


@pytest.mark.enable_socket
def test_verdicts_are_paid_for_once(tmp_path: Path) -> None:
    texts = [answer(0, "x"), answer(1, "y")]
    with ScriptedEndpoint(lambda body: "no") as endpoint:
        config = judge_at(endpoint.url)
        first = scored(tmp_path, texts, judge=sums.JUDGE, config=config)
        second = scored(tmp_path, texts, judge=sums.JUDGE, config=config)
    assert len(endpoint.bodies) == 2
    assert first == second


@pytest.mark.enable_socket
def test_failed_answers_are_not_judged(tmp_path: Path) -> None:
    failed = answer(0, "", failure=Failure.TOO_LONG)
    with ScriptedEndpoint(lambda body: "yes") as endpoint:
        config = judge_at(endpoint.url)
        found = scored(tmp_path, [failed, answer(1, "")], judge=sums.JUDGE, config=config)
    assert endpoint.bodies == []
    assert [one.verdict for one in found] == ["", ""]


@pytest.mark.enable_socket
def test_an_answer_that_the_judge_refuses_is_counted_apart(tmp_path: Path) -> None:
    with ScriptedEndpoint(lambda body: "no", faults=always_fails(Fault.REFUSED)) as endpoint:
        config = judge_at(endpoint.url)
        found = scored(tmp_path, [answer(0, "x")], judge=sums.JUDGE, config=config)
    assert (found[0].strict, found[0].verdict) == (0.0, "refused")


@pytest.mark.enable_socket
def test_without_its_judge_nothing_is_scored(tmp_path: Path) -> None:
    with ScriptedEndpoint(lambda body: "no", faults=always_fails(Fault.UNAVAILABLE)) as endpoint:
        config = judge_at(endpoint.url)
        with pytest.raises(ModelError, match="503"):
            scored(tmp_path, [answer(0, "x")], judge=sums.JUDGE, config=config)
