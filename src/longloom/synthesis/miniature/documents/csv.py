"""Read a CSV file: one block a row, one statement `COLUMN KEY VALUE` a cell.

The first line names the columns, the first column is the key. Commas, semicolons and tabs are
recognised as separators.
"""

import csv
import io

from longloom.errors import DataError
from longloom.synthesis.miniature.documents.rendering import Reading, table_row_blocks

_SEPARATORS = ",;\t"


def read_csv(text: str) -> Reading:
    """Return the rows of a CSV text.

    Raises:
        DataError: the text has no header with at least two columns, or a quote never ends.
    """
    first_line = text.partition("\n")[0]
    separator = max(_SEPARATORS, key=first_line.count)
    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=separator, strict=True))
    except csv.Error as error:
        raise DataError(f"CSV cannot be parsed: {error}") from None
    if not rows or len(rows[0]) < 2:
        raise DataError("CSV has no header with at least two columns")
    return Reading(blocks=tuple(table_row_blocks(rows[0], rows[1:])))
