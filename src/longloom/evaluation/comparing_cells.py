"""Two runs of a recipe, cell by cell: the same checkpoint, suite and agent in both."""

from collections.abc import Iterator, Mapping, Sequence

from longloom.errors import DataError
from longloom.evaluation.cells import EvaluationCell
from longloom.evaluation.comparing import Comparison, UnlikeSetting, pair_values

_Key = tuple[str, str, str]


def compare_cells(
    baseline: Sequence[EvaluationCell],
    candidate: Sequence[EvaluationCell],
    *,
    names: tuple[str, str],
    unlike: Sequence[UnlikeSetting] = (),
) -> Comparison:
    """Compare two runs on every cell that both have, paired by example.

    Args:
        baseline: cells of the first run.
        candidate: cells of the second.
        names: the runs as a reader knows them.
        unlike: what else was not the same, from the runs' settings.

    Raises:
        DataError: they share no cell with an example.
    """
    ours, theirs = _by_key(baseline), _by_key(candidate)
    paired = []
    for key, cell in ours.items():
        other = theirs.get(key)
        values = _values(cell), _values(other) if other else {}
        if values[0].keys() & values[1].keys():
            paired.append(pair_values(_name(key), _name(key), *values))
    if not paired:
        raise DataError(
            f"the two runs share no evaluated question: {_listed(ours)} and {_listed(theirs)}; "
            "compare runs of one recipe on the same questions"
        )
    shared = {one.name for one in paired}
    return Comparison(
        baseline=names[0],
        candidate=names[1],
        mode=None,
        paired=tuple(paired),
        only_baseline=tuple(_name(key) for key in ours if _name(key) not in shared),
        only_candidate=tuple(_name(key) for key in theirs if _name(key) not in shared),
        unlike=(*unlike, *_unlike(ours, theirs, shared)),
    )


def _by_key(cells: Sequence[EvaluationCell]) -> dict[_Key, EvaluationCell]:
    return {(cell.checkpoint, cell.suite, cell.agent): cell for cell in cells if cell.scores}


def _name(key: _Key) -> str:
    return ", ".join(key)


def _listed(cells: Mapping[_Key, EvaluationCell]) -> str:
    return "; ".join(map(_name, list(cells)[:4])) or "nothing"


def _values(cell: EvaluationCell) -> dict[str, float]:
    return {score.example_id: score.mean_reward for score in cell.scores}


def _unlike(
    ours: Mapping[_Key, EvaluationCell], theirs: Mapping[_Key, EvaluationCell], shared: set[str]
) -> Iterator[UnlikeSetting]:
    found: dict[tuple[str, int, int], list[str]] = {}
    for key, cell in ours.items():
        if _name(key) not in shared:
            continue
        other = theirs[key]
        for name, before, after in (
            ("num_samples", cell.num_samples, other.num_samples),
            ("max_prompt_tokens", cell.max_prompt_tokens, other.max_prompt_tokens),
        ):
            if before != after:
                found.setdefault((name, before, after), []).append(_name(key))
    for (name, before, after), places in found.items():
        yield UnlikeSetting(
            name=name,
            baseline=f"{before:,}",
            candidate=f"{after:,}",
            places=() if len(places) == len(shared) else tuple(places),
        )
