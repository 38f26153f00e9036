"""The runner: every answer once, failures kept, contexts by reference."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import sums_benchmark as sums
from longloom.errors import ModelError
from longloom.evaluation.answers import ANSWERS_FILE, Answer, AnswerLog, Failure
from longloom.evaluation.asking import Asking
from longloom.evaluation.runner import Progress, answer_all
from longloom.models.endpoint.chat import EndpointChat
from longloom.models.endpoint.errors import EndpointSetupError
from longloom.records import ChatMessage, SamplingParams, TokenUsage
from longloom.rollout.call_limits import OldestFirst
from scripted_endpoint import (
    Fault,
    Scripted,
    ScriptedEndpoint,
    always_fails,
    faults_in_turn,
    prompt_of,
    run_with,
)

pytestmark = pytest.mark.enable_socket
PARAMS = SamplingParams(temperature=0.7, top_p=0.95, max_new_tokens=16)


def asking(**changes: object) -> Asking:
    settings = {
        "benchmark": "sums",
        "agent": None,
        "has_context": True,
        "params": PARAMS,
        "max_prompt_tokens": 10_000,
        "cuts_prompts": True,
        "is_threaded": True,
        "key": "0/evaluation/sums/single_pass",
    }
    return Asking(**{**settings, **changes})


def right(body: dict) -> str:
    number = re.search(r"What comes after (\d+)", prompt_of(body))
    return str(int(number[1]) + 1)


def run(
    endpoint: ScriptedEndpoint,
    folder: Path,
    *,
    num_questions: int = 4,
    num_samples: int = 1,
    concurrency: int = 4,
    on_progress: Callable[[Progress], None] | None = None,
    client: dict | None = None,
    **changes: object,
) -> tuple[Progress, list[Answer]]:
    found = sums.questions(num_questions)

    async def ask(opened: object) -> Progress:
        chat = EndpointChat(opened, window_tokens=20_000)
        return await answer_all(
            found,
            found.questions,
            asking(**changes),
            num_samples=num_samples,
            chat=chat,
            log=log,
            limits=OldestFirst(concurrency),
            on_progress=on_progress,
        )

    with AnswerLog(folder) as log:
        progress = run_with(endpoint, ask, **(client or {}))
        keys = [("sums", f"q{n}", k) for n in range(num_questions) for k in range(num_samples)]
        return progress, [log[key] for key in keys if key in log]


def test_every_question_gets_its_samples(tmp_path: Path) -> None:
    with ScriptedEndpoint(right) as endpoint:
        progress, answers = run(endpoint, tmp_path, num_samples=3)
    assert [answer.text for answer in answers] == ["1"] * 3 + ["2"] * 3 + ["3"] * 3 + ["4"] * 3
    assert progress.num_done == progress.num_total == 12
    assert progress.usage.num_calls == 12
    assert len({body["seed"] for body in endpoint.bodies}) == 12
    assert endpoint.most_at_once <= 4


def test_a_second_run_asks_nothing_again(tmp_path: Path) -> None:
    with ScriptedEndpoint(right) as endpoint:
        first, answers = run(endpoint, tmp_path)
        second, again = run(endpoint, tmp_path)
    assert len(endpoint.bodies) == 4
    assert again == answers
    assert (second.num_kept, second.num_done) == (4, 4)
    assert second.usage == first.usage


def test_more_samples_keep_those_that_are_there(tmp_path: Path) -> None:
    with ScriptedEndpoint(right) as endpoint:
        run(endpoint, tmp_path)
        run(endpoint, tmp_path, num_samples=2)
    assert len(endpoint.bodies) == 8


def test_a_torn_line_is_asked_again(tmp_path: Path) -> None:
    with ScriptedEndpoint(right) as endpoint:
        run(endpoint, tmp_path)
        whole = (tmp_path / ANSWERS_FILE).read_bytes()
        (tmp_path / ANSWERS_FILE).write_bytes(whole[:-10])
        run(endpoint, tmp_path)
    assert len(endpoint.bodies) == 5


def test_failures_that_pass_leave_no_trace(tmp_path: Path) -> None:
    with ScriptedEndpoint(right, faults=faults_in_turn()) as endpoint:
        client = {"request_timeout_seconds": 0.3}
        progress, answers = run(endpoint, tmp_path, num_questions=9, client=client)
    assert progress.num_failed == 0
    assert [answer.text for answer in answers] == [str(number) for number in range(1, 10)]


def test_a_refused_question_is_a_failure_and_the_others_go_on(tmp_path: Path) -> None:
    def refuses(body: dict, num_earlier: int) -> Fault | None:
        return Fault.REFUSED if "after 2" in prompt_of(body) else None

    with ScriptedEndpoint(right, faults=refuses) as endpoint:
        progress, answers = run(endpoint, tmp_path)
        run(endpoint, tmp_path)
    assert progress.num_failed == 1
    assert answers[2].failure == Failure.REFUSED
    assert answers[2].text == ""
    assert [bool(answer.failure) for answer in answers] == [False, False, True, False]
    assert len(endpoint.bodies) == 4  # the server would refuse it again


def test_a_prompt_that_the_server_finds_too_long_is_told_apart(tmp_path: Path) -> None:
    with ScriptedEndpoint(right, faults=always_fails(Fault.CONTEXT_LENGTH)) as endpoint:
        _, answers = run(endpoint, tmp_path)
    assert {answer.failure for answer in answers} == {Failure.TOO_LONG}


def test_a_server_that_goes_away_ends_the_run_and_is_asked_again(tmp_path: Path) -> None:
    with (
        ScriptedEndpoint(right, faults=always_fails(Fault.UNAVAILABLE)) as endpoint,
        pytest.raises(ModelError, match=r"3 questions in a row got no reply.*run the same command"),
    ):
        run(endpoint, tmp_path, num_questions=8, concurrency=1, client={"max_retries": 1})
    with ScriptedEndpoint(right) as endpoint:
        progress, answers = run(endpoint, tmp_path, num_questions=8)
    assert progress.num_kept == 0
    assert not any(answer.failure for answer in answers)


def test_outages_may_be_counted_as_failures(tmp_path: Path) -> None:
    faults = always_fails(Fault.UNAVAILABLE)
    with ScriptedEndpoint(right, faults=faults) as endpoint:
        client = {"max_retries": 0}
        progress, answers = run(endpoint, tmp_path, client=client, accepts_outages=True)
    assert progress.num_failed == 4
    assert {answer.failure for answer in answers} == {Failure.UNAVAILABLE}


def test_refusals_before_any_answer_end_the_run_and_are_forgotten(tmp_path: Path) -> None:
    with (
        ScriptedEndpoint(right, faults=always_fails(Fault.REFUSED)) as endpoint,
        pytest.raises(ModelError, match=r"refused all of the first 8 questions.*put the settings"),
    ):
        run(endpoint, tmp_path, num_questions=12, concurrency=1)
    with ScriptedEndpoint(right) as endpoint:
        progress, answers = run(endpoint, tmp_path, num_questions=12)
    assert progress.num_kept == progress.num_failed == 0
    assert len(answers) == 12


def test_refusals_ahead_of_the_first_answer_count_once_it_is_there(tmp_path: Path) -> None:
    def refuses(body: dict, num_earlier: int) -> Fault | None:
        return None if "after 3" in prompt_of(body) else Fault.REFUSED

    with ScriptedEndpoint(right, faults=refuses) as endpoint:
        progress, answers = run(endpoint, tmp_path, concurrency=1)
    assert [bool(answer.failure) for answer in answers] == [True, True, True, False]
    assert progress.num_failed == 3


def test_a_wrong_key_ends_the_run_at_once(tmp_path: Path) -> None:
    with (
        ScriptedEndpoint(right, faults=always_fails(Fault.UNAUTHORIZED)) as endpoint,
        pytest.raises(EndpointSetupError),
    ):
        run(endpoint, tmp_path)
    with AnswerLog(tmp_path) as log:
        assert ("sums", "q0", 0) not in log


def test_long_prompts_lose_their_middle_or_fail(tmp_path: Path) -> None:
    with ScriptedEndpoint(right) as endpoint:
        _, cut = run(endpoint, tmp_path / "cut", max_prompt_tokens=90)
        _, failed = run(endpoint, tmp_path / "failed", max_prompt_tokens=90, cuts_prompts=False)
    assert len(endpoint.bodies) == 4
    assert all(answer.is_prompt_cut and answer.num_prompt_tokens > 90 for answer in cut)
    assert all(prompt_of(body).startswith("Read:\nword") for body in endpoint.bodies)
    assert not any("comes 1." in prompt_of(body) for body in endpoint.bodies)
    assert {answer.failure for answer in failed} == {Failure.TOO_LONG}
    assert "at most 90 are asked" in failed[0].error


def test_a_closed_book_is_not_shown_the_context(tmp_path: Path) -> None:
    with ScriptedEndpoint(right) as endpoint:
        run(endpoint, tmp_path, num_questions=1, has_context=False)
    assert prompt_of(endpoint.bodies[0]) == "Question: What comes after 0?"


def test_reasoning_that_a_server_keeps_apart_is_kept_apart(tmp_path: Path) -> None:
    with ScriptedEndpoint(lambda body: Scripted("1", reasoning="counting")) as endpoint:
        _, answers = run(endpoint, tmp_path, num_questions=1)
    assert (answers[0].text, answers[0].reasoning) == ("1", "counting")


def test_a_context_is_not_copied_into_the_log(tmp_path: Path) -> None:
    with ScriptedEndpoint(right) as endpoint:
        run(endpoint, tmp_path, num_questions=1)
    assert "After 0 comes" not in (tmp_path / ANSWERS_FILE).read_text("utf-8")


def test_progress_counts_every_answer(tmp_path: Path) -> None:
    seen: list[int] = []
    with ScriptedEndpoint(right) as endpoint:
        run(endpoint, tmp_path, on_progress=lambda progress: seen.append(progress.num_done))
    assert seen == [0, 1, 2, 3, 4]


def test_a_chat_is_sent_as_it_is_and_put_on_paper_if_it_is_too_long(tmp_path: Path) -> None:
    from longloom.evaluation.fitting import fit_prompt
    from longloom.evaluation.questions import Asked

    history = (ChatMessage(role="user", content="one " * 30),)
    asked = Asked(
        context="User: " + "one " * 30, query="Two?", after="Two?", history=history, is_chat=True
    )

    async def fit(client: object) -> list:
        chat = EndpointChat(client, window_tokens=1_000)
        return [fit_prompt(asked, chat, limit) for limit in (10_000, 100)]

    with ScriptedEndpoint(right) as endpoint:
        whole, cut = run_with(endpoint, fit)
    assert (whole.message, whole.history, whole.is_cut) == ("Two?", history, False)
    assert cut.is_cut
    assert cut.history == ()
    assert cut.message.startswith("User: one")
    assert cut.message.endswith("\n\nTwo?")


def test_answers_survive_unread(tmp_path: Path) -> None:
    answer = Answer(benchmark="b", question_id="q", sample_index=0, text="\ud800 half")
    with AnswerLog(tmp_path) as log:
        log.add(answer)
    with AnswerLog(tmp_path) as log:
        assert log["b", "q", 0] == answer


def test_time_left_is_told_after_a_first_round() -> None:
    progress = Progress(benchmark="b", num_total=40, num_at_a_time=4, num_done=13, num_kept=10)
    progress.started -= 6.0
    assert progress.seconds_left is None
    progress.num_done = 14
    left = progress.seconds_left
    assert left == pytest.approx(6.0 / 4 * 26, rel=0.05)


def test_cost_is_that_of_all_tokens() -> None:
    usage = TokenUsage(num_prompt_tokens=2_000_000, num_response_tokens=500_000)
    progress = Progress(benchmark="b", num_total=1, usage=usage, prompt_price=0.5, answer_price=2.0)
    assert progress.cost == 2.0
