"""Find the official files of a benchmark, and make questions of their rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from longloom.errors import DataError
from longloom.evaluation.benchmark import Benchmark
from longloom.evaluation.benchmarks.archives import unpack
from longloom.evaluation.questions import Asked, Question, QuestionSet
from longloom.evaluation.rows import (
    Row,
    RowPlace,
    describe,
    read_places,
    read_row,
    sha256_digest,
)

QuestionOfRow = Callable[[Row, RowPlace], Question | None]
"""Makes the question of a row; None for a row that is no question of the benchmark."""
AskedOfRow = Callable[[Row, RowPlace], Asked]
"""Makes what a model sees of a row."""
QuestionsOfRow = Callable[[Row, RowPlace], Iterable[Question]]
"""Makes the questions of a row that holds several."""
AskedInRow = Callable[[Row, RowPlace, Question], Asked]
"""Makes what a model sees of one question of a row."""


def find_files(folder: Path, benchmark: Benchmark) -> tuple[Path, ...]:
    """Return the files that match the benchmark's patterns, pattern by pattern.

    Its official archives are unpacked where they lie there in place of the files.

    Raises:
        DataError: the folder or a file is missing; says where the files come from.
    """
    source = benchmark.source
    assert source is not None
    found: list[Path] = []
    for pattern in source.files:
        matches = _matches(folder, pattern)
        if not matches:
            for name in source.archives:
                unpack(folder / name, source.files)
            matches = _matches(folder, pattern)
        if not matches:
            raise DataError(
                f"{benchmark.title} needs {pattern.replace('|', ' or ')} in {folder}, which has no "
                f"such file; get it from {source.address} (licence: {source.licence}), or let it "
                "be downloaded with --download"
            )
        found += [path for path in matches if path not in found]
    return tuple(found)


def missing_patterns(folder: Path, benchmark: Benchmark) -> tuple[str, ...]:
    """Return the patterns that no file matches, in words; an archive that is there has them all."""
    source = benchmark.source
    if source is None or any((folder / name).is_file() for name in source.archives):
        return ()
    return tuple(
        pattern.replace("|", " or ") for pattern in source.files if not _matches(folder, pattern)
    )


def official_number(benchmark: Benchmark) -> int | None:
    """Return how many questions a benchmark officially has, where its source says so."""
    return benchmark.source.num_questions if benchmark.source else None


def find_optional(folder: Path, benchmark: Benchmark, pattern: str) -> Path | None:
    """Return a file that may lie beside the others, or None."""
    assert benchmark.source is not None
    assert pattern in benchmark.source.optional_files
    return next(iter(_matches(folder, pattern)), None)


def questions_of_rows(
    paths: Sequence[Path],
    *,
    question: QuestionOfRow,
    ask: AskedOfRow,
    num_official: int | None = None,
    notes: Iterable[str] = (),
) -> QuestionSet:
    """Read files of one question a row; what a row holds is read again when it is asked.

    Another number of questions than the official one is noted.

    Raises:
        DataError: a file is damaged or has no rows, or two rows have one id.
    """

    def questions(row: Row, place: RowPlace) -> Iterable[Question]:
        found = question(row, place)
        return () if found is None else (found,)

    return questions_in_rows(
        paths,
        questions=questions,
        ask=lambda row, place, _: ask(row, place),
        num_official=num_official,
        notes=notes,
    )


def questions_in_rows(
    paths: Sequence[Path],
    *,
    questions: QuestionsOfRow,
    ask: AskedInRow,
    num_official: int | None = None,
    notes: Iterable[str] = (),
) -> QuestionSet:
    """Read files of several questions a row, which share what is long about it.

    Raises:
        DataError: a file is damaged or has no rows, or two questions have one id.
    """
    places: dict[str, RowPlace] = {}
    found: list[Question] = []
    for path in paths:
        is_empty = True
        for place, row in read_places(path):
            is_empty = False
            for question in questions(row, place):
                _refuse_unfit_id(question, places, place)
                places[question.question_id] = place
                found.append(question)
        if is_empty:
            raise DataError(f"{path} has no rows; expected questions; download it again")

    counted = f"questions here: {len(found)}; officially: {num_official}"

    def asked(question: Question) -> Asked:
        place = places[question.question_id]
        return ask(read_row(place), place, question)

    return QuestionSet(
        questions=tuple(found),
        ask=asked,
        source=digests(paths),
        notes=(*notes, *((counted,) if num_official not in (None, len(found)) else ())),
    )


def digests(paths: Iterable[Path]) -> dict[str, str]:
    """Return the SHA-256 of files by name; by folder and name where two have one name."""
    listed = list(paths)
    names = [path.name for path in listed]
    return {
        path.name if names.count(path.name) == 1 else f"{path.parent.name}/{path.name}": (
            sha256_digest(path)
        )
        for path in listed
    }


def _refuse_unfit_id(question: Question, places: Mapping[str, RowPlace], place: RowPlace) -> None:
    if not question.question_id.isascii() and _has_half_pair(question.question_id):
        raise DataError(
            f"{describe(place)}: question id {question.question_id!r} holds half a surrogate pair; "
            "expected text; download the file again"
        )
    first = places.get(question.question_id)
    if first is not None:
        raise DataError(
            f"{describe(place)}: question {question.question_id!r} is there twice, first in "
            f"{describe(first)}; expected one for each id; download the file again"
        )


def _has_half_pair(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _matches(folder: Path, pattern: str) -> list[Path]:
    """Return files of the first layout that is there, without those in hidden folders."""
    for layout in pattern.split("|"):
        found = [
            path
            for path in sorted(folder.glob(layout))
            if path.is_file()
            and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        ]
        if found:
            return found
    return []
