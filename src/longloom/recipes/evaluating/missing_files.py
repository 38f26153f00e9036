"""Say which official files are missing: all of them at once, before anybody is asked."""

from collections.abc import Sequence
from pathlib import Path

from longloom.errors import DataError
from longloom.evaluation.benchmark import Source
from longloom.evaluation.benchmarks.files import missing_patterns
from longloom.recipes.evaluating.targets import Target


def check_files(targets: Sequence[Target], files: Path | str | None) -> None:
    """Refuse benchmarks whose official files are not all there; what they hold is not looked at.

    Args:
        targets: what is asked.
        files: the folder that was given for the official files.

    Raises:
        DataError: a file is missing, or `files` is no folder.
    """
    if files is not None and not Path(files).is_dir():
        problem = "is a file" if Path(files).exists() else "does not exist"
        raise DataError(f"{files} {problem}; expected the folder with the official files (--data)")
    lacking: list[str] = []
    sources: dict[str, Source] = {}
    for target in targets:
        source = target.benchmark.source
        patterns = missing_patterns(target.folder, target.benchmark)
        if source is None or not patterns:
            continue
        sources[target.benchmark.name] = source
        lacking.append(
            f"{target.benchmark.title} needs {', '.join(patterns)} in {target.folder} (from "
            f"{source.address}, licence: {source.licence})"
        )
    if not lacking:
        return
    raise DataError(f"official files are missing: {'; '.join(lacking)}; {_advice(sources)}")


def _advice(sources: dict[str, Source]) -> str:
    if len(sources) == 1:
        advice = "get them and give their folder with --data"
    else:
        folders = dict.fromkeys(source.folder or name for name, source in sources.items())
        advice = f"get them, each in a folder of its own ({', '.join(folders)}) within --data"
    if all(source.hub is None for source in sources.values()):
        return advice
    return f"{advice}, or let them be downloaded with --download"
