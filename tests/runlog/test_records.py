import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from longloom.errors import DataError
from longloom.runlog import RecordSchema, RecordWriter, iterate_records, read_records

SCHEMA = RecordSchema(name="longloom.test", version=1)


def write_steps(path: Path, steps: list[int]) -> None:
    with RecordWriter(path, schema=SCHEMA) as writer:
        for step in steps:
            writer.append({"step": step, "text": "\u00e9\n"})


def steps_in(path: Path) -> list[int]:
    return [record["step"] for record in read_records(path, schema=SCHEMA).records]


def test_records_come_back_in_order_over_several_openings(tmp_path: Path) -> None:
    path = tmp_path / "made" / "log.jsonl"
    write_steps(path, [1, 2])
    write_steps(path, [3])
    assert steps_in(path) == [1, 2, 3]
    first_line = path.read_text("utf-8").splitlines()[0]
    assert first_line == '{"schema": "longloom.test", "version": 1}'


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cut_bytes=st.integers(0, 400))
def test_file_cut_anywhere_keeps_every_whole_record(tmp_path: Path, cut_bytes: int) -> None:
    path = tmp_path / "log.jsonl"
    path.unlink(missing_ok=True)
    write_steps(path, list(range(9)))
    content = path.read_bytes()[:cut_bytes]
    path.write_bytes(content)
    num_whole = max(0, content.count(b"\n") - 1)
    is_torn = bool(content) and not content.endswith(b"\n")
    lines = read_records(path, schema=SCHEMA)
    assert [record["step"] for record in lines.records] == list(range(num_whole))
    assert lines.num_torn_lines == is_torn
    write_steps(path, [100])
    assert steps_in(path) == [*range(num_whole), 100]


def test_killed_writer_loses_no_appended_record(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    program = (
        "import os, sys; from pathlib import Path\n"
        "from longloom.runlog import RecordSchema, RecordWriter\n"
        "schema = RecordSchema(name='longloom.test', version=1)\n"
        "writer = RecordWriter(Path(sys.argv[1]), schema=schema)\n"
        "for step in range(50): writer.append({'step': step})\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert steps_in(path) == list(range(50))


def test_damage_before_the_end_names_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    write_steps(path, [1, 2, 3])
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = b'{"step": 2, "te\n'
    path.write_bytes(b"".join(lines))
    with pytest.raises(DataError, match=r"log\.jsonl, line 3: .* is not a JSON object"):
        read_records(path, schema=SCHEMA)


def test_other_schema_and_other_version_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    write_steps(path, [1])
    with pytest.raises(DataError, match=r"holds 'longloom\.test' records, expected 'other'"):
        read_records(path, schema=RecordSchema(name="other", version=1))
    with pytest.raises(DataError, match=r"has version 1 of longloom\.test"):
        RecordWriter(path, schema=RecordSchema(name="longloom.test", version=2))


def test_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*: No such file"):
        list(iterate_records(tmp_path / "absent.jsonl", schema=SCHEMA))


def test_later_steps_are_discarded_and_writing_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with RecordWriter(path, schema=SCHEMA) as writer:
        for step in [1, 2, 2, 3, 4]:
            writer.append({"step": step})
        writer.append({"note": "without a step"})
        assert writer.discard_after(2) == 2
        writer.append({"step": 3})
    found = [record.get("step") for record in read_records(path, schema=SCHEMA).records]
    assert found == [1, 2, 2, None, 3]
    assert [entry.name for entry in tmp_path.iterdir()] == ["log.jsonl"]


def test_value_that_json_lacks_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with RecordWriter(path, schema=SCHEMA) as writer:
        for value in (float("nan"), object()):
            with pytest.raises(DataError, match="is not JSON"):
                writer.append({"step": value})
    assert steps_in(path) == []


def test_line_that_does_not_fit_the_disk_is_taken_back(tmp_path: Path) -> None:
    program = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from longloom.errors import DataError\n"
        "from longloom.runlog import RecordSchema, RecordWriter\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "schema = RecordSchema(name='longloom.test', version=1)\n"
        "writer = RecordWriter(Path(sys.argv[1]), schema=schema)\n"
        "writer.append({'step': 1})\n"
        "try: writer.append({'step': 2, 'text': 'x' * 100})\n"
        "except DataError: writer.append({'step': 3})\n"
    )
    path = tmp_path / "log.jsonl"
    subprocess.run([sys.executable, "-c", program, str(path)], check=True)
    assert steps_in(path) == [1, 3]
