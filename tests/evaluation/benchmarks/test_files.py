"""The official files of a benchmark: found in any of their layouts, or asked for by address."""

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from longloom.errors import ConfigError, DataError
from longloom.evaluation.benchmark import Benchmark, Source
from longloom.evaluation.benchmarks import archives
from longloom.evaluation.benchmarks.catalogue import BENCHMARKS, find_benchmark
from longloom.evaluation.benchmarks.files import digests, find_files
from longloom.evaluation.suites import SUITES
from official_files import LONGBENCH_V2_ROWS, write_json, write_json_lines

ANY = BENCHMARKS["longbench-v2"]


def benchmark_of(*patterns: str, archive: str = "") -> Benchmark:
    """Return a benchmark of these files."""
    return replace(
        ANY,
        source=Source(
            files=patterns,
            address="https://example.org/rows",
            licence="MIT",
            archives=(archive,) if archive else (),
        ),
    )


def touch(folder: Path, *names: str) -> None:
    """Make empty files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def found(folder: Path, *patterns: str) -> list[str]:
    """Return the names of the files that are found."""
    paths = find_files(folder, benchmark_of(*patterns))
    return [path.relative_to(folder).as_posix() for path in paths]


def test_benchmarks_are_known_by_name_and_those_of_the_suites_are_there() -> None:
    assert {name for suite in SUITES.values() for name in suite.benchmarks} <= set(BENCHMARKS)
    assert all(name == benchmark.name for name, benchmark in BENCHMARKS.items())
    with pytest.raises(ConfigError, match=r"'longbench' is unknown; expected .*longbench-v1"):
        find_benchmark("longbench")


def test_first_layout_that_is_there_counts(tmp_path: Path) -> None:
    touch(tmp_path, "b.json", "c.parquet", "x_1.csv", "x_0.csv")
    assert found(tmp_path, "a.jsonl|b.json|c.parquet", "x_*.csv") == [
        "b.json",
        "x_0.csv",
        "x_1.csv",
    ]


def test_one_file_may_serve_several_patterns_and_hidden_folders_do_not_count(
    tmp_path: Path,
) -> None:
    touch(tmp_path, "dev.jsonl", ".cache/2needle.parquet", "2needle/2needle_0.parquet")
    assert found(tmp_path, "dev.jsonl|a.jsonl", "dev.jsonl|b.jsonl") == ["dev.jsonl"]
    assert found(tmp_path, "**/2needle*.parquet") == ["2needle/2needle_0.parquet"]


@pytest.mark.parametrize("folder", [".", "nowhere"])
def test_missing_file_is_asked_for_by_address_and_licence(tmp_path: Path, folder: str) -> None:
    with pytest.raises(
        DataError, match=r"needs a\.jsonl or b\.json in .*https://example\.org/rows .*MIT"
    ):
        find_files(tmp_path / folder, benchmark_of("a.jsonl|b.json"))


def test_archive_is_unpacked_flat_and_only_what_is_needed(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for name in (
            "data/a.jsonl",
            "../../b.jsonl",
            "data/other.jsonl",
            "__MACOSX/data/._a.jsonl",
        ):
            archive.writestr(name, '{"from": "zip"}\n')
    (tmp_path / "b.jsonl").write_text("kept")
    benchmark = benchmark_of("b.jsonl", "a.jsonl|data/a.jsonl", archive="data.zip")
    assert [path.name for path in find_files(tmp_path, benchmark)] == ["b.jsonl", "a.jsonl"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl", "b.jsonl", "data.zip"]
    assert (tmp_path / "b.jsonl").read_text() == "kept"
    assert not (tmp_path.parent / "b.jsonl").exists()


def test_damaged_or_huge_archives_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data.zip"
    benchmark = benchmark_of("a.jsonl", archive="data.zip")
    path.write_bytes(b"PK nothing")
    with pytest.raises(DataError, match=r"data\.zip cannot be unpacked"):
        find_files(tmp_path, benchmark)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jsonl", " " * 1_000)
    monkeypatch.setattr(archives, "MAX_UNPACKED_BYTES", 999)
    with pytest.raises(DataError, match="unpacks to 1000 bytes; expected at most 999"):
        find_files(tmp_path, benchmark)


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    paths = [
        write_json_lines(tmp_path / folder / "a.jsonl", [{"in": folder}]) for folder in ("x", "y")
    ]
    paths.append(write_json(tmp_path / "b.json", LONGBENCH_V2_ROWS))
    assert list(digests(paths)) == ["x/a.jsonl", "y/a.jsonl", "b.json"]
