"""Rows of CSV, TSV and Parquet files, in order and by their number."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from longloom.errors import DataError

_CACHED_FILES = 2
"""Row groups of Parquet files, and CSV files, that are kept in memory."""
_BATCH_ROWS = 16
"""Rows of a Parquet file that are objects at a time; one may be of millions of characters."""
_MAX_FIELD_CHARACTERS = 1 << 30


@lru_cache(maxsize=_CACHED_FILES)
def separated_rows(path: Path) -> Sequence[Mapping[str, Any]]:
    """Return all rows of a CSV or TSV file whose first line names the fields.

    Raises:
        DataError: it is no table.
    """
    earlier_limit = csv.field_size_limit(_MAX_FIELD_CHARACTERS)  # one for the whole process
    dialect = "excel-tab" if path.suffix.lower() == ".tsv" else "excel"
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [
                {str(name): value for name, value in row.items()}
                for row in csv.DictReader(file, dialect=dialect)
            ]
    except csv.Error as error:
        raise DataError(f"{path} is no table: {error}; give the official file") from None
    finally:
        csv.field_size_limit(earlier_limit)


def parquet_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    """Yield every row of a Parquet file; few are in memory at a time.

    Raises:
        DataError: it is damaged or something else.
    """
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    number = 0
    try:
        with ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_BATCH_ROWS):
                for row in batch.to_pylist():
                    yield row
                    number += 1
    except (ArrowException, OSError) as error:
        raise DataError(
            f"{path} is no whole Parquet file (row {number}): {error}; download it again"
        ) from None


def parquet_row(path: Path, number: int) -> Mapping[str, Any]:
    """Return one row of a Parquet file.

    Raises:
        IndexError: it has no such row.
        OSError: it is gone.
    """
    position = number
    for group, num_rows in enumerate(_rows_of_groups(path)):
        if position < num_rows:
            row: Mapping[str, Any] = _group_table(path, group).slice(position, 1).to_pylist()[0]
            return row
        position -= num_rows
    raise IndexError(f"it has no row {number}")


@lru_cache(maxsize=_CACHED_FILES)
def _rows_of_groups(path: Path) -> tuple[int, ...]:
    from pyarrow.parquet import read_metadata

    metadata = read_metadata(path)
    return tuple(metadata.row_group(group).num_rows for group in range(metadata.num_row_groups))


@lru_cache(maxsize=_CACHED_FILES)
def _group_table(path: Path, group: int) -> Any:
    """Return a row group as columns: a row of it becomes objects only when it is asked for."""
    from pyarrow.parquet import ParquetFile

    with ParquetFile(path) as file:
        return file.read_row_group(group)
