"""Merge model folders without loading them: one block of one unit at a time per thread.

Memory is bounded by the blocks, not by the model: the headers, and for each thread one block of
every model and the statistics of one unit. A unit is merged by one thread from its first block to
its last, so the bytes do not depend on how many threads there are.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from longloom.merging.blocks import MergeAlgorithm
from longloom.merging.layout import Folders, Layout, Unit
from longloom.merging.merge_report import UnitReport
from longloom.merging.partial_output import PartialOutput
from longloom.merging.safetensors_writer import ShardFiles, write_index
from longloom.merging.unit_merge import FinishedUnit, is_intact, merge_unit

Progress = Callable[[int, int], None]
"""Receives bytes written and bytes in all."""

MakeAlgorithm = Callable[[str], MergeAlgorithm]
"""Returns a fresh algorithm for the unit of that name."""


class _StoppedError(Exception):
    """Ends the work of a thread after another one failed or was interrupted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    folders: Folders
    files: ShardFiles
    output: PartialOutput
    make_algorithm: MakeAlgorithm
    stop: threading.Event

    def check_stop(self) -> None:
        if self.stop.is_set():
            raise _StoppedError


def merge_weights(
    make_algorithm: MakeAlgorithm,
    folders: Folders,
    layout: Layout,
    output: PartialOutput,
    *,
    num_threads: int,
    progress: Progress | None,
) -> tuple[UnitReport, ...]:
    """Write the merged weights that are not there yet.

    Args:
        make_algorithm: gives each unit its own statistics.
        folders: what is merged.
        layout: what is written.
        output: where it goes, and what of it is finished.
        num_threads: units merged at the same time.
        progress: is told the bytes written after every unit.

    Raises:
        ModelError: a tensor cannot be merged or is not finite, or the disk failed.
    """
    with ShardFiles(output.folder, layout.shards) as files, _one_torch_thread():
        work = _Work(
            folders=folders,
            files=files,
            output=output,
            make_algorithm=make_algorithm,
            stop=threading.Event(),
        )
        reports: dict[str, UnitReport] = {}
        num_bytes = 0
        with _threads(num_threads, work.stop) as pool:
            unit_by_future = {pool.submit(_carry_out, work, unit): unit for unit in layout.units}
            for future in as_completed(unit_by_future):
                unit, report = unit_by_future[future], future.result().report
                if report is not None:
                    reports[unit.name] = report
                num_bytes += unit.num_bytes
                if progress:
                    progress(num_bytes, layout.num_bytes)
    write_index(output.folder, layout.shards)
    return tuple(reports[unit.name] for unit in layout.units if unit.is_merged)


@contextmanager
def _threads(num_threads: int, stop: threading.Event) -> Iterator[ThreadPoolExecutor]:
    """Give a pool whose threads have ended when the block has, whatever ended it."""
    with ThreadPoolExecutor(num_threads, thread_name_prefix="merge") as pool:
        try:
            yield pool
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def _carry_out(work: _Work, unit: Unit) -> FinishedUnit:
    work.check_stop()
    earlier = work.output.finished.get(unit.name)
    if earlier is not None and is_intact(unit, earlier, work.files):
        return earlier
    finished = merge_unit(unit, work.folders, work.files, work.make_algorithm, work.check_stop)
    work.output.journal.add(unit.name, finished)
    return finished


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    """Let torch use one thread for each of ours: its sums depend on how many it uses."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
