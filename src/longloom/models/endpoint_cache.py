"""Replies kept in a folder, so that no call is paid for twice.

A reply is stored before anyone sees it: after `kill -9` a run that starts again finds every reply
it ever acted on. What it leaves out: the last moments before a power cut may be lost (the file
stays whole); then those calls are made again.

SQLite departs from the house rule of Parquet and JSON Lines: writers of several processes, look-up
by key without reading everything, and a write that is whole or absent need a database.
"""

import json
import sqlite3
import threading
from dataclasses import asdict
from pathlib import Path

from longloom.errors import ModelError
from longloom.models.endpoint_messages import ChatReply

CACHE_FILE = "replies.sqlite"
_SCHEMA = "longloom.endpoint_replies/1"
_BUSY_SECONDS = 60.0
_STORED_FIELDS = (
    "text",
    "reasoning",
    "finish_reason",
    "num_prompt_tokens",
    "num_completion_tokens",
)


class EndpointCache:
    """Replies by the digest of what was asked."""

    def __init__(self, folder: Path) -> None:
        """Open the cache in `folder`, or begin one.

        Raises:
            ModelError: the folder cannot be used, or holds something else.
        """
        self._path = folder / CACHE_FILE
        self._lock = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                self._path, timeout=_BUSY_SECONDS, check_same_thread=False, isolation_level=None
            )
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def get(self, key: str) -> ChatReply | None:
        """Return the reply under `key`, marked as cached, or None."""
        try:
            with self._lock:
                row = self._connection.execute(
                    "SELECT reply FROM replies WHERE key = ?", (key,)
                ).fetchone()
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        return _reply(row[0]) if row else None

    def put(self, key: str, reply: ChatReply) -> None:
        """Keep a reply; an earlier one under the same key stays."""
        stored = {name: value for name, value in asdict(reply).items() if name in _STORED_FIELDS}
        try:
            with self._lock:
                self._connection.execute(
                    "INSERT OR IGNORE INTO replies (key, reply) VALUES (?, ?)",
                    (key, json.dumps(stored, separators=(",", ":"))),
                )
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def __len__(self) -> int:
        with self._lock:
            (num_replies,) = self._connection.execute("SELECT count(*) FROM replies").fetchone()
        return int(num_replies)

    def close(self) -> None:
        """Close the file; it holds everything already."""
        with self._lock:
            self._connection.close()

    def _prepare(self) -> None:
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            # A killed process loses nothing at NORMAL; only a power cut could.
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute("CREATE TABLE IF NOT EXISTS meta (schema TEXT PRIMARY KEY)")
            self._connection.execute(
                "INSERT INTO meta SELECT ? WHERE NOT EXISTS (SELECT 1 FROM meta)", (_SCHEMA,)
            )
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL)"
                " WITHOUT ROWID"
            )
            found = self._connection.execute("SELECT schema FROM meta").fetchall()
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        if found != [(_SCHEMA,)]:
            raise ModelError(
                f"{self._path} has schema {found}; expected {_SCHEMA}; use another cache folder"
            )

    def _unusable(self, error: Exception) -> ModelError:
        return ModelError(
            f"the cache of replies {self._path} cannot be used: {error}; expected a database of "
            "this program in a writable folder; free the disk, or move the file away and run again"
        )


def _reply(stored: str) -> ChatReply:
    return ChatReply(**json.loads(stored), is_cached=True)
