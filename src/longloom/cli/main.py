"""The `longloom` command: its verbs, and what happens to errors."""

import errno
import logging
import os
import re
import sys
from typing import Annotated

import typer

from longloom import __version__
from longloom.cli import (
    compare,
    doctor,
    evaluate,
    export,
    import_examples,
    merge,
    miniature,
    plan,
    read,
    recipe,
    report,
    run,
    serve,
    synthesize,
    tiny_base,
    train,
    watch,
)
from longloom.errors import LongloomError

EXIT_FAILED = 1
EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130

_LISTED = re.compile(r"\n  (?=row \d|\.\.\. and )")
"""Where an error lists the rows of a file; other line breaks are of somebody else's text."""
_USER_ERRNOS = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR),
)
"""Failures of the file system that a user can act on; the others are bugs."""

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a bug shows Python's own traceback
    help="Long-context post-training by the QwenLong-L1.5 recipe. Try: longloom run tiny-cpu",
)

# The verbs, in the order in which --help lists them.
app.command("run")(run.run)
app.command("watch")(watch.watch)
app.command("plan")(plan.plan)
app.command("synthesize")(synthesize.synthesize)
app.command("miniature")(miniature.miniature)
app.command("train")(train.train)
app.command("merge")(merge.merge)
app.command("evaluate")(evaluate.evaluate)
app.command("compare")(compare.compare)
app.command("read")(read.read)
app.command("serve")(serve.serve)
app.command("report")(report.report)
app.command("recipe")(recipe.recipe)
app.command("import")(import_examples.import_examples)
app.command("export")(export.export)
app.command("tiny-base")(tiny_base.tiny_base)
app.command("doctor")(doctor.doctor)


def main() -> int:
    """Run the command line and return its exit code."""
    _open_closed_streams()
    try:
        exit_code = app(prog_name="longloom", standalone_mode=False)
    except LongloomError as error:
        return _report(str(error))
    except typer.TyperException as error:
        return _report(_with_hint(error))
    except typer.Abort:
        return _interrupted()
    except BrokenPipeError:  # the reader of a pipe, say `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except OSError as error:
        if error.errno not in _USER_ERRNOS:
            raise
        return _report(f"{error.filename or 'writing'}: {error.strerror}")
    if exit_code == EXIT_INTERRUPTED:
        return _interrupted()
    return exit_code if isinstance(exit_code, int) else 0


def _open_closed_streams() -> None:
    """Write to nowhere where the caller closed an output: Python has None there."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115  # for the whole process


def _show_version(is_wanted: bool) -> bool:
    if is_wanted:
        print(f"longloom {__version__}")
        raise typer.Exit
    return is_wanted


@app.callback()
def _options(
    is_version_wanted: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", is_eager=True, callback=_show_version
        ),
    ] = False,
    is_verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show informational log lines too.")
    ] = False,
) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_LowerCaseLevel("%(levelname)s: %(message)s"))
    logging.basicConfig(level=logging.INFO if is_verbose else logging.WARNING, handlers=[handler])


class _LowerCaseLevel(logging.Formatter):
    """Writes `warning: ...` as the errors are written: `error: ...`."""

    def format(self, record: logging.LogRecord) -> str:
        record.levelname = record.levelname.lower()
        return super().format(record)


def _report(message: str) -> int:
    """Print an error on one line; what it lists, indented, stays on lines of its own."""
    first, *listed = _LISTED.split(message)
    first, *listed = (" ".join(line.split()) for line in (first, *listed))
    if first:  # without a verb the help was printed, and that says enough
        print("\n  ".join([f"error: {first}", *listed]), file=sys.stderr)
    return EXIT_USER_ERROR


def _interrupted() -> int:
    print("\ninterrupted; the same command continues where it stopped", file=sys.stderr)
    return EXIT_INTERRUPTED


def _with_hint(error: typer.TyperException) -> str:
    message = error.format_message()
    context = getattr(error, "ctx", None)  # usage errors know the command they belong to
    return f"{message} (see `{context.command_path} --help`)" if message and context else message


if __name__ == "__main__":
    sys.exit(main())
