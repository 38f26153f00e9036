import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longloom.errors import DataError
from longloom.memory.journal import NoJournal, StepRecord, next_key
from longloom.memory.journal_file import JournalFile
from longloom.records import TokenUsage

_texts = st.text(alphabet=st.characters(exclude_categories=()), max_size=50)  # surrogates too
_counts = st.integers(0, 10**12)
_records = st.builds(
    StepRecord,
    memory=_texts,
    plan=_texts,
    is_usable=st.booleans(),
    usage=st.builds(
        TokenUsage,
        num_prompt_tokens=_counts,
        num_cached_tokens=_counts,
        num_response_tokens=_counts,
        num_calls=_counts,
    ),
    seconds=st.floats(0, 1e6),
    message=_texts,
)


def record_of(memory: str) -> StepRecord:
    return StepRecord(memory=memory, plan="", is_usable=True, usage=TokenUsage(), seconds=1.0)


@pytest.fixture(scope="module")
def journal_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journal") / "journal.sqlite"


@settings(max_examples=30)  # each opens the file twice
@given(record=_records, key=st.text(max_size=20, alphabet="0123456789abcdef"))
def test_records_come_back_as_they_were(journal_path: Path, record: StepRecord, key: str) -> None:
    with JournalFile(journal_path) as journal:
        journal.put(key, record)
    with JournalFile(journal_path) as journal:
        assert journal.get(key) == record


def test_unknown_key_has_no_record(tmp_path: Path) -> None:
    with JournalFile(tmp_path / "journal.sqlite") as journal:
        assert journal.get("unknown") is None


def test_last_record_under_a_key_is_kept(tmp_path: Path) -> None:
    with JournalFile(tmp_path / "journal.sqlite") as journal:
        journal.put("key", record_of("first, and longer"))
        journal.put("key", record_of("second"))
        assert journal.get("key") == record_of("second")
        assert len(journal) == 1


def test_counted_bytes_are_those_of_all_records(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with JournalFile(path) as journal:
        for number in range(30):
            journal.put(f"key {number % 7}", record_of("m" * number))
        counted = journal.num_bytes
    with sqlite3.connect(path) as connection:
        ((found,),) = connection.execute("SELECT sum(length(record) + length(key)) FROM steps")
    connection.close()
    assert counted == found


def test_oldest_records_leave_first(tmp_path: Path) -> None:
    with JournalFile(tmp_path / "journal.sqlite", max_bytes=10_000) as journal:
        for number in range(100):
            journal.put(f"{number:03}", record_of("m" * 500))
            assert journal.num_bytes <= 10_000
        is_kept = [journal.get(f"{number:03}") is not None for number in range(100)]
    assert is_kept == sorted(is_kept)
    assert 10 < is_kept.count(True) < 20


def test_record_that_is_read_again_counts_as_new(tmp_path: Path) -> None:
    with JournalFile(tmp_path / "journal.sqlite", max_bytes=10_000) as journal:
        journal.put("often", record_of("o" * 500))
        for number in range(100):
            journal.put(f"{number:03}", record_of("m" * 500))
            assert journal.get("often") == record_of("o" * 500)
        assert journal.get("000") is None


def test_record_that_would_fill_the_journal_drives_nobody_out(tmp_path: Path) -> None:
    with JournalFile(tmp_path / "journal.sqlite", max_bytes=10_000) as journal:
        journal.put("small", record_of("s"))
        journal.put("huge", record_of("h" * 20_000))
        assert journal.get("huge") is None
        assert journal.get("small") == record_of("s")


def test_file_stays_about_as_large_as_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with JournalFile(path, max_bytes=1_000_000) as journal:
        for number in range(400):
            journal.put(f"{number}", record_of("m" * random.randrange(40_000)))
    assert path.stat().st_size < 1_500_000


def test_smaller_limit_gives_room_back_on_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with JournalFile(path) as journal:
        for number in range(100):
            journal.put(f"{number:03}", record_of("m" * 20_000))
    assert path.stat().st_size > 2_000_000
    with JournalFile(path, max_bytes=200_000) as journal:
        assert journal.get("099") is not None
        assert journal.get("050") is None
    assert path.stat().st_size < 400_000


def test_damaged_record_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with JournalFile(path) as journal:
        journal.put("0123456789abcdef", record_of("m"))
    for damaged in (b"not json", b"[]", b'{"memory": "m"}', "text"):
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE steps SET record = ?", (damaged,))
        connection.close()
        with (
            JournalFile(path) as journal,
            pytest.raises(DataError, match=r"damaged record under 0123456789ab.*read the document"),
        ):
            journal.get("0123456789abcdef")


def test_damaged_pages_are_an_error_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with JournalFile(path) as journal:
        for number in range(50):
            journal.put(f"{number}", record_of("m" * 5_000))
    content = bytearray(path.read_bytes())
    content[8_192:-4_096] = b"\xff" * (len(content) - 12_288)
    path.write_bytes(bytes(content))

    def use() -> None:
        with JournalFile(path) as journal:
            for number in range(50):
                journal.get(f"{number}")
            journal.put("new", record_of("m"))

    with pytest.raises(DataError, match=r"the journal .* cannot be used.*move the file away"):
        use()


def test_journal_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    JournalFile(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET schema = 'longloom.memory_journal/0'")
    connection.close()
    with pytest.raises(DataError, match=r"memory_journal/0.*expected.*use the Longloom that wrote"):
        JournalFile(path)


def test_size_below_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="max_bytes"):
        JournalFile(tmp_path / "journal.sqlite", max_bytes=0)


def test_no_journal_keeps_nothing() -> None:
    journal = NoJournal()
    journal.put("key", record_of("m"))
    assert journal.get("key") is None


def test_next_key_depends_on_every_part_and_on_their_borders() -> None:
    keys = [
        next_key("", "ab", "c"),
        next_key("", "a", "bc"),
        next_key("", "abc"),
        next_key("k", "abc"),
        next_key(next_key("", "ab"), "c"),
        next_key("", "ab", "c", ""),
        next_key("", "\ud800"),
    ]
    assert len(set(keys)) == len(keys)
    assert next_key("", "ab", "c") == keys[0]


_WRITER = """
import sys
from pathlib import Path
from longloom.memory.journal import StepRecord
from longloom.memory.journal_file import JournalFile
from longloom.records import TokenUsage

path, name, num_steps, max_bytes = sys.argv[1:]
with JournalFile(Path(path), int(max_bytes)) as journal:
    for number in range(int(num_steps)):
        memory = f"{name} {number} " + "m" * (number * 7_919 % 40_000)
        record = StepRecord(
            memory=memory, plan="", is_usable=True, usage=TokenUsage(), seconds=1.0
        )
        journal.put(f"{name}-{number}", record)
        print(number, flush=True)
"""


def writer(path: Path, name: str, num_steps: int, max_bytes: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path), name, str(num_steps), str(max_bytes)],
        stdout=subprocess.PIPE,
        text=True,
    )


def written(name: str, number: int) -> StepRecord:
    return record_of(f"{name} {number} " + "m" * (number * 7_919 % 40_000))


def kill_and_check(path: Path, name: str, num_before: int, delay_seconds: float) -> None:
    """Kill a writer after it told of `num_before` steps and a moment more; nothing told is lost."""
    killed = writer(path, name, 100_000, 10**9)
    assert killed.stdout is not None
    num_told = 0
    timer = threading.Timer(delay_seconds, killed.send_signal, (signal.SIGKILL,))
    for line in killed.stdout:
        num_told = int(line) + 1
        if num_told == num_before:
            timer.start()
    timer.join()
    killed.stdout.close()
    assert killed.wait(30) == -signal.SIGKILL
    with JournalFile(path, 10**9) as journal:
        for number in range(num_told):
            assert journal.get(f"{name}-{number}") == written(name, number)
        next_one = journal.get(f"{name}-{num_told}")  # kept or not, but never half of it
        assert next_one in (None, written(name, num_told))
        assert journal.get(f"{name}-{num_told + 1}") is None
        journal.put("after", record_of("goes on"))
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        ((counted, found),) = connection.execute(
            "SELECT kept.num_bytes, (SELECT sum(num_bytes) FROM steps) FROM kept"
        )
    connection.close()
    assert counted == found


def test_killed_writer_loses_nothing_it_told_of(tmp_path: Path) -> None:
    kill_and_check(tmp_path / "journal.sqlite", "a", num_before=20, delay_seconds=0.01)


@pytest.mark.slow
def test_killed_writers_lose_nothing_at_any_moment(tmp_path: Path) -> None:
    for kill in range(25):
        kill_and_check(
            tmp_path / "journal.sqlite",
            f"writer {kill}",
            num_before=random.randrange(1, 100),
            delay_seconds=random.random() * 0.05,
        )


def test_two_processes_write_one_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    writers = {name: writer(path, name, 60, 10**9) for name in ("a", "b")}
    for one in writers.values():
        one.communicate(timeout=60)
        assert one.returncode == 0
    with JournalFile(path) as journal:
        assert len(journal) == 120
        for name in writers:
            for number in range(60):
                assert journal.get(f"{name}-{number}") == written(name, number)


def test_two_processes_keep_the_limit_together(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    writers = [writer(path, name, 60, 300_000) for name in ("a", "b")]
    for one in writers:
        one.communicate(timeout=60)
        assert one.returncode == 0
    with JournalFile(path, 300_000) as journal:
        assert 150_000 < journal.num_bytes <= 300_000


def test_threads_write_one_journal(tmp_path: Path) -> None:
    with JournalFile(tmp_path / "journal.sqlite") as journal:

        def put_all(name: str) -> None:
            for number in range(50):
                journal.put(f"{name}-{number}", written(name, number))
                assert journal.get(f"{name}-{number}") == written(name, number)

        threads = [threading.Thread(target=put_all, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(journal) == 200


@pytest.mark.slow  # a measurement; the best of several, for the machine may be busy
def test_put_of_a_full_memory_takes_under_a_millisecond(tmp_path: Path) -> None:
    seconds = []
    with JournalFile(tmp_path / "journal.sqlite") as journal:
        for number in range(300):
            begin = time.perf_counter()
            journal.put(f"{number}", record_of("m" * 60_000))
            seconds.append(time.perf_counter() - begin)
    assert sorted(seconds)[len(seconds) // 2] < 1e-3
