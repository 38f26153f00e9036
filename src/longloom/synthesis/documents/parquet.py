"""Read Parquet tables; nested columns are left out, rows beyond the limits are counted."""

import io
from collections.abc import Iterable

from longloom.errors import DataError
from longloom.synthesis.documents.building import Reading
from longloom.synthesis.documents.csv import MAX_COLUMNS, MAX_ROWS, table_reading
from longloom.synthesis.documents.reader import SourceFile

MAX_UNPACKED_BYTES = 256 * 1024 * 1024
"""What one row group may say it unpacks to."""


def read(source: SourceFile) -> Iterable[Reading]:
    """Read one Parquet file as one table.

    Raises:
        DataError: it is not Parquet, unpacks to too much, or has no flat columns or no rows.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(source.payload))
        group = file.metadata.row_group(0) if file.num_row_groups else None
        names = [field.name for field in file.schema_arrow if not pa.types.is_nested(field.type)]
        if group is None or not names:
            raise DataError("no table: Parquet without rows or without flat columns")
        if group.total_byte_size > MAX_UNPACKED_BYTES or len(names) > MAX_COLUMNS:
            raise DataError(
                f"no table: {len(names)} columns of {group.total_byte_size} bytes; at most "
                f"{MAX_COLUMNS} columns of {MAX_UNPACKED_BYTES} bytes are read"
            )
        batch = next(file.iter_batches(batch_size=MAX_ROWS, columns=names), None)
        columns = [] if batch is None else [column.to_pylist() for column in batch.columns]
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"not Parquet: {str(error).splitlines()[0][:100]}") from None
    rows = [[_shown(cell) for cell in row] for row in zip(*columns, strict=True)]
    if not rows:
        raise DataError("no table: Parquet without rows")
    yield table_reading(source, names, rows, num_left_out=file.metadata.num_rows - len(rows))


def _shown(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bytes):
        return f"({len(cell)} bytes)"
    return str(cell)
