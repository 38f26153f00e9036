"""Step lines form columns; progress is quiet where there is no terminal."""

import pytest

from longloom.cli import console
from longloom.cli.console import print_table, progress, step_line
from longloom.cli.run_console import training_line
from longloom.training.stage_inputs import StepResult


def test_step_line_is_aligned_and_short() -> None:
    first = step_line("stage 1", {"step": 4, "reward": 0.5, "entropy": 1.25})
    second = step_line("stage 1", {"step": 12, "reward": -0.123, "entropy": 10.0})
    assert first == "stage 1         step    4  reward  0.500  entropy  1.250"
    assert second == "stage 1         step   12  reward -0.123  entropy 10.000"


def test_step_line_stays_under_100_columns() -> None:
    assert len(step_line("stage", {f"a long name {index}": index for index in range(20)})) < 100


def test_table_is_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([("name", "found"), ("python", "3.11"), ("x", "")])
    assert capsys.readouterr().out == "name    found\npython  3.11\nx\n"


def test_short_progress_prints_nothing_without_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress("reading", 3) as advance:
        for num_done in range(1, 4):
            advance(num_done)
    assert capsys.readouterr() == ("", "")


def test_long_progress_prints_plain_lines_without_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = iter([0.0, 3.0, 6.0, 8.0, 12.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(moments))
    with progress("reading", 4) as advance:
        for num_done in range(1, 5):
            advance(num_done)
    assert capsys.readouterr().err == "reading: 2/4 after 6 s\nreading: 4/4 after 12 s\n"


def test_progress_bar_is_wiped_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console.sys.stderr, "isatty", lambda: True, raising=False)
    with progress("reading", 2) as advance:
        advance(2)
    assert capsys.readouterr().out == ""


def test_a_step_whose_rollouts_all_failed_has_a_line_too() -> None:
    figures = {"reward/mean": 0.0, "rollout/response_tokens": 0.0, "training/step_seconds": 1.0}
    lived = {**figures, "training/entropy_nats": 0.5, "training/negatives_on": 1.0}
    failed, other = (
        training_line("stage-1", 9, StepResult(step=3, groups=(), metrics=metrics))
        for metrics in (figures, lived)
    )
    assert len(failed) == len(other) < 100
    assert other.split()[-4:] == ["0.5000", "on", "0.0", "1.0"]
    assert failed.split()[-4:] == ["-", "-", "0.0", "1.0"]
