"""Options of benchmarks that take a long text and have cases."""

import argparse
from collections.abc import Sequence
from pathlib import Path


def add_text_options(parser: argparse.ArgumentParser, *, num_tokens: int) -> None:
    """Add where the text comes from, its tokens, which cases are run, and whether they are kept."""
    parser.set_defaults(all_tokens=num_tokens)
    parser.add_argument("--documents", type=Path, nargs="+", default=[], help="folders of texts")
    parser.add_argument("--tokens", type=int, default=num_tokens, help="tokens of the text")
    parser.add_argument("--case", default="", help="only cases whose name begins so")
    parser.add_argument("--write", action="store_true", help="write the result file")


def parse_text_options(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None
) -> argparse.Namespace:
    """Return the options; ends the program where a part would be written as the whole."""
    given = parser.parse_args(arguments)
    if given.write and (given.case or given.tokens != given.all_tokens):
        parser.error("a part of the cases or of the text is nothing worth keeping")
    return given
