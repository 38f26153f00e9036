from hypothesis import given
from hypothesis import strategies as st

from longloom.engines.micro_batches import largest_micro_batch, micro_batches
from longloom.models.prompt_groups import cluster_prompts
from longloom.records import TrainingSequence


def sequence(prompt, num_answer_tokens):
    return TrainingSequence(
        prompt_ids=prompt,
        response_ids=(1,) * num_answer_tokens,
        rollout_logprobs=(),
        advantages=(1.0,) * num_answer_tokens,
    )


def packed_tokens(sequences, batch):
    """Count each prompt once, without its last token, and each shared beginning once."""
    answers = sum(len(sequences[index].response_ids) for index in batch)
    clusters = cluster_prompts([sequences[index].prompt_ids for index in batch])
    for cluster in clusters:
        prompts = [sequences[batch[group[0]]].prompt_ids for group in cluster.groups]
        answers += cluster.beginning_tokens
        answers += sum(len(prompt) - 1 - cluster.beginning_tokens for prompt in prompts)
    return answers


LONG, SHORT = (7,) * 11, (8,) * 3


def test_groups_are_kept_together_and_short_prompts_come_first():
    sequences = [sequence(prompt, 4) for prompt in (LONG, SHORT, LONG, SHORT)]
    # 2 + 8 tokens and 10 + 8 tokens
    assert micro_batches(sequences, max_tokens=28) == [(1, 3, 0, 2)]
    assert micro_batches(sequences, max_tokens=27) == [(1, 3), (0, 2)]


def test_a_group_is_whole_as_long_as_its_answers_fit():
    sequences = [sequence(LONG, 4) for _ in range(3)]
    assert micro_batches(sequences, max_tokens=12) == [(0, 1, 2)]  # 22 tokens: the prompt counts
    assert micro_batches(sequences, max_tokens=11) == [(0, 1), (2,)]
    assert micro_batches(sequences, max_tokens=3) == [(0,), (1,), (2,)]


def test_prompts_that_begin_alike_are_kept_together():
    section = (7,) * 100
    sequences = [
        sequence(prompt, 4)
        for prompt in ((*section, 1, 2, 0), SHORT, (*section, 3, 2, 0), (*section, 4, 2, 0))
    ]
    # 2 + 4 tokens of the short one; of the others 100 + 3 x (2 + 4).
    assert micro_batches(sequences, max_tokens=124) == [(1, 0, 2, 3)]
    assert micro_batches(sequences, max_tokens=118) == [(1,), (0, 2, 3)]
    assert micro_batches(sequences, max_tokens=117) == [(1,), (0, 2), (3,)]
    assert micro_batches(sequences, max_tokens=30) == [(1,), (0,), (2,), (3,)]


def test_a_long_beginning_is_shared_as_far_as_the_largest_group_takes_memory():
    section = (7,) * 100
    equal = [sequence((8,) * 101, 4) for _ in range(3)]  # 100 + 3 x 4 tokens, cut or not
    others = [sequence((*section, index, 0), 4) for index in range(3)]  # 100 + 3 x (1 + 4)
    assert micro_batches([*equal, *others], max_tokens=12) == [(0, 1, 2), (3, 4), (5,)]


def test_nothing_gives_no_micro_batch():
    assert micro_batches([], max_tokens=5) == []


@st.composite
def lengths(draw):
    """Draw tokens of prompts, answers in some order, a bound, and how many tokens all share."""
    prompts = draw(st.lists(st.integers(1, 20), min_size=1, max_size=4))
    group_size = draw(st.integers(1, 4))
    answers = [
        (prompt, draw(st.integers(1, 12)))
        for prompt in range(len(prompts))
        for _ in range(group_size)
    ]
    max_tokens, common = draw(st.integers(1, 300)), draw(st.sampled_from([0, 70]))
    return prompts, group_size, draw(st.permutations(answers)), max_tokens, common


@given(lengths())
def test_every_sequence_is_in_one_micro_batch_of_a_foreseen_size(drawn):
    prompts, group_size, answers, max_tokens, common = drawn
    sequences = [
        sequence((9,) * common + (prompt,) * prompts[prompt], num_answer_tokens)
        for prompt, num_answer_tokens in answers
    ]
    found = micro_batches(sequences, max_tokens=max_tokens)
    assert sorted(index for batch in found for index in batch) == list(range(len(sequences)))
    foreseen = largest_micro_batch(
        max_prompt_tokens=common + max(prompts),
        max_response_tokens=max(num_tokens for _, num_tokens in answers),
        group_size=group_size,
        num_prompts=len(prompts),
        max_tokens=max_tokens,
    )
    assert max(packed_tokens(sequences, batch) for batch in found) <= sum(foreseen)
