"""Documents: files of many formats rendered once to text, with blocks and marks.

    bytes of a file -> a reader -> Reading (document, marks)

`text` is the only coordinate system: offsets are code points, half-open, and made in `building.py`
alone. A mark keeps what the markup says about a span (a tagged number, a link, a table cell, a
turn of a dialogue), so that facts are found later without the file. Paper: QwenLong-L1.5,
section 3 (corpus collection).

Read `building.py`, then the reader of one format.
"""
