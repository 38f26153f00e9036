import json
import math
import shutil

import pytest
import torch

from longloom.errors import ConfigError, ModelError
from longloom.models.folder import load_model
from longloom.models.qwen3 import rotation_at
from longloom.models.rotary import (
    NO_SCALING,
    RotaryScaling,
    attention_factor,
    read_scaling,
    rotary_frequencies,
    with_scaling,
    with_yarn,
    yarn_by_factor,
)
from longloom.models.yarn_config import YarnConfig
from tiny_architectures import configuration

CPU = torch.device("cpu")
SCALINGS = [
    {"rope_type": "linear", "factor": 3.0},
    {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8_192,
    },
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32_768},
    {
        "rope_type": "yarn",
        "factor": 40.0,
        "original_max_position_embeddings": 4_096,
        "mscale": 1.0,
        "mscale_all_dim": 0.707,
        "beta_fast": 16,
        "beta_slow": 2,
    },
    {
        "rope_type": "yarn",
        "factor": 2.0,
        "original_max_position_embeddings": 512,
        "attention_factor": 1.25,
        "truncate": False,
    },
]


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("theta", [10_000.0, 1_000_000.0])
@pytest.mark.parametrize("head_dim", [8, 128])
def test_frequencies_equal_those_of_transformers(scaling, theta, head_dim):
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    window = int(scaling["factor"] * scaling.get("original_max_position_embeddings", 1_024))
    parameters = {**scaling, "rope_theta": theta}
    config = configuration(
        "qwen3", head_dim=head_dim, rope_parameters=dict(parameters), max_position_embeddings=window
    )
    expected, expected_factor = ROPE_INIT_FUNCTIONS[scaling["rope_type"]](config)
    read = read_scaling({"rope_parameters": parameters, "max_position_embeddings": window})
    found, factor = rotary_frequencies(read, theta, head_dim, CPU)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)
    assert factor == pytest.approx(expected_factor)


def test_plain_frequencies_are_powers_of_the_base():
    found, factor = rotary_frequencies(NO_SCALING, 100.0, 4, CPU)
    torch.testing.assert_close(found, torch.tensor([1.0, 0.1]))  # 100^0, 100^(-2/4)
    assert factor == 1


def test_yarn_by_4_multiplies_by_a_tenth_of_the_logarithm_and_one():
    scaling = RotaryScaling(rope_type="yarn", factor=4.0, original_max_position_embeddings=32_768)
    assert attention_factor(scaling) == pytest.approx(0.1 * math.log(4) + 1)


def test_defaults_take_qwen3_to_131072_tokens():
    assert YarnConfig().window_tokens == 131_072
    with pytest.raises(ConfigError, match="factor"):
        YarnConfig().replace(factor=1.0)


def test_older_folders_are_read_alike():
    older = {
        "max_position_embeddings": 40_960,
        "rope_theta": 1e6,
        "rope_scaling": {
            "type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32_768,
        },
    }  # fmt: skip
    newer = {
        "max_position_embeddings": 40_960,
        "rope_parameters": {
            "rope_type": "yarn",
            "rope_theta": 1e6,
            "factor": 4.0,
            "original_max_position_embeddings": 32_768,
        },
    }
    assert read_scaling(older) == read_scaling(newer)
    assert read_scaling({"rope_theta": 1e6, "rope_scaling": None}) == NO_SCALING


@pytest.mark.parametrize("scaling", SCALINGS)
def test_a_scaling_written_into_settings_is_read_again(scaling):
    settings = {"max_position_embeddings": 1_024, "rope_theta": 5e5}
    read = read_scaling({**settings, "rope_parameters": scaling})
    written = with_scaling(settings, read)
    assert read_scaling(written) == read
    assert written["rope_parameters"] == {**scaling, "rope_theta": 5e5}
    assert written["rope_scaling"] == scaling


def test_yarn_lengthens_the_window_of_settings():
    changed = with_yarn({"max_position_embeddings": 40_960, "rope_theta": 1e6}, YarnConfig())
    assert changed["max_position_embeddings"] == 131_072


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_position_embeddings": 1_024}, "does not fit a model whose window is 1024"),
        ({"max_position_embeddings": 262_144}, "does not fit a model whose window is 262144"),
        (
            {
                "max_position_embeddings": 32_768,
                "rope_scaling": {"rope_type": "linear", "factor": 2.0},
            },
            "'linear' by factor 2 already",
        ),
    ],
)
def test_yarn_is_refused_where_it_does_not_fit(settings, message):
    with pytest.raises(ModelError, match=message):
        with_yarn(settings, YarnConfig())


@pytest.mark.parametrize(
    ("window", "original"), [(40_960, 32_768), (32_768, 32_768), (1_024, 1_024), (262_144, 262_144)]
)
def test_yarn_by_factor_starts_from_the_window_of_training(window, original):
    found = yarn_by_factor({"max_position_embeddings": window}, 2.0)
    assert found == YarnConfig(factor=2.0, original_window_tokens=original)


@pytest.fixture
def yarn_folder(tiny_folder, tmp_path):
    """The tiny model with YaRN from 512 to 2,048 tokens in its settings."""
    folder = tmp_path / "yarn"
    shutil.copytree(tiny_folder, folder)
    settings = json.loads((folder / "config.json").read_text("utf-8"))
    changed = with_yarn(settings, YarnConfig(original_window_tokens=512))
    (folder / "config.json").write_text(json.dumps(changed), "utf-8")
    return folder


def test_our_qwen3_with_yarn_equals_that_of_transformers(yarn_folder):
    from transformers import Qwen3ForCausalLM

    from longloom.models.loading import load_network
    from longloom.models.local_policy import score_sequences
    from longloom.records import TrainingSequence
    from tiny_architectures import relative_error, slow_scores

    ids = torch.randint(0, 256, (700,)).tolist()
    sequence = TrainingSequence(
        prompt_ids=tuple(ids[:680]),
        response_ids=tuple(ids[680:]),
        rollout_logprobs=(0.0,) * 20,
        advantages=(1.0,) * 20,
    )
    network = load_network(yarn_folder)
    assert network.sizes.window_tokens == 2_048
    with torch.no_grad():
        found, _ = score_sequences(network, [sequence], temperature=1.0)
        theirs = Qwen3ForCausalLM.from_pretrained(yarn_folder).eval()
        expected, _ = slow_scores(theirs, [sequence], 1.0)
    assert relative_error(found, expected) < 1e-5


def test_frequencies_stay_exact_in_short_types(tiny_folder):
    shape = load_model(tiny_folder).shape
    cos, _ = rotation_at(torch.tensor([1_000]), shape, torch.bfloat16)
    exact = 1_000.0 * shape.rope_theta ** (-2 / shape.head_dim)
    assert float(cos[0, 0, 1]) == pytest.approx(math.cos(exact), abs=4e-3)  # bf16 alone
