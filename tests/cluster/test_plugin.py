"""The plugin in the installed verl: found, checked against its interfaces, loud when it fails."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from longloom.engines.verl.interfaces import SIGNATURES, check_signatures, check_version
from longloom.errors import EngineError

pytestmark = pytest.mark.distributed


def python(code: str, *, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess:
    """Run code in a process of its own, for verl is imported once."""
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(environment or {})},
    )


def test_verl_is_as_the_plugin_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERL_PLATFORM", "cpu")
    check_version()
    check_signatures()


@pytest.mark.parametrize("place", sorted(SIGNATURES))
def test_another_signature_is_found(place: str) -> None:
    changed = (*SIGNATURES[place], "something_new")
    with pytest.raises(EngineError, match="something_new"):
        check_signatures({place: changed})


def test_an_interface_that_is_gone_is_found() -> None:
    with pytest.raises(EngineError, match="parameters None"):
        check_signatures({"verl.trainer.ppo.v1.trainer_base:PPOTrainer.gone": ("self",)})


def test_importing_verl_registers_trainer_agents_and_platform() -> None:
    code = (
        "import verl\n"
        "from verl.trainer.ppo.v1 import get_trainer_cls\n"
        "from verl.experimental.agent_loop.agent_loop import _agent_loop_registry as loops\n"
        "from verl.utils.device import get_device_name\n"
        "print(get_trainer_cls('longloom').__name__, sorted(n for n in loops if 'long' in n),\n"
        "      get_device_name())\n"
    )
    done = python(code, environment={"VERL_PLATFORM": "cpu"})
    assert done.returncode == 0, done.stderr
    expected = "LongloomTrainer ['longloom_memory', 'longloom_single_pass'] cpu"
    assert done.stdout.splitlines()[-1] == expected


def test_another_release_is_refused_aloud(tmp_path: Path) -> None:
    """verl hides what plugins raise; ours is printed."""
    code = (
        "import importlib.metadata as metadata\n"
        "true = metadata.version\n"
        "metadata.version = lambda name: '0.10.0' if name == 'verl' else true(name)\n"
        "import verl\n"
    )
    done = python(code, environment={"VERL_PLATFORM": "cpu"})
    assert "Longloom's plugin of verl cannot be used" in done.stderr
    assert "verl is 0.10.0; expected 0.9.1" in done.stderr
