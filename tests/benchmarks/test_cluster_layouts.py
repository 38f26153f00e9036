"""The table of layouts in docs/scaling.md is what would be chosen."""

import cluster_layouts


def test_the_document_has_the_table_of_today():
    written = cluster_layouts.written_document()
    assert written == cluster_layouts.DOCUMENT.read_text("utf-8"), (
        "run python benchmarks/cluster_layouts.py --write"
    )


def test_every_combination_has_a_row():
    rows = [line for line in cluster_layouts.table_lines() if line.startswith("| Qwen3")]
    assert len(rows) == 27 + 9
    assert sum("it takes at least 16 of them" in row for row in rows) == 3
