"""Choose examples so that quotas and tasks have their shares and no shape takes over."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from longloom.records import TaskType
from longloom.synthesis.mixes import BIN_TOKENS, QuestionKind, Quota, quota_of_tasks
from longloom.synthesis.task_weights import TaskWeights

MIN_PER_SHAPE = 5
"""A small set may hold so many of a shape whatever its share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What selection knows of an example."""

    example_id: str
    """The example."""
    task_type: TaskType
    """Its task."""
    shape: str
    """Its program without constants."""
    question: str
    """Its question; the same question is asked once."""
    answer: str = ""
    """Its answer, which is compared with benchmarks."""
    gold_documents: tuple[str, ...] = ()
    """Titles of what it needs; within a shape those that need several are taken first."""
    genres: tuple[str, ...] = ()
    """Genres of the gold documents; a quota may ask for some."""
    num_context_tokens: int = 0
    """Length of its context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What was selected, and how far the quotas were filled."""

    kept: frozenset[str]
    """Ids of the examples."""
    left_out: Mapping[str, int]
    """Examples left out, by task and reason."""
    wanted: Mapping[str, int]
    """Examples wanted, by kind of question."""
    written: Mapping[str, int]
    """Examples kept, by kind of question."""


def select(
    candidates: Sequence[Candidate],
    *,
    num_examples: int,
    weights: TaskWeights,
    max_shape_fraction: float,
    seed: int,
) -> tuple[frozenset[str], Mapping[str, int]]:
    """Select by task weights alone; return the ids kept and the numbers left out by reason."""
    selection = select_by_quotas(
        candidates,
        num_examples=num_examples,
        quotas=(quota_of_tasks(weights),),
        max_shape_fraction=max_shape_fraction,
        seed=seed,
    )
    return selection.kept, selection.left_out


def select_by_quotas(
    candidates: Sequence[Candidate],
    *,
    num_examples: int,
    quotas: Sequence[Quota],
    max_shape_fraction: float,
    seed: int,
    length_weights: Sequence[int] = (),
) -> Selection:
    """Return the ids that are kept, and how far the quotas are filled.

    A kind of question that cannot fill its share leaves the rest to the others of its quota; what
    a whole quota lacks stays unfilled. The cap on shapes holds for what is kept of each task
    (`shape_cap`).

    Args:
        candidates: all that may be kept.
        num_examples: how many are wanted.
        quotas: of which kinds.
        max_shape_fraction: largest share of a shape.
        seed: of the draw.
        length_weights: weights of the bins of lengths, followed as far as the candidates allow;
            empty takes lengths as they come.
    """
    left_out: Counter[str] = Counter()
    by_kind = _by_kind(candidates, quotas, left_out)
    available = {
        name: capped_total([len(pool) for pool in shapes.values()], max_shape_fraction)
        for name, shapes in by_kind.items()
    }
    wanted: dict[str, int] = {}
    numbers: dict[str, int] = {}
    shares = share_out(num_examples, {quota.name: quota.weight for quota in quotas})
    for quota in quotas:
        weights = {kind.name: kind.weight for kind in quota.kinds}
        wanted |= share_out(shares[quota.name], weights)
        numbers |= _filled(available, shares[quota.name], weights)
    kept: set[str] = set()
    written: dict[str, int] = {}
    for kind in _kinds(quotas):
        shapes = by_kind[kind.name]
        rng = Random(f"{seed}/{kind.name}")
        chosen = _draw(shapes, numbers[kind.name], max_shape_fraction, length_weights, rng)
        kept |= {candidate.example_id for candidate in chosen}
        written[kind.name] = len(chosen)
        num_left = sum(len(pool) for pool in shapes.values()) - len(chosen)
        if num_left:
            left_out[f"{kind.task_type}/over_its_share"] += num_left
    return Selection(kept=frozenset(kept), left_out=dict(left_out), wanted=wanted, written=written)


def _kinds(quotas: Iterable[Quota]) -> list[QuestionKind]:
    return [kind for quota in quotas for kind in quota.kinds]


def _by_kind(
    candidates: Iterable[Candidate], quotas: Sequence[Quota], left_out: Counter[str]
) -> dict[str, dict[str, list[Candidate]]]:
    """Sort the candidates by kind and shape, each question once."""
    kinds = _kinds(quotas)
    by_kind: dict[str, dict[str, list[Candidate]]] = {
        kind.name: defaultdict(list) for kind in kinds
    }
    asked: set[str] = set()
    for candidate in candidates:
        titles = candidate.gold_documents
        kind = next(
            (kind for kind in kinds if kind.accepts(candidate.task_type, candidate.genres, titles)),
            None,
        )
        if kind is None:
            left_out[f"{candidate.task_type}/in_no_quota"] += 1
        elif candidate.question in asked:
            left_out[f"{candidate.task_type}/question_repeated"] += 1
        else:
            asked.add(candidate.question)
            by_kind[kind.name][candidate.shape].append(candidate)
    return by_kind


def shape_cap(total: int, max_fraction: float) -> int:
    """Return how many of one shape may be among `total`: the fraction, but at least a few."""
    return max(MIN_PER_SHAPE, int(max_fraction * total))


def capped_total(counts: Sequence[int], max_fraction: float) -> int:
    """Return the largest N with every count cut to `shape_cap(N)` and N in all."""
    total = sum(counts)
    while True:
        capped = sum(min(count, shape_cap(total, max_fraction)) for count in counts)
        if capped >= total:
            return total
        total = capped


def share_out(total: int, weights: Mapping[str, float]) -> dict[str, int]:
    """Return whole numbers in the proportions of `weights` that add up to `total`."""
    sum_of_weights = sum(weights.values())
    exact = {name: total * weight / sum_of_weights for name, weight in weights.items()}
    shares = {name: int(share) for name, share in exact.items()}
    by_remainder = sorted(shares, key=lambda name: shares[name] - exact[name])
    for name in by_remainder[: total - sum(shares.values())]:
        shares[name] += 1
    return shares


def _filled(
    available: Mapping[str, int], total: int, weights: Mapping[str, float]
) -> dict[str, int]:
    """Share out, giving what a kind cannot fill to the others by their weights."""
    numbers = dict.fromkeys(weights, 0)
    still_open = {name: weight for name, weight in weights.items() if available[name] and weight}
    left = total
    while left and still_open:
        for name, share in share_out(left, still_open).items():
            numbers[name] = min(available[name], numbers[name] + share)
        left = total - sum(numbers.values())
        still_open = {
            name: weight for name, weight in still_open.items() if numbers[name] < available[name]
        }
    return numbers


def _draw(
    shapes: Mapping[str, Sequence[Candidate]],
    number: int,
    max_fraction: float,
    length_weights: Sequence[int],
    rng: Random,
) -> list[Candidate]:
    """Draw up to `number`, level by level over the shapes, so that rare shapes stay whole.

    Questions that need several documents come before those that need one.
    """
    number = min(number, sum(len(pool) for pool in shapes.values()))
    while True:
        cap = shape_cap(number, max_fraction)
        possible = sum(min(len(pool), cap) for pool in shapes.values())
        if possible >= number:
            break
        number = possible
    pools = [rng.sample(list(shapes[shape]), len(shapes[shape])) for shape in sorted(shapes)]
    for pool in pools:
        pool.sort(key=_needs_one)
    ordered: list[Candidate] = []
    for level in range(max(map(len, pools), default=0)):
        row = [pool[level] for pool in pools if level < len(pool)]
        rng.shuffle(row)
        ordered += row
    ordered.sort(key=_needs_one)
    return _first(ordered, number, cap, length_weights)


def _needs_one(candidate: Candidate) -> bool:
    return len(candidate.gold_documents) <= 1


def _first(
    ordered: Sequence[Candidate], number: int, cap: int, length_weights: Sequence[int]
) -> list[Candidate]:
    """Take the first that keep the cap on shapes: those whose lengths are wanted, then others."""
    bins = {str(place): float(weight) for place, weight in enumerate(length_weights)}
    room = share_out(number, bins) if bins else {}
    by_shape: Counter[str] = Counter()
    chosen: list[Candidate] = []
    waiting = list(ordered)
    for is_strict in (True, False):
        passed_over = []
        for candidate in waiting:
            length = str(candidate.num_context_tokens // BIN_TOKENS)
            has_room = not is_strict or not room or room.get(length, 0) > 0
            if len(chosen) == number or by_shape[candidate.shape] >= cap or not has_room:
                passed_over.append(candidate)
                continue
            chosen.append(candidate)
            by_shape[candidate.shape] += 1
            if room:
                room[length] = room.get(length, 0) - 1
        waiting = passed_over
    return chosen
