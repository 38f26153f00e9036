import pytest

from longloom.errors import DataError
from longloom.recipes.verbs.read_documents import load_documents
from longloom.records import Citation


def _load(*paths: object):
    return load_documents([str(path) for path in paths], as_outlines=False)


def _citation(doc_id: str, start: int) -> Citation:
    return Citation(
        doc_id=doc_id, start=start, end=start + 1, section_index=3, quote="", is_verified=True
    )


def test_text_is_read_as_it_is(tmp_path) -> None:
    code = "def f():\n    return  1\n\n\n\nclass A:\n\tpass\n"
    (tmp_path / "a.py").write_text(code)
    loaded = _load(tmp_path / "a.py")
    assert loaded.context.text == code
    assert loaded.titles == ("a.py",)
    (part,) = loaded.context.parts
    assert (part.doc_id, part.context_start, part.doc_end) == ("a.py", 0, len(code))
    assert loaded.place(_citation("a.py", code.index("class"))) == "a.py, line 6"


def test_several_documents_stand_under_their_titles(tmp_path) -> None:
    (tmp_path / "a.txt").write_text("first")
    (tmp_path / "b.md").write_text("second")
    loaded = _load(tmp_path / "b.md", tmp_path / "a.txt", tmp_path / "a.txt")
    assert loaded.context.text == "# b.md\n\nsecond\n\n# a.txt\n\nfirst\n\n# a.txt (2)\n\nfirst"
    text = loaded.context.text
    for part, document in zip(loaded.context.parts, loaded.documents, strict=True):
        begin = part.context_start
        assert text[begin : begin + part.doc_end] == document.text


def test_markup_goes_through_a_reader(tmp_path) -> None:
    page = "<html><head><title>T</title></head><body><h1>Head</h1><p>It is <b>42</b>.</p></body>"
    (tmp_path / "page.html").write_text(f"{page}{'<p>more of it</p>' * 30}</html>")
    loaded = _load(tmp_path / "page.html")
    assert "It is 42." in loaded.context.text
    assert "<b>" not in loaded.context.text
    assert loaded.place(_citation("page.html", 0)) == "page.html, 0% in"
    assert loaded.place(_citation("elsewhere", 0)) == "section 3"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.txt", b"", "the file is empty"),
        ("blank.txt", b" \n\n", "the file is empty"),
        ("program", bytes(range(256)) * 8, "not "),
        ("broken.pdf", b"%PDF-1.7 nothing", ""),
        ("picture.png", b"\x89PNG\r\n\x1a\n" + bytes(2_000), "not text"),
    ],
)
def test_file_that_cannot_be_read_is_named(tmp_path, name, content, reason) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=f"{name}' cannot be read: .*{reason}"):
        _load(tmp_path / name)


def test_folder_leaves_out_what_cannot_be_read(tmp_path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.txt").write_text("first")
    (folder / "b.bin").write_bytes(bytes(range(256)) * 8)
    loaded = _load(folder)
    assert loaded.titles == ("notes/a.txt",)
    (reason,) = loaded.left_out
    assert reason.startswith("notes/b.bin: not ")
    (folder / "a.txt").unlink()
    with pytest.raises(DataError, match=r"hold no text .*b\.bin"):
        _load(folder)


def test_other_encodings_are_told_by_their_mark(tmp_path) -> None:
    (tmp_path / "a.txt").write_bytes("\ufeffZürich\r\n東京".encode("utf-16-le"))
    assert _load(tmp_path / "a.txt").context.text == "Zürich\n東京"


def test_missing_documents_are_refused(tmp_path) -> None:
    with pytest.raises(DataError, match="do not exist"):
        _load(tmp_path / "gone")
    with pytest.raises(DataError, match="no documents given"):
        _load()
    with pytest.raises(DataError, match="an empty name"):
        _load("")


def test_large_file_is_read_in_moments(tmp_path) -> None:
    (tmp_path / "large.log").write_text("a line of a log, number 5\n" * 640_000)
    assert len(_load(tmp_path / "large.log").context.text) > 16_000_000
