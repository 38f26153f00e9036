"""Our Qwen3 over packed tokens beside that of transformers, row by row."""

import pytest
import torch

from longloom.models.folder import load_model
from longloom.models.shared_prefix import SharedPrefix

LENGTHS = (5, 11, 1, 8)


@pytest.fixture
def rows():
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(0, 256, (length,), generator=generator) for length in LENGTHS]


def plain_rows(lengths):
    """A plan in which every row attends to itself alone."""
    return SharedPrefix(lengths, [[] for _ in lengths], device=torch.device("cpu"))


def packed_logits(model, rows, **settings):
    plan = plain_rows([len(row) for row in rows])
    hidden = model.hidden(torch.cat(rows), plan.positions, plan, **settings)
    return hidden @ model.head_weight.T


def relative_error(found, expected):
    return float((found - expected).detach().norm() / expected.detach().norm())


def test_packed_rows_give_the_logits_and_gradients_of_transformers(any_folder, rows):
    from transformers import Qwen3ForCausalLM

    theirs, ours = Qwen3ForCausalLM.from_pretrained(any_folder).double(), load_model(any_folder)
    logits = packed_logits(ours.double(), rows)
    expected = torch.cat([theirs(row[None]).logits[0] for row in rows])
    assert relative_error(logits, expected) < 1e-6
    weights = torch.randn(logits.shape, generator=torch.Generator().manual_seed(1)).double()
    (logits * weights).sum().backward()
    (expected * weights).sum().backward()
    expected_gradients = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        assert relative_error(parameter.grad, expected_gradients[name].grad) < 1e-6, name


def test_a_row_has_the_states_it_has_alone(any_folder, rows):
    model = load_model(any_folder)
    with torch.no_grad():
        together = packed_logits(model, rows)
        alone = [packed_logits(model, [row]) for row in rows]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-4)


def test_silent_tokens_change_nothing_but_that_they_are_left_out(any_folder, rows):
    model = load_model(any_folder)
    whole = packed_logits(model, rows)
    weights = torch.linspace(-1, 1, whole[16:].numel()).view_as(whole[16:])
    (whole[16:] * weights).sum().backward()
    expected = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    # The first two rows are silent: the others do not see them.
    positions = torch.cat([torch.arange(length) for length in LENGTHS])

    def attend(layer, query, key, value):
        start = 16 - (len(key) - len(query))
        both = [query[:start], query[start:]]
        output = [
            plain_rows([5, 11])(layer, both[0], key[:16], value[:16]) if start else query[:0],
            plain_rows([1, 8])(layer, both[1], key[16:], value[16:]),
        ]
        return torch.cat(output)

    hidden = model.hidden(torch.cat(rows), positions, attend, num_silent=16)
    rest = hidden @ model.head_weight.T
    torch.testing.assert_close(rest, whole[16:], rtol=1e-4, atol=1e-4)
    (rest * weights).sum().backward()
    for name, parameter in model.named_parameters():
        assert relative_error(parameter.grad, expected[name]) < 1e-5, name


def test_recomputed_layers_give_the_same_states_and_gradients(any_folder, rows):
    model = load_model(any_folder)
    found = []
    for recomputes in (False, True):
        model.recomputes_layers = recomputes
        model.zero_grad()
        logits = packed_logits(model, rows)
        (logits * torch.linspace(-1, 1, logits.numel()).view_as(logits)).sum().backward()
        found.append([logits.detach(), *(each.grad.clone() for each in model.parameters())])
    for kept, recomputed in zip(*found, strict=True):
        assert torch.equal(kept, recomputed)


def kept_bytes(model, rows):
    """Bytes of what autograd keeps between the passes, the weights not counted."""
    weights = {each.untyped_storage().data_ptr() for each in model.parameters()}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits = packed_logits(model, rows)
    assert logits.requires_grad  # the graph, and with it what it keeps, is alive
    return sum(kept.values())


def test_recomputed_layers_keep_less(tiny_folder):
    model = load_model(tiny_folder)
    rows = [torch.arange(200)] * 2
    whole = kept_bytes(model, rows)
    model.recomputes_layers = True
    assert kept_bytes(model, rows) < whole / 4


def test_what_is_kept_grows_with_the_tokens_and_not_with_their_square(tiny_folder):
    model = load_model(tiny_folder)
    short, long = (kept_bytes(model, [torch.arange(length) % 256]) for length in (250, 1_000))
    assert long <= 4 * short
