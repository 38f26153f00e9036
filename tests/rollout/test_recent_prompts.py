import gc
import weakref

import pytest

from longloom.models.folder import load_model
from longloom.models.local_sampler import LocalSampler
from longloom.rollout import GivenPromptAgent, SinglePassAgent, TokenChat, run_attempts
from longloom.rollout.recent_prompts import RecentPrompts, TokenisedPrompt, recent_prompts
from longloom.text.tokenizer import FolderTokenizer
from questions import make_attempt


class CountingTokenizer(FolderTokenizer):
    def __init__(self, folder):
        super().__init__(folder)
        self.encoded = []

    def encode(self, text):
        self.encoded.append(text)
        return super().encode(text)


@pytest.fixture
def sampler(tiny_folder):
    return LocalSampler(load_model(tiny_folder), CountingTokenizer(tiny_folder))


def attempts_of(texts, group_size=4):
    return [make_attempt(text, key=f"{text}/{i}") for text in texts for i in range(group_size)]


def test_a_group_tokenises_its_prompt_once_and_shares_its_tokens(sampler):
    rollouts = run_attempts(
        SinglePassAgent("plain"), attempts_of(["a", "b"]), sampler=TokenChat(sampler)
    )
    assert len(sampler.tokenizer.encoded) == 2
    prompts = [rollout.turns[0].prompt_ids for rollout in rollouts]
    assert all(prompt is prompts[0] for prompt in prompts[:4])
    assert all(prompt is prompts[4] for prompt in prompts[4:])
    assert prompts[0] != prompts[4]


def test_a_group_reads_its_given_prompt_once(sampler):
    read = []

    def prompt_ids(context_id):
        read.append(context_id)
        return tuple(range(1, 4))

    rollouts = run_attempts(
        GivenPromptAgent(prompt_ids), attempts_of(["a"]), sampler=TokenChat(sampler)
    )
    assert read == ["c"]
    assert len({id(rollout.turns[0].prompt_ids) for rollout in rollouts}) == 1


def prompt_of(num_tokens):
    return TokenisedPrompt(text="", ids=(1,) * num_tokens)


def test_prompts_that_were_not_asked_for_longest_are_dropped_first():
    recent = RecentPrompts(max_tokens=10)
    made = []

    def get(source, num_tokens):
        def make():
            made.append(source)
            return prompt_of(num_tokens)

        return recent.get(source, make)

    for source in ("a", "b", "a", "c", "a", "b"):  # c does not fit beside a and b
        get(source, 4)
    assert made == ["a", "b", "c", "b"]


def test_a_prompt_longer_than_all_that_is_kept_is_kept_until_the_next():
    recent = RecentPrompts(max_tokens=10)
    long = recent.get("long", lambda: prompt_of(30))
    assert recent.get("long", lambda: prompt_of(30)) is long
    recent.get("short", lambda: prompt_of(1))
    assert recent.get("long", lambda: prompt_of(30)) is not long


def test_prompts_are_of_one_tokenizer_and_forgotten_with_it(tiny_folder):
    first, second = FolderTokenizer(tiny_folder), FolderTokenizer(tiny_folder)
    assert recent_prompts(first) is recent_prompts(first)
    assert recent_prompts(first) is not recent_prompts(second)
    kept = weakref.ref(recent_prompts(first))
    del first
    gc.collect()
    assert kept() is None
