"""The Parquet schemas of examples and contexts, with their names and versions."""

import pyarrow as pa

EXAMPLES_SCHEMA_NAME = "longloom.examples"
CONTEXTS_SCHEMA_NAME = "longloom.contexts"
SCHEMA_VERSION = 2

_EVIDENCE = pa.struct(
    [
        ("doc_id", pa.string()),
        ("doc_start", pa.int64()),
        ("doc_end", pa.int64()),
        ("context_start", pa.int64()),
        ("context_end", pa.int64()),
    ]
)

_PART = pa.struct(
    [
        ("doc_id", pa.string()),
        ("doc_start", pa.int64()),
        ("doc_end", pa.int64()),
        ("context_start", pa.int64()),
    ]
)

_EXTRA = pa.struct(
    [
        ("index", pa.int64()),
        ("split", pa.string()),
        ("example_id", pa.string()),
        ("context_id", pa.string()),
        ("question", pa.string()),
        ("program", pa.string()),
        ("evidence", pa.list_(_EVIDENCE)),
        ("reward_rule", pa.string()),
        ("template", pa.string()),
        ("prompt_version", pa.string()),
        ("num_context_tokens", pa.int64()),
        ("num_prompt_tokens", pa.int64()),
        ("licences", pa.list_(pa.string())),
        ("provenance", pa.list_(pa.string())),
        ("num_hops", pa.int64()),
        ("gold_documents", pa.list_(pa.string())),
        ("genres", pa.list_(pa.string())),
        ("shape", pa.string()),
        ("depths", pa.list_(pa.float64())),
    ]
)

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
"""A chat as verl and TRL read it."""


def _with_name(schema: pa.Schema, name: str) -> pa.Schema:
    return schema.with_metadata({"schema": name, "version": str(SCHEMA_VERSION)})


EXAMPLES_SCHEMA = _with_name(
    pa.schema(
        [
            ("data_source", pa.string()),
            ("prompt", MESSAGES),
            ("ability", pa.string()),
            (
                "reward_model",
                pa.struct([("style", pa.string()), ("ground_truth", pa.string())]),
            ),
            ("extra_info", _EXTRA),
        ]
    ),
    EXAMPLES_SCHEMA_NAME,
)
"""verl's columns; `prompt` holds the literal `{context}` where the document belongs."""

CONTEXTS_SCHEMA = _with_name(
    pa.schema(
        [
            ("context_id", pa.string()),
            ("text", pa.string()),
            ("parts", pa.list_(_PART)),
        ]
    ),
    CONTEXTS_SCHEMA_NAME,
)
"""Each context once, referenced by hash."""
