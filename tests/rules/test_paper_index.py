"""docs/paper_index.md names only code and tests that exist."""

import re

import pytest

from repository import ROOT, SOURCE

ROWS = [
    tuple(cells)
    for line in (ROOT / "docs" / "paper_index.md").read_text("utf-8").splitlines()
    if len(cells := re.findall(r"`([\w/]+\.py):(\w+)`", line)) == 2
]


def defines(path, name):
    return re.search(rf"^(async )?(def|class) {name}\b", path.read_text("utf-8"), re.MULTILINE)


def test_every_row_of_a_table_names_code_and_test():
    lines = (ROOT / "docs" / "paper_index.md").read_text("utf-8").splitlines()
    num_tables = lines.count("| --- | --- | --- |")
    assert len(ROWS) == sum(line.startswith("|") for line in lines) - 2 * num_tables


@pytest.mark.parametrize(("code", "test"), ROWS)
def test_code_and_test_exist(code, test):
    assert defines(SOURCE / code[0], code[1]), code
    assert defines(ROOT / "tests" / test[0], test[1]), test
