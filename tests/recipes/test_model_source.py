"""Models are told apart by what their files hold."""

import json
import shutil

from longloom.recipes.model_source import identity_of


def test_two_models_of_one_name_have_two_identities(tiny_folder, tmp_path) -> None:
    for place in ("a", "b", "c", "d"):
        shutil.copytree(tiny_folder, tmp_path / place / "model")
    assert identity_of(tmp_path / "a" / "model") == identity_of(tmp_path / "b" / "model")
    assert identity_of(tmp_path / "a" / "model").startswith("model@")
    (weights,) = (tmp_path / "b" / "model").glob("*.safetensors")
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1  # trained a little further
    weights.write_bytes(content)
    config = tmp_path / "c" / "model" / "config.json"
    settings = json.loads(config.read_text("utf-8"))
    config.write_text(json.dumps({**settings, "rope_theta": 12_345.0}), "utf-8")
    found = {identity_of(tmp_path / place / "model") for place in ("a", "b", "c")}
    assert len({*found, identity_of(tmp_path / "a" / "model", 2.0)}) == 4
