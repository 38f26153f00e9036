"""The seam's promises, kept by real Ray workers."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.on_ray.ray_tasks import hang_or_refuse, hang_or_return, worker_killed_first
from executor.tasks import (
    die_at_two,
    hang_at_two,
    killed_always,
    killed_first,
    refuse_two,
    square,
    swallow_memory,
)
from longloom.engines.ray.executor import RayExecutor
from longloom.errors import DataError
from longloom.executor import Failure

pytestmark = [
    pytest.mark.distributed,
    pytest.mark.enable_socket,
    pytest.mark.usefixtures("cluster"),
]


def _results(function, tasks, *, executor: RayExecutor | None = None, **options):
    outcomes = (executor or RayExecutor()).map(function, tasks, **options)
    return {outcome.place: outcome.result for outcome in outcomes}


def _is_reached(is_so: Callable[[], bool], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not is_so() and time.monotonic() < end:
        threading.Event().wait(0.02)
    return is_so()


def _lives(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    # The worker's parent may be slow to collect what has ended.
    return "Z" not in Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]


def test_every_task_gives_its_result_once() -> None:
    assert _results(square, [3, 1, 2]) == {0: 9, 1: 1, 2: 4}
    assert _results(square, []) == {}
    assert _results(square, list(range(40)), executor=RayExecutor(1)) == {
        place: place**2 for place in range(40)
    }


def test_an_outcome_is_given_before_the_last_task_ends() -> None:
    outcomes = RayExecutor().map(hang_at_two, [1, 2])
    assert next(outcomes).result == 1
    outcomes.close()  # type: ignore[attr-defined]


def test_an_error_of_a_task_reaches_the_caller_as_it_is() -> None:
    with pytest.raises(DataError) as raised:
        _results(refuse_two, [1, 2, 3])
    assert type(raised.value) is DataError
    assert str(raised.value) == "2 is refused"


def test_an_error_stops_the_other_tasks(tmp_path: Path) -> None:
    said = tmp_path / "said"
    with pytest.raises(DataError, match="refused"):
        _results(hang_or_refuse, [(said, True), (said, False)])
    process_id = int(said.read_text().split()[0])
    assert _is_reached(lambda: not _lives(process_id))


def test_a_crash_harms_no_other_task() -> None:
    results = _results(die_at_two, [1, 2, 3, 4])
    assert results.pop(1) == Failure(reason="its process died (signal 11)", last_beat="number 2")
    assert results == {0: 1, 2: 3, 3: 4}


def test_a_task_that_hangs_is_stopped() -> None:
    results = _results(hang_at_two, [1, 2, 3], silent_seconds=2.0)
    assert results.pop(1) == Failure(reason="took longer than 2 s", last_beat="number 2")
    assert results == {0: 1, 2: 3}


def test_memory_is_limited() -> None:
    executor = RayExecutor(max_memory_bytes=2 * 2**30)
    results = _results(swallow_memory, [1000, 4 * 2**30, 2000], executor=executor)
    refused = results.pop(1)
    assert results == {0: 1000, 2: 2000}
    assert refused == Failure(reason="needs more memory than it may have", last_beat="allocating")


def test_a_killed_ray_worker_loses_nothing(tmp_path: Path) -> None:
    tasks = [tmp_path / f"{number}" for number in range(3)]
    results = _results(worker_killed_first, tasks)
    assert sorted(results) == [0, 1, 2]
    assert not any(isinstance(result, Failure) for result in results.values())


def test_a_killed_process_beside_it_loses_nothing_once(tmp_path: Path) -> None:
    (result,) = _results(killed_first, [tmp_path / "first"]).values()
    assert not isinstance(result, Failure)
    results = _results(killed_always, [1, 2, 3])
    assert results.pop(1) == Failure(reason="its process died (signal 9)", last_beat="number 2")


def test_stopping_early_ends_what_runs(tmp_path: Path) -> None:
    said = tmp_path / "said"
    outcomes = RayExecutor().map(hang_or_return, [tmp_path, said])
    assert next(outcomes).result == tmp_path
    assert _is_reached(said.exists)
    process_id = int(said.read_text().split()[0])
    assert _lives(process_id)
    outcomes.close()  # type: ignore[attr-defined]
    assert _is_reached(lambda: not _lives(process_id))
