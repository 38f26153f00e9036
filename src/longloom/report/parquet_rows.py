"""Rows of a Parquet file, a batch at a time, with only the columns that are asked for.

A report reads sets of any number of questions; what is in memory at once is one batch.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from longloom.errors import DataError

_BATCH_ROWS = 256
"""Contexts hold up to half a million characters each: 256 of them stay below 200 MB."""

Row = dict[str, Any]


def parquet_rows(path: Path, schema_name: str, columns: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a file that states the schema `schema_name`.

    Args:
        path: the file.
        schema_name: what its metadata must say.
        columns: those to read; `extra_info.shape` names a part of a group.

    Raises:
        DataError: the file is missing or damaged, is of another schema, or lacks a column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise DataError(
            f"{path} does not exist; expected a folder written by `longloom synthesize`"
        )
    try:
        with pq.ParquetFile(path) as opened:
            stated = (opened.schema_arrow.metadata or {}).get(b"schema", b"nothing").decode()
            if stated != schema_name:
                raise DataError(f"{path} holds schema {stated}; expected {schema_name}")
            _check_columns(path, opened.schema_arrow.names, columns)
            for batch in opened.iter_batches(batch_size=_BATCH_ROWS, columns=list(columns)):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = (str(error).splitlines() or ["unknown"])[0]
        raise DataError(
            f"{path} is not readable Parquet ({reason}); write it again with `longloom synthesize`"
        ) from None


def _check_columns(path: Path, found: Sequence[str], wanted: Sequence[str]) -> None:
    missing = [name for name in wanted if name.partition(".")[0] not in found]
    if missing:
        raise DataError(f"{path} has no column {missing[0]}; it has {', '.join(found)}")
