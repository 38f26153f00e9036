import pytest

from longloom.errors import ConfigError
from longloom.evaluation.evaluate import (
    EvaluationRequest,
    evaluate_examples,
    mean_reward,
    truncated_contexts,
)
from longloom.models.folder import load_model
from longloom.models.local_sampler import LocalSampler
from longloom.records import Reward, SamplingParams
from longloom.rollout import SinglePassAgent, TokenChat
from longloom.text.tokenizer import FolderTokenizer
from questions import make_context, make_example

EXAMPLES = [make_example(f"e{number}", context_id=f"c{number}") for number in range(5)]
CONTEXTS = {f"c{number}": make_context(f"text {number}", f"c{number}") for number in range(5)}


@pytest.fixture(scope="module")
def tokenizer(tiny_folder):
    return FolderTokenizer(tiny_folder)


@pytest.fixture(scope="module")
def model(tiny_folder):
    return load_model(tiny_folder)


async def score(rollout, example):
    value = float(rollout.turns[0].response_ids[0] % 2 == 0) if rollout.turns else 0.0
    return Reward(value=value, reward_parts={"rule": value}, extracted_answer=example.example_id)


def evaluate(model, tokenizer, *, on_progress=None, max_new_tokens=4, **changes):
    request = EvaluationRequest(
        examples=EXAMPLES,
        contexts=CONTEXTS,
        params=SamplingParams(temperature=1.0, top_p=1.0, max_new_tokens=max_new_tokens),
        num_samples=3,
        **{"key": "k", **changes},
    )
    return evaluate_examples(
        request,
        agent=SinglePassAgent("plain"),
        sampler=TokenChat(LocalSampler(model, tokenizer)),
        score=score,
        on_progress=on_progress,
    )


def test_examples_come_in_order_with_their_own_attempts(model, tokenizer):
    evaluated = evaluate(model, tokenizer)
    assert [entry.example for entry in evaluated] == EXAMPLES
    for entry in evaluated:
        assert [rollout.rollout_index for rollout in entry.rollouts] == [0, 1, 2]
        assert {rollout.example_id for rollout in entry.rollouts} == {entry.example.example_id}
        assert {reward.extracted_answer for reward in entry.rewards} == {entry.example.example_id}


def test_attempts_differ_and_repeat_with_the_key(model, tokenizer):
    first, again = evaluate(model, tokenizer), evaluate(model, tokenizer)
    assert first == again
    assert len({rollout.final_text for rollout in first[0].rollouts}) > 1
    assert evaluate(model, tokenizer, key="other") != first


def test_batches_change_nothing_but_the_progress_reports(model, tokenizer):
    done = []
    batched = evaluate(model, tokenizer, on_progress=done.append, batch_examples=2)
    assert done == [2, 4, 5]
    whole = evaluate(model, tokenizer)
    assert [[rollout.turns[0].response_ids for rollout in entry.rollouts] for entry in batched] == [
        [rollout.turns[0].response_ids for rollout in entry.rollouts] for entry in whole
    ]


def test_failed_attempts_count_as_wrong(model, tokenizer):
    evaluated = evaluate(model, tokenizer, max_new_tokens=5_000)
    assert mean_reward(evaluated) == 0.0
    assert all(rollout.error for entry in evaluated for rollout in entry.rollouts)


def test_mean_reward_averages_attempts_then_examples(model, tokenizer):
    evaluated = evaluate(model, tokenizer)
    by_hand = [sum(reward.value for reward in entry.rewards) / 3 for entry in evaluated]
    assert mean_reward(evaluated) == pytest.approx(sum(by_hand) / 5)


TEXT = "abcdefghij"  # ten tokens


def sized(example_id, *, num_prompt_tokens, context_id="c"):
    return make_example(
        example_id,
        context_id=context_id,
        num_prompt_tokens=num_prompt_tokens,
        num_context_tokens=10,
    )


def truncated(tokenizer, *examples, max_prompt_tokens):
    contexts = {"c": make_context(TEXT), "d": make_context(TEXT, "d")}
    return truncated_contexts(examples, contexts, tokenizer, max_prompt_tokens=max_prompt_tokens)


def test_contexts_keep_head_and_tail_within_the_prompt(tokenizer):
    found = truncated(tokenizer, sized("e", num_prompt_tokens=15), max_prompt_tokens=9)
    assert found["c"].text == "abij"
    assert found["c"].context_id == "c"


def test_contexts_that_fit_are_left_alone(tokenizer):
    found = truncated(tokenizer, sized("e", num_prompt_tokens=15), max_prompt_tokens=15)
    assert found["c"].text == TEXT
    assert set(found) == {"c"}


def test_a_shared_context_is_cut_for_its_longest_question(tokenizer):
    long, short = sized("long", num_prompt_tokens=18), sized("short", num_prompt_tokens=12)
    for pair in ((long, short), (short, long)):
        assert truncated(tokenizer, *pair, max_prompt_tokens=12)["c"].text == "abij"


def test_a_limit_below_the_template_is_a_config_error(tokenizer):
    with pytest.raises(ConfigError, match="max_prompt_tokens is 4"):
        truncated(tokenizer, sized("e", num_prompt_tokens=15), max_prompt_tokens=4)
