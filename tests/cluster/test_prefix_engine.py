"""Our engine against verl's own FSDP2 engine, both on the CPU, fed with the same rows."""

import pytest
import torch

# Not verl itself: `verl_engines` says what platform it is on before it is imported.
pytest.importorskip("tensordict", reason="verl is in the environment of `make test-cluster`")

from tensordict import NonTensorStack

from longloom.errors import ConfigError, EngineError, ModelError
from tiny_architectures import write_architecture
from tiny_models import TinyShape, write_model
from verl_engines import (
    actor_loss,
    make_batch,
    make_engine,
    scores_of,
    start_rank,
    step_in_two_ranks,
    step_of,
)

pytestmark = pytest.mark.distributed

LONG, OTHER, SHORT = tuple(range(3, 83)), tuple(range(90, 110)), (33,)
LATER = (*LONG[:70], 200, 201, 202)
ROWS = {
    "one group": [(LONG, (1, 2, 3)), (LONG, (4,)), (LONG, (5, 6, 7, 8)), (LONG, (1, 2, 3))],
    "groups among each other": [
        (LONG, (1, 2, 3)), (OTHER, (4, 5)), (LONG, (7, 8, 9, 10)), (OTHER, (6,)), (LONG, (2, 2)),
    ],
    "prompts of their own": [(LONG, (1, 2, 3)), (OTHER, (4, 5)), ((7, 8), (9, 9, 9, 9))],
    "a single row": [(OTHER, (4, 5, 6))],
    "prompts of one token": [(SHORT, (4, 4, 4)), (OTHER, (1,)), (SHORT, (5, 6)), ((34,), (4, 5))],
    "prompts that begin alike": [(LONG, (1, 2)), (LATER, (3, 4, 5)), (OTHER, (6,)), (LATER, (7,))],
}  # fmt: skip
MIXED = [row for rows in ROWS.values() for row in rows]
RELATIVE = 1e-5


@pytest.fixture(scope="module", autouse=True)
def _one_rank(tmp_path_factory):
    start_rank(tmp_path_factory.mktemp("group") / "store")
    yield
    torch.distributed.destroy_process_group()


@pytest.fixture(scope="module", params=["tied", "untied"])
def folder(request, tmp_path_factory):
    """Return a model whose output matrix is the embedding, and one that is sharded apart."""
    folder = tmp_path_factory.mktemp("verl") / request.param
    write_model(folder, TinyShape(tied=request.param == "tied"))
    return folder


def assert_near(found, expected, relative=RELATIVE):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if isinstance(value, dict):
            assert_near(found[name], value, relative)
        else:
            difference = (found[name] - value).float().norm()
            assert difference <= relative * value.float().norm() + 1e-9, name


def assert_engines_agree(engines, batch, relative=RELATIVE):
    theirs, ours = engines
    assert_near(scores_of(ours, batch), scores_of(theirs, batch), relative)
    assert_near(step_of(ours, batch), step_of(theirs, batch), relative)


def both_engines(folder, **settings):
    return [make_engine(folder, shares=shares, **settings) for shares in (False, True)]


@pytest.mark.parametrize("recomputes", [False, True])
@pytest.mark.parametrize("name", ROWS)
def test_scores_gradients_and_weights_are_those_of_verls_engine(tiny_folder, name, recomputes):
    engines = both_engines(tiny_folder, recomputes=recomputes)
    assert_engines_agree(engines, make_batch(ROWS[name], temperature=0.7))


def test_an_output_matrix_may_be_tied_or_sharded_apart(folder):
    assert_engines_agree(both_engines(folder), make_batch(MIXED))


@pytest.mark.parametrize("name", ["llama", "qwen2", "qwen3_moe"])
def test_other_architectures_are_computed_alike(tmp_path, name):
    write_architecture(tmp_path / name, name)
    assert_engines_agree(both_engines(tmp_path / name), make_batch(MIXED, temperature=0.7))


@pytest.mark.parametrize("settings", [{"use_no_sync_for_gradient_accumulation": False}, {}])
def test_micro_batches_add_up(folder, settings):
    engines = both_engines(folder, **settings)
    assert_engines_agree(engines, make_batch(MIXED, max_tokens=90))


def test_micro_batches_may_be_of_a_fixed_number_of_rows(tiny_folder):
    batch = make_batch(MIXED[:8], use_dynamic_bsz=False, micro_batch_size_per_gpu=4)
    assert_engines_agree(both_engines(tiny_folder), batch)


def test_adapters_are_trained_alike(tiny_folder):
    engines = both_engines(tiny_folder, lora_rank=4)
    batch = make_batch(MIXED)
    for _ in range(2):  # the first step leaves one half of an adapter without a gradient
        assert_engines_agree(engines, batch)
    with engines[0].disable_adapter(), engines[1].disable_adapter():
        assert_near(scores_of(engines[1], batch), scores_of(engines[0], batch))


def test_checkpoints_are_verls(tiny_folder, tmp_path):
    """What ours saves, verl's engine continues, and transformers loads."""
    from transformers import AutoModelForCausalLM

    theirs, ours = both_engines(tiny_folder)
    batch = make_batch(MIXED)
    step_of(ours, batch)
    ours.save_checkpoint(str(tmp_path))
    theirs.load_checkpoint(str(tmp_path), del_local_after_load=False)
    assert_engines_agree((theirs, ours), batch)
    saved = tmp_path / "huggingface"
    assert "longloom" not in (saved / "config.json").read_text("utf-8")
    loaded = AutoModelForCausalLM.from_pretrained(saved, dtype=torch.float32)
    logits = loaded(input_ids=torch.tensor([LONG])).logits
    assert logits.shape == (1, len(LONG), loaded.config.vocab_size)


def test_half_precision_is_as_exact_as_verls(folder):
    """Errors against fp32 are those of rounding, and so differ a little."""
    batch = make_batch(MIXED)

    def found_by(engine):
        scores, gradients = scores_of(engine, batch), step_of(engine, batch)["gradients"]
        return {
            **{name: values.float() for name, values in scores.items()},
            "gradients": torch.cat([gradients[name].flatten() for name in sorted(gradients)]),
        }

    exact = found_by(make_engine(folder, shares=False))
    theirs, ours = map(found_by, both_engines(folder, dtype="bf16"))
    for name, value in exact.items():
        error = (ours[name] - value).norm()
        assert 0 < error <= 1.5 * (theirs[name] - value).norm(), name


def test_two_ranks_agree_though_they_need_different_numbers_of_micro_batches(folder, tmp_path):
    """The first rank has one group, the second only prompts of their own."""
    rows = [ROWS["one group"], [(LONG, (1, 2)), (OTHER, (3,)), (LATER, (4, 5)), (SHORT, (6,))]]
    theirs = step_in_two_ranks(tmp_path, folder, rows, max_tokens=90, shares=False)
    ours = step_in_two_ranks(tmp_path, folder, rows, max_tokens=90, shares=True)
    assert_near(ours, theirs)


def test_a_prompt_is_computed_once(tiny_folder):
    engine = make_engine(tiny_folder, shares=True)
    counts = []
    embedding = engine.module.get_input_embeddings()
    embedding.register_forward_hook(
        lambda _module, inputs, _output: counts.append(inputs[0].numel())
    )
    head = engine.module.get_output_embeddings()
    head.register_forward_hook(lambda _module, inputs, _output: counts.append(len(inputs[0])))
    scores_of(engine, make_batch(ROWS["one group"]))
    # The prompt's last token is read with each response, whose own last token is not.
    responses = 3 + 1 + 4 + 3
    assert counts == [len(LONG) - 1 + responses, responses]


def test_results_stand_where_they_were_asked_for(tiny_folder):
    """Whatever the micro-batches, a row's scores come back as that row."""
    engine = make_engine(tiny_folder, shares=True)
    whole = scores_of(engine, make_batch(MIXED))["log_probs"]
    alone = [scores_of(engine, make_batch([row]))["log_probs"] for row in MIXED]
    torch.testing.assert_close(whole, torch.cat(alone), rtol=1e-4, atol=1e-5)


def test_a_row_longer_than_the_limit_is_computed_alone(tiny_folder):
    engine = make_engine(tiny_folder, shares=True)
    batch = make_batch(MIXED, max_tokens=10)
    expected = scores_of(engine, make_batch(MIXED))
    assert_near(scores_of(engine, batch), expected)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ulysses_sequence_parallel_size": 2}, "ulysses_sequence_parallel_size above 1"),
        ({"pad_to_length": True}, "pad_to_length"),
        ({"use_fused_kernels": True}, "use_fused_kernels"),
    ],
)
def test_settings_it_cannot_keep_are_refused(tiny_folder, settings, message):
    with pytest.raises(ConfigError, match=rf"{message}.*shares_prompts: false"):
        make_engine(tiny_folder, shares=True, **settings)


@pytest.mark.parametrize("name", ["gemma2", "granite", "phi"])
def test_models_it_does_not_compute_are_refused(tmp_path, name):
    write_architecture(
        tmp_path / name, name, **{"logits_scaling": 2.0} if name == "granite" else {}
    )
    with pytest.raises(ModelError, match="packed attention runs decoders"):
        make_engine(tmp_path / name, shares=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"calculate_sum_pi_squared": True}, "calculate_sum_pi_squared"),
        ({"distillation_only": True}, "distillation_only"),
        ({"temperature": torch.tensor([1.0, 0.5, 1.0])}, r"temperatures \[0.5, 1.0\]"),
    ],
)
def test_batches_that_ask_for_more_are_refused(tiny_folder, settings, message):
    engine = make_engine(tiny_folder, shares=True)
    with pytest.raises(EngineError, match=message):
        scores_of(engine, make_batch(ROWS["prompts of their own"], **settings))


def test_rows_with_images_are_refused_and_empty_fields_for_them_are_not(tiny_folder):
    engine = make_engine(tiny_folder, shares=True)
    batch = make_batch(ROWS["prompts of their own"])
    expected = scores_of(engine, batch)
    batch["multi_modal_inputs"] = NonTensorStack({}, {}, {})
    assert_near(scores_of(engine, batch), expected)
    batch["multi_modal_inputs"] = NonTensorStack({}, {"pixel_values": torch.zeros(1, 2)}, {})
    with pytest.raises(EngineError, match="multi_modal_inputs"):
        scores_of(engine, batch)


def test_rows_without_prompts_are_refused(tiny_folder):
    engine = make_engine(tiny_folder, shares=True)
    with pytest.raises(EngineError, match="no nested prompts"):
        step_of(engine, make_batch(ROWS["a single row"]).exclude("prompts"))


def test_a_loss_that_learns_from_the_entropy_is_refused(tiny_folder):
    engine = make_engine(tiny_folder, shares=True)
    batch = make_batch(MIXED)
    step_of(engine, batch, actor_loss(entropy_coeff=0.0))
    with pytest.raises(EngineError, match="entropy_coeff to 0"):
        step_of(engine, batch, actor_loss(entropy_coeff=0.01))
