import pytest

from longloom.errors import DataError
from longloom.records import BlockKind, DocumentKind
from longloom.synthesis.documents.python_source import MAX_SOURCE_BYTES, accepts, read
from longloom.synthesis.documents.reader import SourceFile

MODULE = '''\
#!/usr/bin/env python
"""Lamps."""

import os
LIMIT = 3


# Lights up.
@cached
def light(
    lamp,
):
    return lamp

def out(): pass
if LIMIT:
    print(1)
# The end.
'''


def blocks_of(payload: bytes, name: str = "shop/lamps.py") -> list[str]:
    (reading,) = read(SourceFile(name=name, payload=payload))
    text = reading.document.text
    assert all(block.kind is BlockKind.CODE for block in reading.document.blocks)
    return [text[block.start : block.end] for block in reading.document.blocks]


def test_blocks_are_statements_with_their_comments():
    assert blocks_of(MODULE.encode()) == [
        '#!/usr/bin/env python\n"""Lamps."""\n\nimport os\nLIMIT = 3',
        "# Lights up.\n@cached\ndef light(\n    lamp,\n):\n    return lamp",
        "def out(): pass",
        "if LIMIT:\n    print(1)\n# The end.",
    ]


def test_the_text_is_the_file_with_plain_line_ends():
    (reading,) = read(SourceFile(name="a.py", payload=b"\xef\xbb\xbfx = 1\r\ny = 2\r\n"))
    document = reading.document
    assert document.text == "x = 1\ny = 2\n"
    assert (document.title, document.genre, document.kind) == ("a.py", "code", DocumentKind.CODE)


def test_a_large_class_is_cut_between_its_methods():
    head = 'class Lamp:\n    """Gives light."""\n\n    size = 1'
    methods = [f"    def m{n}(self):\n        return '{'x' * 1500}'" for n in range(3)]
    source = head + "\n\n" + "\n\n".join(methods) + "\n"
    assert blocks_of(source.encode()) == [head, *methods]


def test_a_long_function_stays_whole():
    source = "def light():\n" + "    x = 1\n" * 2000
    assert blocks_of(source.encode()) == [source.rstrip("\n")]


def test_the_coding_line_is_obeyed():
    assert blocks_of(b"# coding: latin-1\nx = '\xe9'\n") == ["# coding: latin-1\nx = '\u00e9'"]
    with pytest.raises(DataError, match="encoding zlib_codec is not read"):
        blocks_of(b"# coding: zlib_codec\nx = 1\n")


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"x = \xff\n", "not utf-8 at byte 4"),
        (b"print 1\n", r"not Python: .* \(line 1\)"),
        (b"# only a comment\n", "no statement"),
        (b"x = " + b"(" * 5000 + b")" * 5000, "not Python|nested too deeply"),
        (b"x = " + b"-" * 100_000 + b"1", "not Python|nested too deeply"),
        (b"x = 1" + b"+1" * 100_000, "nested too deeply"),
        (b" " * (MAX_SOURCE_BYTES + 1), "limit"),
    ],
    ids=["bytes", "syntax", "comment", "brackets", "signs", "sum", "size"],
)
def test_what_cannot_be_parsed_is_refused(payload: bytes, reason: str):
    with pytest.raises(DataError, match=reason):
        blocks_of(payload)


def test_files_are_accepted_by_name():
    assert accepts(SourceFile(name="a.py", payload=b"x"))
    assert not accepts(SourceFile(name="a.pyc", payload=b"x"))
    assert not accepts(SourceFile(name="a.py", payload=b"\0"))
