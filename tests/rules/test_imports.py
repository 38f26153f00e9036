"""Importing is cheap and silent: no heavy package for --help, no network, nothing printed."""

import subprocess
import sys
from pathlib import Path

HEAVY = {
    "duckdb",
    "jinja2",
    "lxml",
    "matplotlib",
    "numpy",
    "pyarrow",
    "tokenizers",
    "torch",
    "transformers",
}

_HELP = """
import contextlib, io, sys
from longloom.cli import main
verbs = [command.name for command in main.app.registered_commands]
assert verbs
for arguments in ([], *([verb] for verb in verbs)):
    sys.argv = ["longloom", *arguments, "--help"]
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        assert main.main() == 0, arguments
    assert "Usage" in shown.getvalue()
print(*sorted({name.split(".")[0] for name in sys.modules}))
"""

_OF_INSPECT = (
    "longloom.evaluation.inspect_chat",
    "longloom.evaluation.inspect_tasks",
    "longloom.recipes.evaluating.inspect_entry",
)
"""Loaded by inspect_ai alone, whose decorators they use; `make test-inspect` imports them."""
_OF_VERL = (
    "longloom.engines.verl.agents",
    "longloom.engines.verl.cluster_rollouts",
    "longloom.engines.verl.on_cpu.platform",
    "longloom.engines.verl.on_cpu.server",
    "longloom.engines.verl.plugin",
    "longloom.engines.verl.prefix_engine",
    "longloom.engines.verl.reward",
    "longloom.engines.verl.shared_rows",
    "longloom.engines.verl.trainer",
    "longloom.engines.verl.updates",
)
"""Loaded by verl alone, whose classes they extend; `make test-cluster` imports them."""

_IMPORT_ALL = """
import importlib, importlib.util, pkgutil, socket

def refuse(*arguments, **keywords):
    raise AssertionError("the network was used at import")

socket.socket.connect = socket.getaddrinfo = refuse
package = importlib.import_module(PACKAGE)
for found in pkgutil.walk_packages(package.__path__, PACKAGE + "."):
    needed = NEEDED_BY_MODULE.get(found.name)
    is_left_out = needed is not None and importlib.util.find_spec(needed) is None
    if not is_left_out and not found.name.endswith("__main__"):
        importlib.import_module(found.name)
"""


def _run(program: str, *, search_path: Path | None = None) -> subprocess.CompletedProcess[str]:
    path_line = f"import sys; sys.path.insert(0, {str(search_path)!r})\n" if search_path else ""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", path_line + program],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def loaded_by_help() -> set[str]:
    """Return the top-level modules loaded after --help of the command and of every verb."""
    finished = _run(_HELP)
    assert finished.returncode == 0, finished.stderr
    return set(finished.stdout.split())


def test_help_imports_nothing_heavy() -> None:
    loaded = loaded_by_help()
    assert "typer" in loaded
    assert loaded & HEAVY == set()


def import_all(package: str, search_path: Path | None = None) -> str:
    """Import every module of `package` with the network refused; return what it prints."""
    needed = dict.fromkeys(_OF_INSPECT, "inspect_ai") | dict.fromkeys(_OF_VERL, "verl")
    given = f"PACKAGE, NEEDED_BY_MODULE = {package!r}, {needed!r}\n"
    finished = _run(given + _IMPORT_ALL, search_path=search_path)
    return finished.stdout + finished.stderr


def test_importing_every_module_is_silent_and_uses_no_network() -> None:
    assert import_all("longloom") == ""


def test_network_at_import_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "chatty").mkdir()
    (tmp_path / "chatty" / "__init__.py").write_text(
        "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9')\n"
    )
    assert "network was used at import" in import_all("chatty", tmp_path)
