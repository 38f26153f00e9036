"""Find the official files of a benchmark, and make questions of their rows."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from longloom.errors import DataError
from longloom.evaluation.benchmark import Benchmark
from longloom.evaluation.questions import Asked, Question, QuestionSet
from longloom.evaluation.rows import Row, RowPlace, file_digest, read_places, read_row

QuestionOfRow = Callable[[Row, RowPlace], Question | None]
"""Makes the question of a row; None for a row that is no question of the benchmark."""
AskedOfRow = Callable[[Row, RowPlace], Asked]
"""Makes what a model sees of a row."""


def find_files(folder: Path, benchmark: Benchmark) -> tuple[Path, ...]:
    """Return the files that match the benchmark's patterns, pattern by pattern.

    Raises:
        DataError: the folder or a file is missing; says where the files come from.
    """
    source = benchmark.source
    assert source is not None
    found: list[Path] = []
    for pattern in source.files:
        matches = sorted(path for path in folder.glob(pattern) if path.is_file())
        if not matches:
            raise DataError(
                f"{benchmark.title} needs {pattern} in {folder}, which has no such file; get it "
                f"from {source.address} (licence: {source.licence}), or let it be downloaded with "
                "--download"
            )
        found += [path for path in matches if path not in found]
    return tuple(found)


def find_optional(folder: Path, benchmark: Benchmark, pattern: str) -> Path | None:
    """Return a file that may lie beside the others, or None."""
    assert benchmark.source is not None
    assert pattern in benchmark.source.optional_files
    return next((path for path in sorted(folder.glob(pattern)) if path.is_file()), None)


def questions_of_rows(
    paths: Sequence[Path],
    *,
    question: QuestionOfRow,
    ask: AskedOfRow,
    notes: Iterable[str] = (),
) -> QuestionSet:
    """Read files of one question a row; what a row holds is read again when it is asked.

    Raises:
        DataError: a file is damaged, or two rows have one id.
    """
    places: dict[str, RowPlace] = {}
    questions: list[Question] = []
    for path in paths:
        for place, row in read_places(path):
            found = question(row, place)
            if found is None:
                continue
            if found.question_id in places:
                raise DataError(
                    f"{path}: question {found.question_id!r} is there twice; expected one row for "
                    "each id; download the file again"
                )
            places[found.question_id] = place
            questions.append(found)

    def asked(one: Question) -> Asked:
        place = places[one.question_id]
        return ask(read_row(place), place)

    return QuestionSet(
        questions=tuple(questions),
        ask=asked,
        source={path.name: file_digest(path) for path in paths},
        notes=tuple(notes),
    )
