import os
import sys
from pathlib import Path

import pytest

from longloom.errors import DataError
from longloom.records import DocumentKind
from longloom.synthesis.miniature import read_corpus


def test_folder_is_read_recursively_in_sorted_order(folder_of) -> None:
    root = folder_of(
        {
            "b/z.md": "# Z",
            "a.txt": "alpha",
            "b/a.rst": "rest",
            ".hidden/c.txt": "secret",
            "b/table.csv": "k,v\nx,1\n",
            "photo.png": b"\x89PNG",
            "page.html": "<p>page</p>",
        }
    )
    corpus = read_corpus(str(root))
    titles = [document.title for document in corpus.documents]
    assert titles == ["a.txt", "b/a.rst", "b/table.csv", "b/z.md", "page.html"]
    assert corpus.skipped == {}
    assert corpus.documents[0].source == "file:a.txt"


def test_unusable_files_are_skipped_and_counted(folder_of) -> None:
    root = folder_of(
        {
            "good.txt": "good",
            "same.txt": "good",
            "empty.txt": " \n",
            "binary.txt": b"a\0b",
            "latin.txt": b"\xe9t\xe9",
            "broken.py": "def f(:",
            "huge.txt": b"x" * 8_000_001,
            "bad.csv": "only one column",
        }
    )
    os.mkfifo(root / "pipe.txt")
    corpus = read_corpus(str(root))
    assert [document.title for document in corpus.documents] == ["good.txt"]
    assert corpus.skipped == {
        "duplicate": 1,
        "empty": 1,
        "too_large": 1,
        "undecodable": 2,
        "unparsable": 2,
        "unreadable": 1,
    }


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_files_whose_names_are_not_utf8_are_skipped_and_counted(folder_of) -> None:
    root = folder_of({"good.txt": "good"})
    (root / os.fsdecode(b"\xff\xfe.md")).write_text("# A")
    (root / os.fsdecode(b"\xff")).mkdir()
    (root / os.fsdecode(b"\xff/b.py")).write_text("x = 1")
    corpus = read_corpus(str(root))
    assert [document.title for document in corpus.documents] == ["good.txt"]
    assert corpus.skipped == {"undecodable": 2}


def test_links_between_files_become_statements(folder_of) -> None:
    root = folder_of(
        {
            "a.md": "[b](sub/b.md#part) [web](https://x.org/b.md) [gone](c.md) [bad](http://[x)",
            "sub/b.md": "[a](../a.md)",
        }
    )
    texts = [document.text for document in read_corpus(str(root)).documents]
    assert texts[0].endswith("\n\nlink a.md sub/b.md")
    assert texts[1].endswith("\n\nlink sub/b.md a.md")


def test_modules_are_named_as_they_are_imported(folder_of) -> None:
    root = folder_of(
        {
            "src/pkg/__init__.py": "from .core import work",
            "src/pkg/core.py": "def work(): ...",
            "one/tool.py": "def a(): ...",
            "two/tool.py": "def b(): ...",
            "main.py": "from pkg import work\ndef go():\n    work()",
        }
    )
    corpus = read_corpus(str(root))
    by_title = {document.title: document for document in corpus.documents}
    assert sorted(by_title) == ["main", "pkg", "pkg.core", "tool", "two.tool"]
    assert by_title["main"].kind is DocumentKind.CODE
    references = corpus.references[by_title["main"].doc_id]
    assert references == {"work": by_title["pkg.core"].doc_id}


def test_source_with_an_encoding_cookie_is_decoded(folder_of) -> None:
    root = folder_of({"m.py": b"# coding: latin-1\ndef caf\xe9(): ..."})
    assert "module caf\u00e9 m" in read_corpus(str(root)).documents[0].text


def test_link_loops_end(folder_of) -> None:
    root = folder_of({"a/b.txt": "text"})
    (root / "a" / "loop").symlink_to(root)
    assert len(read_corpus(str(root)).documents) == 1


def test_single_file_is_a_corpus(folder_of) -> None:
    root = folder_of({"a.txt": "text", "b.txt": "other"})
    assert [entry.title for entry in read_corpus(str(root / "a.txt")).documents] == ["a.txt"]


def test_missing_path_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere' does not exist; expected .*synthesis.documents"):
        read_corpus(str(tmp_path / "nowhere"))


@pytest.mark.parametrize("files", [{}, {"a.png": b"x"}, {"a.txt": "", "b.txt": b"\xff"}])
def test_folder_without_documents_is_refused(folder_of, files) -> None:
    with pytest.raises(DataError, match=r"holds no readable document.*expected files of type"):
        read_corpus(str(folder_of(files)))


def test_builtin_corpus_holds_its_three_sources(builtin_corpus) -> None:
    sources = {document.source.partition(":")[0] for document in builtin_corpus.documents}
    assert sources == {"stdlib", "pydoc_data.topics", "package"}
    titles = [document.title for document in builtin_corpus.documents]
    assert len(set(titles)) == len(titles)
    assert {"heapq", "collections", "topic:assert", "package:pydantic"} <= set(titles)
    assert not [title for title in titles if title.startswith(("test.", "idlelib", "lib2to3"))]


def test_builtin_outline_of_a_known_module(builtin_corpus) -> None:
    text = next(entry.text for entry in builtin_corpus.documents if entry.title == "heapq")
    assert "module heappush heapq\nparameters heappush 2\ncallee heappush _siftdown" in text


def test_builtin_documents_name_no_place_on_this_machine(builtin_corpus) -> None:
    home = str(Path(os.__file__).parent)
    assert not [entry.source for entry in builtin_corpus.documents if home in entry.source]
