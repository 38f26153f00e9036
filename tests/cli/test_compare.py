"""`longloom compare` and `longloom report` over evaluation folders."""

from evaluation_folder import benchmark, evaluation, question, write_evaluation


def run_of(folder, *scores, first=0, **fields):
    own = [question(first + number, score) for number, score in enumerate(scores)]
    return write_evaluation(folder, evaluation(benchmark(own), **fields))


def test_compare_prints_a_table_and_writes_a_page(longloom, tmp_path) -> None:
    run_of(tmp_path / "before", 0, 0, 0, 1, 1)
    run_of(tmp_path / "after", 1, 1, 1, 1, first=0, agent="memory")
    shown = longloom("compare", "before", "after", "-o", "page.html")
    assert shown.code == 0, shown.err
    lines = shown.out.splitlines()
    assert lines[:2] == ["A: before", "B: after"]
    (row,) = [line for line in lines if line.startswith("FRAMES ")]
    assert row.split()[1:5] == ["4", "25.0", "100.0", "+75.0"]
    assert row.split()[-2:] == ["3", "0"]
    assert "+25.0 to +100.0 *" in row
    assert "strict scores in percent" in shown.out
    assert "FRAMES: 1 question in A only, left out, for example q4" in shown.out
    assert "not the same: agent: A single_pass, B memory" in shown.out
    assert shown.out.endswith("page: page.html\n")
    assert "3 won" in (tmp_path / "page.html").read_text("utf-8")
    assert all(len(line) < 100 for line in lines)


def test_compare_of_a_folder_that_is_no_run_is_one_clear_line(longloom, tmp_path) -> None:
    run_of(tmp_path / "before", 0)
    shown = longloom("compare", "before", ".")
    assert shown.code == 2
    assert shown.err.startswith("error: . is no run: it has neither results.json nor run.yaml")


def test_report_of_an_evaluation(longloom, tmp_path) -> None:
    run_of(tmp_path / "run", 1, 0)
    shown = longloom("report", "run")
    assert (shown.code, shown.out) == (0, "report: run/report.html\n"), shown.err
    shown = longloom("report", "run", "--markdown")
    assert "| FRAMES | 2 | 50.0 (" in shown.out
