"""Log-probabilities of responses with shared prompts, beside transformers row by row."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from longloom.models.folder import load_model
from longloom.models.local_policy import score_sequences
from longloom.records import TrainingSequence


def random_ids(generator, *sizes):
    return torch.randint(0, 256, sizes, generator=generator)


def sequence(prompt_ids, response_ids):
    return TrainingSequence(
        prompt_ids=tuple(prompt_ids),
        response_ids=tuple(response_ids),
        rollout_logprobs=(0.0,) * len(response_ids),
        advantages=(1.0,) * len(response_ids),
    )


@pytest.fixture
def sequences():
    """Ragged groups: three responses, one, two; a prompt of one token; lengths 1 to 6."""
    generator = torch.Generator().manual_seed(1)
    rows = []
    for num_prompt, lengths in ((5, (4, 1, 6)), (11, (3,)), (1, (2, 5)), (2, (6, 2))):
        prompt = random_ids(generator, num_prompt).tolist()
        rows += [sequence(prompt, random_ids(generator, n).tolist()) for n in lengths]
    return rows


def slow_scores(theirs, sequences, temperature):
    """Log-probabilities and entropies by transformers, each sequence alone."""
    logprobs, entropies = [], []
    for each in sequences:
        ids = torch.tensor([each.prompt_ids + each.response_ids])
        logits = theirs(ids).logits[0, len(each.prompt_ids) - 1 : -1] / temperature
        table = logits.log_softmax(dim=-1)
        logprobs.append(table.gather(-1, torch.tensor(each.response_ids)[:, None])[:, 0])
        entropies.append(-(table.exp() * table).sum(dim=-1))
    return torch.cat(logprobs), torch.cat(entropies)


def relative_error(found, expected):
    return float((found - expected).detach().norm() / expected.detach().norm())


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_shared_prompts_give_the_scores_and_gradients_of_unshared_rows(
    any_folder, sequences, temperature
):
    from transformers import Qwen3ForCausalLM

    theirs, ours = Qwen3ForCausalLM.from_pretrained(any_folder).double(), load_model(any_folder)
    ours = ours.double()
    logprobs, entropies = score_sequences(ours, sequences, temperature=temperature)
    expected, expected_entropies = slow_scores(theirs, sequences, temperature)
    assert relative_error(logprobs, expected) < 1e-5
    assert relative_error(entropies, expected_entropies) < 1e-5
    weights = torch.linspace(-1, 2, len(logprobs)).double()
    (logprobs * weights).sum().backward()
    (expected * weights).sum().backward()
    expected_gradients = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        assert relative_error(parameter.grad, expected_gradients[name].grad) < 1e-5, name


def test_scores_come_in_the_order_of_the_sequences(tiny_folder, sequences):
    model = load_model(tiny_folder)
    shuffled = [sequences[index] for index in (3, 5, 0, 2, 7, 4, 1, 6)]
    with torch.no_grad():
        alone = [score_sequences(model, [each], temperature=1.0)[0] for each in shuffled]
        together, _ = score_sequences(model, shuffled, temperature=1.0)
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-5)


def test_entropies_carry_no_gradient(tiny_folder, sequences):
    _, entropies = score_sequences(load_model(tiny_folder), sequences, temperature=1.0)
    assert not entropies.requires_grad


def test_an_empty_response_has_no_tokens_to_score(tiny_folder):
    model = load_model(tiny_folder)
    empty, other = sequence((5, 6, 7), ()), sequence((5, 6, 7), (8, 9))
    expected = score_sequences(model, [other], temperature=1.0)[0]
    for batch in ([empty, other], [other, empty], [empty, other, sequence((4, 4), ())]):
        logprobs, _ = score_sequences(model, batch, temperature=1.0)
        torch.testing.assert_close(logprobs, expected)
    logprobs, entropies = score_sequences(model, [empty], temperature=1.0)
    assert logprobs.shape == entropies.shape == (0,)
    logprobs.sum().backward()


def test_prompts_of_one_token_and_groups_of_one_are_scored_as_any_other(tiny_folder, sequences):
    """What supervised training has: no prompt is met twice, and some are but a mark."""
    model = load_model(tiny_folder)
    ones = [sequence(each.prompt_ids[:1], each.response_ids) for each in sequences]
    expected = [score_sequences(model, [each], temperature=1.0)[0] for each in ones]
    found, _ = score_sequences(model, ones, temperature=1.0)
    torch.testing.assert_close(found, torch.cat(expected), rtol=1e-4, atol=1e-5)


@st.composite
def tries(draw):
    """Draw lengths and parents of prompts that continue parts of each other, and of answers."""
    rows = st.tuples(
        st.integers(0, 9), st.integers(0, 200), st.integers(1, 150), st.lists(st.integers(1, 5))
    )
    return draw(st.lists(rows, min_size=1, max_size=6)), draw(st.integers(0, 99))


@settings(max_examples=25)
@given(tries())
def test_prompts_of_any_trie_give_the_scores_and_gradients_of_rows_alone(tiny_folder, drawn):
    rows, seed = drawn
    generator = torch.Generator().manual_seed(seed)
    prompts, sequences = [[]], []
    for base, kept, own, answers in rows:
        prompt = prompts[base % len(prompts)][:kept] + random_ids(generator, own).tolist()
        prompts.append(prompt)
        sequences += [
            sequence(prompt, random_ids(generator, num_tokens).tolist())
            for num_tokens in answers[:3] or [2]
        ]
    model = load_model(tiny_folder)
    together, _ = score_sequences(model, sequences, temperature=1.0)
    weights = torch.linspace(-1, 2, len(together))
    gradients = torch.autograd.grad((together * weights).sum(), list(model.parameters()))
    alone = torch.cat([score_sequences(model, [each], temperature=1.0)[0] for each in sequences])
    expected = torch.autograd.grad((alone * weights).sum(), list(model.parameters()))
    assert relative_error(together, alone) < 1e-5
    found, wanted = (torch.cat([each.flatten() for each in side]) for side in (gradients, expected))
    assert relative_error(found, wanted) < 1e-5


def test_a_beginning_that_prompts_share_is_read_once(tiny_folder, monkeypatch):
    model = load_model(tiny_folder)
    section = random_ids(torch.Generator().manual_seed(0), 80).tolist()
    sequences = [sequence([*section, memory, 3], (5, 6)) for memory in (1, 2, 1)]
    read = []
    hidden = type(model).hidden

    def counted(network, token_ids, *rest, **settings):
        read.append(len(token_ids))
        return hidden(network, token_ids, *rest, **settings)

    monkeypatch.setattr(type(model), "hidden", counted)
    score_sequences(model, sequences, temperature=1.0)
    assert read == [80 + 2 * 1 + 3 * 2]  # the section, two memories, three answers
