import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from executor.tasks import (
    die_at_two,
    hang_at_two,
    killed_always,
    killed_elsewhere,
    killed_first,
    refuse_two,
    square,
    swallow_memory,
)
from longloom.errors import ConfigError, DataError
from longloom.executor import Executor, Failure, InlineExecutor, ProcessExecutor


def _results(executor: Executor, function, tasks, **options) -> dict[int, object]:
    outcomes = executor.map(function, tasks, **options)
    return {outcome.place: outcome.result for outcome in outcomes}


def _environment() -> dict[str, str]:
    tests = Path(__file__).parents[1]
    return {**os.environ, "PYTHONPATH": f"{tests}:{tests.parent / 'src'}"}


@pytest.mark.parametrize("executor", [InlineExecutor(), ProcessExecutor(2)])
def test_every_task_gives_its_result_once(executor: Executor) -> None:
    assert _results(executor, square, [3, 1, 2]) == {0: 9, 1: 1, 2: 4}
    assert _results(executor, square, []) == {}


@pytest.mark.parametrize("executor", [InlineExecutor(), ProcessExecutor(2)])
def test_an_error_of_a_task_reaches_the_caller(executor: Executor) -> None:
    with pytest.raises(DataError, match="2 is refused"):
        _results(executor, refuse_two, [1, 2, 3])


def test_a_crash_harms_no_other_task() -> None:
    results = _results(ProcessExecutor(2), die_at_two, [1, 2, 3, 4])
    crash = results.pop(1)
    assert results == {0: 1, 2: 3, 3: 4}
    assert crash == Failure(reason="its process died (signal 11)", last_beat="number 2")


def test_a_task_whose_worker_is_killed_once_is_done_again(tmp_path: Path) -> None:
    results = _results(ProcessExecutor(2), killed_first, [tmp_path / "0", tmp_path / "1"])
    assert sorted(results) == [0, 1]
    assert all(isinstance(result, int) for result in results.values())


def test_a_task_that_is_killed_twice_at_one_place_is_given_up() -> None:
    results = _results(ProcessExecutor(2), killed_always, [1, 2, 3])
    assert results.pop(1) == Failure(reason="its process died (signal 9)", last_beat="number 2")
    assert results == {0: 1, 2: 3}


def test_a_task_that_is_killed_three_times_is_given_up(tmp_path: Path) -> None:
    results = _results(ProcessExecutor(1), killed_elsewhere, [tmp_path / "times"])
    assert results == {0: Failure(reason="its process died (signal 9)", last_beat="time 3")}


def test_kept_workers_serve_the_next_step_unless_they_died(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    executor = ProcessExecutor(1, keeps_workers=True)
    (first,) = _results(executor, killed_first, [tmp_path / "there"]).values()
    (again,) = _results(executor, killed_first, [tmp_path / "there"]).values()
    assert first == again
    (child,) = multiprocessing.active_children()
    child.kill()
    child.join()
    (other,) = _results(executor, killed_first, [tmp_path / "there"]).values()
    assert other != first
    for child in multiprocessing.active_children():
        child.kill()
        child.join()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a hanging child")
def test_a_worker_that_hangs_dies_with_its_parent() -> None:
    script = (
        "from executor.tasks import say_and_hang\n"
        "from longloom.executor import ProcessExecutor\n"
        "list(ProcessExecutor(1).map(say_and_hang, ['started']))\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script], env=_environment(), stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "started\n"
    parent.kill()
    # The output ends when the last process that could write to it has ended.
    assert parent.communicate(timeout=20) == ("", None)


def test_a_task_that_hangs_is_stopped() -> None:
    results = _results(ProcessExecutor(1), hang_at_two, [1, 2, 3], silent_seconds=2.0)
    stopped = results.pop(1)
    assert results == {0: 1, 2: 3}
    assert stopped == Failure(reason="took longer than 2 s", last_beat="number 2")


def test_memory_is_limited() -> None:
    executor = ProcessExecutor(1, max_memory_bytes=2 * 2**30)
    results = _results(executor, swallow_memory, [1000, 4 * 2**30, 2000])
    refused = results.pop(1)
    assert results == {0: 1000, 2: 2000}
    assert refused == Failure(reason="needs more memory than it may have", last_beat="allocating")


def test_no_worker_is_refused() -> None:
    with pytest.raises(ConfigError, match="num_workers is 0"):
        ProcessExecutor(0)


def test_stopping_early_leaves_no_process() -> None:
    executor = ProcessExecutor(2)
    outcomes = executor.map(hang_at_two, [1, 2, 2, 2])
    next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]
    assert multiprocessing.active_children() == []


def test_a_script_without_a_main_guard_is_not_run_again(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from executor.tasks import square\n"
        "from longloom.executor import ProcessExecutor\n"
        "print('started')\n"
        "print(sorted(one.result for one in ProcessExecutor(2).map(square, [1, 2, 3])))\n",
        "utf-8",
    )
    ended = subprocess.run(
        [sys.executable, str(script)],
        env=_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.splitlines() == ["started", "[1, 4, 9]"]
