"""What the command does with errors, interruptions and its own options."""

import errno
import logging
import sys
from collections.abc import Callable, Iterator

import pytest
import typer

from longloom import __version__
from longloom.cli import main as command_line
from longloom.errors import ConfigError


@pytest.fixture
def run_verb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., int]]:
    """Run the command line with one more verb, `probe`, that does what the test says."""
    verbs = command_line.app.registered_commands[:]

    def run(*arguments: str, probe: Callable[[], None] = lambda: None) -> int:
        command_line.app.registered_commands[:] = verbs
        command_line.app.command("probe")(lambda: probe())
        monkeypatch.setattr(sys, "argv", ["longloom", *arguments])
        return command_line.main()

    yield run
    command_line.app.registered_commands[:] = verbs


def _raising(error: BaseException) -> Callable[[], None]:
    def probe() -> None:
        raise error

    return probe


def test_version_is_printed(run_verb, capsys) -> None:
    assert run_verb("--version") == 0
    assert capsys.readouterr().out == f"longloom {__version__}\n"


def test_finished_verb_exits_with_zero(run_verb) -> None:
    assert run_verb("probe") == 0


def test_user_error_is_one_line_and_two(run_verb, capsys) -> None:
    assert run_verb("probe", probe=_raising(ConfigError("group_size is 1;\n  use 2"))) == 2
    shown = capsys.readouterr()
    assert shown.err == "error: group_size is 1; use 2\n"
    assert shown.out == ""


def test_closed_outputs_are_no_bug(run_verb, monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert run_verb("probe", probe=lambda: typer.echo("nobody reads this")) == 0
    assert run_verb("probe", probe=_raising(ConfigError("nor this"))) == 2
    sys.stdout.close()
    sys.stderr.close()


def test_full_disk_is_a_user_error(run_verb, capsys) -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "runs/a.parquet")
    assert run_verb("probe", probe=_raising(full)) == 2
    assert capsys.readouterr().err == "error: runs/a.parquet: No space left on device\n"


def test_other_failures_of_the_system_are_bugs(run_verb) -> None:
    with pytest.raises(OSError, match="Bad file"):
        run_verb("probe", probe=_raising(OSError(errno.EBADF, "Bad file descriptor")))


def test_bug_is_not_hidden(run_verb) -> None:
    with pytest.raises(ZeroDivisionError):
        run_verb("probe", probe=_raising(ZeroDivisionError()))


def test_interruption_is_one_line_and_130(run_verb, capsys) -> None:
    assert run_verb("probe", probe=_raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err.strip().startswith("interrupted;")


def test_exit_code_of_a_verb_is_kept(run_verb) -> None:
    assert run_verb("probe", probe=_raising(typer.Exit(1))) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prob"], "No such command 'prob'. Did you mean 'probe'? (see `longloom --help`)"),
        (["probe", "--sed"], "No such option: --sed (see `longloom probe --help`)"),
        (["probe", "a"], "Got unexpected extra argument(s) (a) (see `longloom probe --help`)"),
    ],
)
def test_wrong_call_is_one_line_and_two(run_verb, capsys, arguments, message) -> None:
    assert run_verb(*arguments) == 2
    assert capsys.readouterr().err == f"error: {message}\n"


def test_without_a_verb_the_help_is_shown(run_verb, capsys) -> None:
    assert run_verb() == 2
    shown = capsys.readouterr()
    assert "Usage: longloom" in shown.out
    assert shown.err.strip() == ""


def test_log_lines_carry_their_level(run_verb, capsys) -> None:
    logging.getLogger().handlers.clear()

    def probe() -> None:
        logging.getLogger("longloom").warning("slower path: %s", "no span")
        logging.getLogger("longloom").info("silent")

    assert run_verb("probe", probe=probe) == 0
    assert capsys.readouterr().err == "warning: slower path: no span\n"
