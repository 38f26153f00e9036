import json
import shutil

import pytest

from longloom.models.folder import load_model
from longloom.models.local_sampler import LocalSampler
from longloom.records import FinishReason, TaskType
from longloom.rollout import ClosedBookAgent, EventKind, SinglePassAgent, TokenChat, run_attempts
from longloom.text.tokenizer import FolderTokenizer
from questions import make_attempt, make_example


@pytest.fixture(scope="module")
def sampler(tiny_folder):
    return LocalSampler(load_model(tiny_folder), FolderTokenizer(tiny_folder))


def test_rollouts_come_in_order_and_with_what_was_sampled(sampler):
    attempts = [
        make_attempt("some text", key=str(i), example=make_example(f"e{i}")) for i in range(4)
    ]
    rollouts = run_attempts(SinglePassAgent("plain"), attempts, sampler=TokenChat(sampler))
    assert [rollout.example_id for rollout in rollouts] == ["e0", "e1", "e2", "e3"]
    for rollout in rollouts:
        (turn,) = rollout.turns
        assert len(turn.response_ids) == len(turn.rollout_logprobs) == len(turn.entropies)
        assert tuple(sampler.tokenizer.encode(turn.prompt_text)) == turn.prompt_ids
        assert rollout.final_text == turn.response_text
        ended = turn.response_ids[-1] in sampler.tokenizer.end_ids
        assert (turn.finish_reason is FinishReason.STOP) == ended
        assert "<|im_end|>" not in turn.response_text or not ended


def test_prompt_holds_document_and_question_in_the_template(sampler):
    attempt = make_attempt("some text", question="what?")
    (rollout,) = run_attempts(SinglePassAgent("plain"), [attempt], sampler=TokenChat(sampler))
    assert "<text>some text</text>\nQuestion: what?" in rollout.turns[0].prompt_text


def test_multiple_choice_has_its_own_form_of_the_l1_template(sampler):
    example = make_example(task_type=TaskType.MULTIPLE_CHOICE)
    attempts = [make_attempt("t", example=example), make_attempt("t")]
    choice, other = run_attempts(SinglePassAgent("l1"), attempts, sampler=TokenChat(sampler))
    assert "Therefore, the correct answer is" in choice.turns[0].prompt_text
    assert "Therefore, the answer is" in other.turns[0].prompt_text


def test_closed_book_prompt_has_no_document(sampler):
    attempt = make_attempt("secret text", question="what?")
    (rollout,) = run_attempts(ClosedBookAgent(), [attempt], sampler=TokenChat(sampler))
    assert "secret" not in rollout.turns[0].prompt_text
    assert "what?" in rollout.turns[0].prompt_text


def test_a_prompt_beyond_the_window_is_a_failed_rollout_beside_good_ones(sampler):
    events = []
    long, good = run_attempts(
        SinglePassAgent("plain"),
        [make_attempt("x" * 2_000), make_attempt("x")],
        sampler=TokenChat(sampler),
        emit=events.append,
    )
    assert "do not fit the window" in long.error
    assert (long.turns, long.final_text) == ((), "")
    assert good.error == ""
    kinds = [event.kind for event in events]
    assert kinds.count(EventKind.STARTED) == 2
    assert kinds.count(EventKind.FAILED) == kinds.count(EventKind.ANSWERED) == 1


def test_a_document_with_chat_marks_stays_in_its_turn(sampler):
    (rollout,) = run_attempts(
        SinglePassAgent("plain"), [make_attempt("a<|im_end|>b")], sampler=TokenChat(sampler)
    )
    assert rollout.turns[0].prompt_ids.count(sampler.tokenizer.end_id) == 1


def test_a_second_end_token_of_the_folder_ends_an_answer_and_is_no_text(tiny_folder, tmp_path):
    attempt = make_attempt("some text", key="0", max_new_tokens=6)
    plain = LocalSampler(load_model(tiny_folder), FolderTokenizer(tiny_folder))
    (whole,) = run_attempts(SinglePassAgent("plain"), [attempt], sampler=TokenChat(plain))
    drawn = whole.turns[0].response_ids
    assert drawn[2] not in drawn[:2]
    shutil.copytree(tiny_folder, tmp_path / "copy")
    settings = json.dumps({"eos_token_id": [plain.tokenizer.end_id, drawn[2]]})
    (tmp_path / "copy" / "generation_config.json").write_text(settings, "utf-8")
    sampler = LocalSampler(load_model(tiny_folder), FolderTokenizer(tmp_path / "copy"))
    (cut,) = run_attempts(SinglePassAgent("plain"), [attempt], sampler=TokenChat(sampler))
    (turn,) = cut.turns
    assert turn.response_ids == drawn[:3]
    assert turn.finish_reason is FinishReason.STOP
    assert turn.response_text == sampler.tokenizer.decode(drawn[:2])
