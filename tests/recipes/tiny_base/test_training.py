"""The tokenizer, the initial weights and the training of the tiny base."""

from collections import Counter

import pytest
import torch

from longloom.models.qwen3 import Qwen3, Qwen3Shape
from longloom.models.shared_prefix import SharedPrefix
from longloom.recipes.tiny_base.initialise import initialise
from longloom.recipes.tiny_base.pretrain import pad_traces, permute_names, target_loss
from longloom.recipes.tiny_base.repetition import RepetitionLists
from longloom.recipes.tiny_base.traces import TracePair
from longloom.recipes.tiny_base.vocabulary import build_tokenizer, save_tokenizer
from longloom.text.tokenizer import FolderTokenizer

SHAPE = Qwen3Shape(
    vocab_size=600,
    hidden_size=128,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=4,
    head_dim=32,
    max_position_embeddings=512,
    rope_theta=1_000_000.0,
    rms_norm_eps=1e-6,
    tie_word_embeddings=True,
)


def states(model, token_ids):
    """Return, at each token but the first of a row, the final state of the token before it."""
    num_rows, num_tokens = token_ids.shape
    plan = SharedPrefix([num_tokens] * num_rows, [[]] * num_rows, device=token_ids.device)
    hidden = model.hidden(token_ids.flatten(), plan.positions, plan)
    return hidden.view(num_rows, num_tokens, -1).roll(1, dims=1)


@pytest.fixture(scope="module")
def tokenizer_and_names(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    names = Counter({f"name{index}Long": 2 for index in range(40)} | {"OrderedDict": 5})
    tokenizer, ids = build_tokenizer(
        ["module base\nbase module parameters What is?"], names, vocabulary_size=600
    )
    save_tokenizer(tokenizer, folder, window_tokens=512)
    return FolderTokenizer(folder), ids


@pytest.mark.parametrize(
    "text",
    [
        "base OrderedDict dict",
        "A. x\nB. y\n\nWhat is?",
        "unknown_words like zażółć, 中文 and \t tabs  and trailing ",
        "<memory>none</memory><plan>base x</plan>",
        "0 7 42 123 -5",
    ],
)
def test_any_text_round_trips(tokenizer_and_names, text):
    tokenizer, _ = tokenizer_and_names
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_a_common_name_is_one_token_within_the_names(tokenizer_and_names):
    tokenizer, names = tokenizer_and_names
    (token,) = tokenizer.encode(" OrderedDict")
    assert token in names


def test_a_template_word_is_no_name(tokenizer_and_names):
    tokenizer, names = tokenizer_and_names
    assert not set(tokenizer.encode("module")) & set(names)


def test_the_initial_weights_look_values_up_better_than_chance(tokenizer_and_names):
    tokenizer, _ = tokenizer_and_names
    names = range(200, 600)
    model = Qwen3(SHAPE)
    initialise(model, seed=1)
    lists = RepetitionLists(tokenizer, ("module", "base"), names)
    generator = torch.Generator().manual_seed(0)
    token_ids, is_target = lists.batch(4, max_tokens=3_200, generator=generator)
    with torch.no_grad():
        guessed = (states(model, token_ids)[is_target] @ model.head_weight.T).argmax(dim=-1)
    accuracy = (guessed == token_ids[is_target]).float().mean()
    assert accuracy > 0.1  # chance is 1 in 400


def test_a_repeated_list_holds_the_same_statements_and_targets_are_its_values(tokenizer_and_names):
    tokenizer, _ = tokenizer_and_names
    lists = RepetitionLists(tokenizer, ("module", "base"), range(200, 600))
    token_ids, is_target = lists.batch(
        6, max_tokens=480, generator=torch.Generator().manual_seed(3)
    )
    for row, targets in zip(token_ids, is_target, strict=True):
        first, second = row.view(2, 6, 4)
        assert sorted(map(tuple, first.tolist())) == sorted(map(tuple, second.tolist()))
        assert targets.view(2, 6, 4)[1, :, 2].all()
        assert int(targets.sum()) == 6


def test_permuting_names_is_one_to_one_and_leaves_other_tokens():
    names = range(10, 20)
    token_ids = torch.tensor([[1, 10, 11, 10, 19, 2], [3, 12, 12, 13, 14, 25]])
    permuted = permute_names(token_ids, names, torch.Generator().manual_seed(0))
    is_name = (token_ids >= 10) & (token_ids < 20)
    assert torch.equal(permuted[~is_name], token_ids[~is_name])
    for before, after in zip(token_ids, permuted, strict=True):
        pairs = set(zip(before.tolist(), after.tolist(), strict=True))
        assert len({new for _, new in pairs}) == len({old for old, _ in pairs}) == len(pairs)


def test_loss_is_taken_over_responses_alone():
    pairs = [
        TracePair(prompt_ids=(5, 6, 7), response_ids=(8, 9)),
        TracePair(prompt_ids=(5,), response_ids=(6,)),
    ]
    token_ids, is_target = pad_traces(pairs)
    assert token_ids.tolist() == [[5, 6, 7, 8, 9], [5, 6, 0, 0, 0]]
    assert is_target.tolist() == [[False, False, False, True, True], [False, True] + [False] * 3]
    torch.manual_seed(0)
    model = Qwen3(SHAPE)
    initialise(model, seed=0)
    logprobs = (states(model, token_ids) @ model.head_weight.T).log_softmax(-1)
    by_hand = -(logprobs[0, 3, 8] + logprobs[0, 4, 9] + logprobs[1, 1, 6]) / 3
    assert torch.allclose(target_loss(model, token_ids, is_target), by_hand, atol=1e-5)
