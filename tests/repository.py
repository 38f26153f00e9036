"""Where the repository's files are, for the tests that hold its rules."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "longloom"

_FOLDERS = (".ci", "benchmarks", "docs", "examples", "scripts", "src", "tests")


def source_files() -> list[Path]:
    """Return every Python file of the package."""
    return sorted(SOURCE.rglob("*.py"))


def rooms() -> list[Path]:
    """Return the folders directly below the package."""
    return sorted(path.parent for path in SOURCE.glob("*/__init__.py"))


def document_files() -> list[Path]:
    """Return README and the other Markdown files people read."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def text_files() -> list[tuple[Path, str]]:
    """Return every file of the repository that is text, with its text."""
    paths = [path for path in ROOT.iterdir() if path.is_file() and path.name != ".git"]
    for folder in _FOLDERS:
        paths += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    texts = []
    for path in sorted(paths):
        if "__pycache__" in path.parts:
            continue
        try:
            texts.append((path, path.read_text("utf-8")))
        except UnicodeDecodeError:  # weights and pictures
            continue
    return texts


def shown(path: Path) -> str:
    """Return `path` as seen from the root of the repository."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
