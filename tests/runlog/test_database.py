import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from longloom.errors import DataError, ModelError
from longloom.runlog.database import DatabaseFile

_TABLES = ("CREATE TABLE IF NOT EXISTS words (word TEXT PRIMARY KEY)",)


def words_file(path: Path, schema: str = "longloom.words/1") -> DatabaseFile:
    return DatabaseFile(path, schema=schema, tables=_TABLES, title="the word list")


def test_rows_are_found_by_the_next_one_who_opens(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "words.sqlite"
    with words_file(path) as words:
        words.execute("INSERT INTO words VALUES (?)", "loom")
    with words_file(path) as words:
        assert words.execute("SELECT word FROM words") == [("loom",)]


def test_failed_transaction_leaves_nothing_behind(tmp_path: Path) -> None:
    def insert_and_fail(words: DatabaseFile) -> None:
        with words.transaction():
            words.execute("INSERT INTO words VALUES ('half')")
            raise KeyError("stop")

    with words_file(tmp_path / "words.sqlite") as words:
        with pytest.raises(KeyError):
            insert_and_fail(words)
        assert words.execute("SELECT word FROM words") == []
        words.execute("INSERT INTO words VALUES ('whole')")


def test_other_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "words.sqlite"
    words_file(path, "longloom.words/2").close()
    with pytest.raises(DataError, match=r"holds 'longloom.words/2', expected 'longloom.words/1'"):
        words_file(path)
    words_file(path, "longloom.words/2").close()


def test_database_of_another_program_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "words.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.commit()
    before = path.read_bytes()
    connection.close()
    with pytest.raises(DataError, match=r"another program, with 'recipes'; use another path"):
        words_file(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"no database" * 1_000, b"SQLite format 3\0" + b"?" * 5_000])
def test_damaged_file_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "words.sqlite"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"words\.sqlite cannot be used.*move the file away"):
        words_file(path)


def test_path_that_cannot_be_written_is_an_error_of_the_asked_class(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelError, match="the word list"):
        DatabaseFile(
            tmp_path / "file" / "words.sqlite",
            schema="s/1",
            tables=_TABLES,
            title="the word list",
            error_class=ModelError,
        )


def test_full_disk_is_an_error_and_later_writes_go_on(tmp_path: Path) -> None:
    with words_file(tmp_path / "words.sqlite") as words:
        ((num_pages,),) = words.execute("PRAGMA page_count")
        words.execute(f"PRAGMA max_page_count = {num_pages}")  # SQLite's own full disk
        with pytest.raises(DataError, match=r"full; .*free the disk"):
            words.execute("INSERT INTO words VALUES (?)", "w" * 100_000)
        words.execute("PRAGMA max_page_count = 1000000")
        words.execute("INSERT INTO words VALUES (?)", "w" * 100_000)
        assert len(words.execute("SELECT word FROM words")) == 1


_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from longloom.errors import DataError
from longloom.runlog.database import DatabaseFile

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
words = DatabaseFile(
    Path(sys.argv[1]), schema="longloom.words/1", tables=(sys.argv[2],), title="the word list"
)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))
kept = 0
try:
    while True:
        words.execute("INSERT INTO words VALUES (?)", f"{kept}" + "w" * 5_000)
        kept += 1
except DataError as error:
    assert "the word list" in str(error), error
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
words.execute("INSERT INTO words VALUES (?)", "after")
print(kept)
"""


def test_write_that_the_system_refuses_loses_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "words.sqlite"
    done = subprocess.run(
        [sys.executable, "-c", _FULL_DISK, str(path), _TABLES[0]],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    with words_file(path) as words:
        ((num_words,),) = words.execute("SELECT count(*) FROM words")
    assert num_words == int(done.stdout) + 1 > 1


def test_threads_share_one_file(tmp_path: Path) -> None:
    with words_file(tmp_path / "words.sqlite") as words:

        def insert_all(thread: int) -> None:
            for number in range(50):
                with words.transaction():
                    words.execute("INSERT INTO words VALUES (?)", f"{thread}-{number}")

        threads = [threading.Thread(target=insert_all, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert words.execute("SELECT count(*) FROM words") == [(200,)]
