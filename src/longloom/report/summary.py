"""What happened, in plain sentences computed from the figures; what did not improve is said.

A gain counts only if the whole paired 95% interval lies above zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from longloom.evaluation.statistics import Estimate
from longloom.report.estimates import accuracy, difference, percent, signed_points
from longloom.report.run_contents import RunContents
from longloom.report.tables import (
    LONG_SUITES,
    NUM_TRIES,
    TASK_NAMES,
    TASKS,
    in_windows,
    trained_checkpoint,
)

_CLAIMS = (
    ("base", "memory", "memory", "memory", "the untrained one"),
    ("stage-3", "memory", "memory", "memory", "that of stage-3"),
    ("memory", "truncated", "memory", "memory", "a single pass, middle cut out"),
    ("stage-3", "truncated", "memory", "memory", "a single pass of stage-3, middle cut out"),
    ("memory", "closed_book", "memory", "memory", "a guess without the document"),
    ("base", "memory", "final", "memory", "the untrained one"),
    ("memory", "memory", "final", "memory", "the trained one"),
)
"""What is compared on long documents: (baseline, its agent, candidate, its agent, in words)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One paired comparison."""

    text: str
    """What is compared, candidate first."""
    estimate: Estimate
    """Candidate minus baseline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The opening of a report."""

    paragraph: str
    """The main figures."""
    improved: tuple[Claim, ...]
    """Comparisons whose whole interval lies above zero."""
    not_improved: tuple[Claim, ...]
    """All other comparisons."""


def summarise(run: RunContents) -> Summary:
    """Return the summary of a run; of a partial one, what can be said."""
    claims = [*_length_claims(run), *_task_claims(run), *_memory_claims(run)]
    sentences = [_opening(run), _pass_sentence(run), _memory_sentence(run), latch_sentence(run)]
    return Summary(
        paragraph=" ".join(sentence for sentence in sentences if sentence),
        improved=tuple(claim for claim in claims if claim.estimate.low > 0),
        not_improved=tuple(claim for claim in claims if claim.estimate.low <= 0),
    )


def describe_difference(estimate: Estimate) -> str:
    """Return a difference in points with its interval."""
    return (
        f"{signed_points(estimate.value)} points "
        f"({signed_points(estimate.low)} to {signed_points(estimate.high)})"
    )


def latch_sentence(run: RunContents) -> str:
    """Return how often AEPO switched, or an empty string if it was not logged."""
    states = [
        (row.stage, row.metrics["training/negatives_on"] > 0.5)
        for row in run.rows
        if "training/negatives_on" in row.metrics
    ]
    if not states:
        return ""
    num_off = sum(not is_on for _, is_on in states)
    # Every stage starts with failures counting.
    switches = sum(
        is_on != (was_on if stage == earlier else True)
        for (earlier, was_on), (stage, is_on) in pairwise([("", True), *states])
    )
    return (
        f"AEPO left failed answers out of {num_off} of {len(states)} updates and switched "
        f"{switches} {'time' if switches == 1 else 'times'}."
    )


def _opening(run: RunContents) -> str:
    trained = trained_checkpoint(run)
    before = run.cell("base", run.short_suite, "single_pass")
    after = run.cell(trained, run.short_suite, "single_pass")
    change, start, end = difference(before, after), accuracy(before), accuracy(after)
    if not change or not start or not end:
        return "The checkpoints needed for a comparison have not been evaluated yet."
    if change.low > 0:
        verb = "rose"
    elif change.high < 0:
        verb = "fell"
    else:
        verb = "did not change beyond chance: it went"
    return (
        f"At {run.short_suite} lengths mean accuracy {verb} from {percent(start.value)}% to "
        f"{percent(end.value)}% between base and {trained} ({change.num_questions} held-out "
        f"questions, paired difference {describe_difference(change)}, 95% interval)."
    )


def _pass_sentence(run: RunContents) -> str:
    cells = [
        run.cell(name, run.short_suite, "single_pass") for name in ("base", trained_checkpoint(run))
    ]
    before, after = (accuracy(cell, k=NUM_TRIES) for cell in cells)
    once, once_after = (accuracy(cell) for cell in cells)
    if not before or not after or not once or not once_after:
        return ""
    gain, gain_in_tries = once_after.value - once.value, after.value - before.value
    sentence = (
        f"Within {NUM_TRIES} tries the base already answered {percent(before.value)}%, the trained "
        f"model {percent(after.value)}%"
    )
    if gain <= 0:
        return f"{sentence}."
    if gain_in_tries < 0.5 * gain:
        return f"{sentence}: most of the gain is a better habit, not a new skill."
    return f"{sentence}: much of the gain is new skill, not habit alone."


def _memory_sentence(run: RunContents) -> str:
    named = (
        ("the trained memory agent", "memory", "memory"),
        ("the untrained one", "base", "memory"),
        ("a single pass, middle cut out", "memory", "truncated"),
        ("a guess without the document", "memory", "closed_book"),
        ("the final model", "final", "memory"),
    )
    sentences = []
    for suite in LONG_SUITES:
        parts = []
        for name, checkpoint, agent in named:
            estimate = accuracy(run.cell(checkpoint, suite, agent))
            if estimate:
                parts.append(f"{name} {percent(estimate.value)}%")
        if parts:
            sentences.append(
                f"On documents of {in_windows(suite)}, answered correctly: {_listed(parts)}."
            )
    return " ".join(sentences)


def _listed(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _length_claims(run: RunContents) -> list[Claim]:
    trained = trained_checkpoint(run)
    claims = []
    for suite in run.stage_suites:
        change = difference(
            run.cell("base", suite, "single_pass"), run.cell(trained, suite, "single_pass")
        )
        if change:
            text = f"All tasks at {suite} lengths: {trained} against base"
            claims.append(Claim(text=text, estimate=change))
    after_merge = difference(
        run.cell(trained, run.short_suite, "single_pass"),
        run.cell("final", run.short_suite, "single_pass"),
    )
    if after_merge:
        text = f"All tasks at {run.short_suite} lengths: final against {trained}"
        claims.append(Claim(text=text, estimate=after_merge))
    return claims


def _task_claims(run: RunContents) -> list[Claim]:
    trained = trained_checkpoint(run)
    claims = []
    for task in TASKS:
        change = difference(
            run.cell("base", run.short_suite, "single_pass"),
            run.cell(trained, run.short_suite, "single_pass"),
            task=task,
        )
        if change:
            text = f"{TASK_NAMES[task]} at {run.short_suite} lengths: {trained} against base"
            claims.append(Claim(text=text, estimate=change))
    return claims


def _memory_claims(run: RunContents) -> list[Claim]:
    claims = []
    for suite in LONG_SUITES:
        for baseline, baseline_agent, candidate, agent, words in _CLAIMS:
            change = difference(
                run.cell(baseline, suite, baseline_agent), run.cell(candidate, suite, agent)
            )
            if change:
                name = "trained memory agent" if candidate == "memory" else "final memory agent"
                text = f"{in_windows(suite)}: {name} against {words}"
                claims.append(Claim(text=text, estimate=change))
    return claims
