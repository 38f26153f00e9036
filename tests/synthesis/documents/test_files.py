import os
from pathlib import Path

import pytest

from longloom.errors import DataError
from longloom.synthesis.documents.files import find_files, read_licence


def _write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return root


def test_files_are_found_in_order_with_their_licences(tmp_path: Path) -> None:
    root = _write(
        tmp_path / "library",
        {
            "b.md": "b",
            "a/x.txt": "x",
            "a/LICENSE": "MIT License. Permission is hereby granted, free of charge",
            "SOURCE.txt": "Origin: somewhere. Licence: CC BY-SA 4.0.",
            ".hidden/y.txt": "y",
            "__pycache__/z.py": "z",
        },
    )
    (root / "link.txt").symlink_to(root / "b.md")
    found = [(file.name, file.licence) for file in find_files(str(root))]
    assert found == [("library/b.md", "CC BY-SA 4.0"), ("library/a/x.txt", "MIT")]


@pytest.mark.parametrize(
    ("text", "licence", "may_be_altered"),
    [
        ("no word about it", "unknown", True),
        ("CC BY-ND 4.0", "CC BY-ND 4.0", False),
        ("may be redistributed only unmodified (IETF Trust)", "IETF Trust", False),
        ("(a) CC0-1.0. (b) CC BY 4.0.", "CC BY 4.0 / CC0-1.0", True),
        ("Apache License, Version 2.0", "Apache-2.0", True),
    ],
)
def test_licences_are_read_and_never_guessed(text: str, licence: str, may_be_altered: bool) -> None:
    assert read_licence(text) == (licence, may_be_altered)


def test_a_single_file_is_a_corpus(tmp_path: Path) -> None:
    root = _write(tmp_path, {"one.md": "text"})
    assert [file.name for file in find_files(str(root / "one.md"))] == ["one.md"]


def test_builtin_is_the_standard_library() -> None:
    names = {file.name for file in find_files("builtin")}
    assert {"heapq.py", "asyncio/events.py"} <= names
    assert not any("site-packages" in name or name.startswith("test/") for name in names)


def test_nothing_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="do not exist; expected a folder, a file or 'builtin'"):
        find_files(str(tmp_path / "gone"))


def test_pipes_are_refused_unread(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="are a pipe or a device; expected a folder or a file"):
        find_files(str(tmp_path / "pipe"))


def test_names_hold_nothing_unseen(tmp_path: Path) -> None:
    root = _write(tmp_path / "names", {"a\u202eb\nc.md": "text"})
    assert [file.name for file in find_files(str(root))] == ["names/a_b_c.md"]
