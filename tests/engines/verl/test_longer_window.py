"""A model folder with a longer window."""

import json

import pytest

from longloom.engines.verl.longer_window import write_longer_folder
from longloom.errors import ModelError
from longloom.models.folder import read_settings
from longloom.models.yarn_config import YarnConfig
from longloom.recipes.planning.known_models import KNOWN_MODELS
from verl_stages import write_model_folder


@pytest.fixture
def folder(tmp_path):
    settings = {**KNOWN_MODELS["Qwen/Qwen3-4B"], "max_position_embeddings": 40_960}
    return write_model_folder(tmp_path / "short", settings)


def test_the_window_is_longer_and_all_else_is_linked(folder, tmp_path):
    longer = write_longer_folder(folder, YarnConfig(), tmp_path / "long")
    found = json.loads((longer / "config.json").read_text())
    assert found["max_position_embeddings"] == 131_072
    assert found["rope_parameters"]["rope_type"] == "yarn"
    assert {path.name for path in longer.iterdir()} == {path.name for path in folder.iterdir()}
    assert (longer / "tokenizer.json").resolve() == (folder / "tokenizer.json").resolve()
    assert write_longer_folder(folder, YarnConfig(), longer) == longer
    assert "rope_parameters" not in read_settings(folder)


def test_a_window_that_is_longer_already_is_refused(folder, tmp_path):
    longer = write_longer_folder(folder, YarnConfig(), tmp_path / "long")
    with pytest.raises(ModelError, match="has rotary scaling 'yarn'"):
        write_longer_folder(longer, YarnConfig(), tmp_path / "longer")
