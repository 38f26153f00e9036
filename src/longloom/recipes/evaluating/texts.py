"""Find the texts of a finished evaluation's questions again, for pages that are made anew.

Only files that are there and are still the same are read; nothing is generated or downloaded.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from longloom.errors import ConfigError, DataError
from longloom.evaluation.benchmark import ReadSettings
from longloom.evaluation.questions import Asked, Question, QuestionSet
from longloom.evaluation.results import EvaluationResults
from longloom.recipes.catalogue import load_config
from longloom.recipes.evaluating.evaluation_run import AskedOf
from longloom.recipes.evaluating.targets import Target, resolve_targets
from longloom.recipes.verbs.read_model import LARGE_RECIPE
from longloom.text.estimated_tokens import EstimatedTokens


def texts_of(results: EvaluationResults) -> AskedOf | None:
    """Return what gives the text of a question by benchmark and id; None if all files are gone."""
    sets = dict(_sets(results))
    if not sets:
        return None
    by_name: Mapping[str, Mapping[str, Question]] = {
        name: {one.question_id: one for one in found.questions} for name, found in sets.items()
    }

    def asked_of(benchmark: str, question_id: str) -> Asked | None:
        question = by_name.get(benchmark, {}).get(question_id)
        return None if question is None else sets[benchmark].ask(question)

    return asked_of


def _sets(results: EvaluationResults) -> Iterator[tuple[str, QuestionSet]]:
    digests = {one.name: one.source for one in results.benchmarks}
    for target in _targets(results.settings):
        if not target.folder.is_dir():
            continue
        settings = ReadSettings(count_tokens=EstimatedTokens().count)
        try:
            found = target.benchmark.read(target.folder, settings)
        except (ConfigError, DataError):
            continue
        if found.source == digests.get(target.benchmark.name):
            yield target.benchmark.name, found


def _targets(settings: Mapping[str, Any]) -> tuple[Target, ...]:
    named, files = settings.get("named", ()), settings.get("files")
    try:
        config = load_config(LARGE_RECIPE, overrides=(), seed=None)
        found = resolve_targets(
            list(named),
            config=config.replace(template=settings["template"]),
            split=settings["split"],
            files=None if files is None else Path(files),
            generated=Path(settings["generated"]),
            download=False,
            seed=settings["asking"]["seed"],
        )
    except (ConfigError, DataError, KeyError, TypeError):
        return ()
    return found.targets
