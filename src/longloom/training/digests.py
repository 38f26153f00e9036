"""What names the examples or rows of a stage in its checkpoints.

A resumed stage draws by position, so that other examples in the same number would go unnoticed.
"""

import hashlib
import json
from array import array
from collections.abc import Sequence

from longloom.records import Example
from longloom.training.sft_rows import SftExample


def examples_digest(examples: Sequence[Example]) -> str:
    """Return a name of these examples in this order: ids, contexts, questions and answers."""
    digest = hashlib.sha256()
    for example in examples:
        parts = (
            example.example_id,
            example.context_id,
            example.task_type,
            example.ability,
            example.question,
            example.answer,
        )
        digest.update(json.dumps(parts).encode() + b"\n")
    return digest.hexdigest()[:16]


def rows_digest(rows: Sequence[SftExample]) -> str:
    """Return a name of these rows in this order: their tokens."""
    digest = hashlib.sha256()
    for row in rows:
        for token_ids in (row.prompt_ids, row.response_ids):
            digest.update(len(token_ids).to_bytes(8, "little"))
            digest.update(array("q", token_ids).tobytes())
    return digest.hexdigest()[:16]
