"""README and docs tell the truth: verbs, options, targets, links and imports exist."""

import ast
import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from longloom.cli.main import app
from repository import ROOT, document_files, shown, text_files

_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_CODE_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)|src=\"([^\"]+)\"")
_MACHINE_PATH = re.compile(r"(?<![\w.~}])/(?:work|root|home|Users)/\w")
_TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)


def fenced_blocks(text: str, *languages: str) -> list[str]:
    """Return the fenced code blocks written in one of `languages`."""
    return [body for language, body in _FENCE.findall(text) if language in languages]


def command_lines(text: str) -> Iterator[list[str]]:
    """Yield the words of every command shown in a fence or a code span."""
    lines = list(_CODE_SPAN.findall(_FENCE.sub("", text)))
    for block in fenced_blocks(text, "", "bash", "console", "sh", "shell", "text"):
        lines += block.replace("\\\n", " ").splitlines()
    for line in lines:
        stripped = line.strip().removeprefix("$ ").removeprefix(".venv/bin/")
        if stripped.startswith(("longloom ", "make ")):
            try:
                yield shlex.split(stripped, comments=True)
            except ValueError:  # a quotation mark in prose
                yield stripped.split()


def wrong_commands(text: str) -> list[str]:
    """Return the commands in `text` whose verb, option or target does not exist."""
    return [
        f"{' '.join(words)}: {wrong}"
        for words in command_lines(text)
        for wrong in (_wrong_verb(words[1:]) if words[0] == "longloom" else _wrong_target(words))
    ]


def _wrong_verb(words: list[str]) -> list[str]:
    group = typer.main.get_command(app)
    verb = next((word for word in words if not word.startswith("-")), "")
    if verb.isupper() or verb in {"...", "{verb}"}:  # a placeholder: `longloom VERB`
        return []
    commands = getattr(group, "commands", {})
    if verb and verb not in commands:
        return [f"no verb {verb!r}"]
    known = {"--help"} | {name for owner in (group, commands.get(verb)) for name in _options(owner)}
    used = {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)}
    return [f"no option {name}" for name in sorted(used - known)]


def _options(command: object) -> Iterator[str]:
    for parameter in getattr(command, "params", []):
        yield from [*parameter.opts, *parameter.secondary_opts]


def _wrong_target(words: list[str]) -> list[str]:
    targets = set(_TARGET.findall((ROOT / "Makefile").read_text("utf-8")))
    named = [word for word in words[1:] if re.fullmatch(r"[a-z][a-z-]*", word)]
    return [f"no target {name!r}" for name in named if name not in targets]


def broken_links(text: str, folder: Path) -> list[str]:
    """Return the relative links in `text` that lead nowhere."""
    targets = ["".join(groups) for groups in _LINK.findall(_FENCE.sub("", text))]
    local = [target for target in targets if not re.match(r"[a-z]+:|#", target)]
    return [target for target in local if not (folder / target.split("#")[0]).exists()]


def missing_imports(text: str) -> list[str]:
    """Return what the Python snippets of `text` import from longloom in vain."""
    found = []
    for block in fenced_blocks(text, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("longloom"):
                module = importlib.import_module(node.module or "")
                found += [
                    f"{node.module}.{alias.name}"
                    for alias in node.names
                    if not hasattr(module, alias.name)
                ]
    return found


def machine_paths(text: str) -> list[str]:
    """Return the lines that name a folder of somebody's machine."""
    return [line.strip() for line in text.splitlines() if _MACHINE_PATH.search(line)]


@pytest.mark.parametrize(
    "text",
    [
        "Call `longloom dance`.",
        "```bash\nlongloom doctor --loudly\n```",
        "```\n$ longloom \\\n  dance\n```",
        "Then `make coffee`.",
        "```sh\nmake test coffee\n```",
    ],
)
def test_wrong_command_is_found(text: str) -> None:
    assert wrong_commands(text)


@pytest.mark.parametrize(
    "text",
    [
        "Call `longloom doctor` and `longloom VERB --help`, or `longloom --version`.",
        "```bash\nmake run PYTHON=python3.12 ARGS='--seed 1'  # the whole recipe\n```",
        "They make sense and `make_sense` too.",
    ],
)
def test_right_command_is_accepted(text: str) -> None:
    assert wrong_commands(text) == []


def test_broken_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").touch()
    text = "[a](there.md) [b](there.md#x) [c](#x) [d](https://x.org) [e](gone.md) ![f](gone.png)"
    assert broken_links(text, tmp_path) == ["gone.md", "gone.png"]


def test_missing_import_is_found() -> None:
    text = "```python\nfrom longloom.errors import DataError, NoSuchError\n```"
    assert missing_imports(text) == ["longloom.errors.NoSuchError"]


@pytest.mark.parametrize("folder", ["root", "home", "work", "Users"])
def test_machine_path_is_found(folder: str) -> None:
    assert machine_paths(f"see /{folder}/someone/notes")
    assert machine_paths(f'open("/{folder}/notes")')
    assert machine_paths(f"see frame/{folder}/someone and https://x.org/{folder}/a") == []


@pytest.mark.parametrize("path", document_files(), ids=shown)
def test_document_tells_the_truth(path: Path) -> None:
    text = path.read_text("utf-8")
    assert wrong_commands(text) == []
    assert broken_links(text, path.parent) == []
    assert missing_imports(text) == []


def test_readme_is_under_200_lines() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) < 200


def test_no_file_names_somebodys_machine() -> None:
    found = {shown(path): machine_paths(text) for path, text in text_files()}
    assert {path: lines for path, lines in found.items() if lines} == {}
