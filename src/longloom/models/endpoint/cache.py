"""Replies kept in a folder, so that no call is paid for twice.

A reply is stored before anyone sees it: after `kill -9` a run that starts again finds every reply
it ever acted on. What it leaves out: the last moments before a power cut may be lost (the file
stays whole); then those calls are made again.
"""

import json
from dataclasses import asdict
from pathlib import Path

from longloom.errors import ModelError
from longloom.models.endpoint.messages import ChatReply
from longloom.runlog.closing import ClosesOnExit
from longloom.runlog.database import DatabaseFile

CACHE_FILE = "replies.sqlite"
_SCHEMA = "longloom.endpoint_replies/1"
_TABLE = (
    "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL) WITHOUT ROWID"
)
_STORED_FIELDS = (
    "text",
    "reasoning",
    "finish_reason",
    "num_prompt_tokens",
    "num_completion_tokens",
)


class EndpointCache(ClosesOnExit):
    """Replies by the digest of what was asked."""

    def __init__(self, folder: Path) -> None:
        """Open the cache in `folder`, or begin one.

        Raises:
            ModelError: the folder cannot be used, or holds something else.
        """
        self._database = DatabaseFile(
            folder / CACHE_FILE,
            schema=_SCHEMA,
            tables=(_TABLE,),
            title="the cache of replies",
            error_class=ModelError,
        )

    def get(self, key: str) -> ChatReply | None:
        """Return the reply under `key`, marked as cached, or None."""
        rows = self._database.execute("SELECT reply FROM replies WHERE key = ?", key)
        return ChatReply(**json.loads(str(rows[0][0])), is_cached=True) if rows else None

    def put(self, key: str, reply: ChatReply) -> None:
        """Keep a reply; an earlier one under the same key stays."""
        stored = {name: value for name, value in asdict(reply).items() if name in _STORED_FIELDS}
        self._database.execute(
            "INSERT OR IGNORE INTO replies (key, reply) VALUES (?, ?)",
            key,
            json.dumps(stored, separators=(",", ":")),
        )

    def __len__(self) -> int:
        ((num_replies,),) = self._database.execute("SELECT count(*) FROM replies")
        assert isinstance(num_replies, int)
        return num_replies

    def close(self) -> None:
        """Close the file; it holds everything already."""
        self._database.close()
