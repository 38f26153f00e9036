"""Tables and a plain statement of what holds, computed from the result files that are there."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import fmean
from typing import Any

from ablations.arms import ARMS, BASELINES
from ablations.estimates import Comparison, Interval, compare, student_interval
from ablations.paper import PAPER_DIRECTIONS, PAPER_SCORES
from ablations.run_files import RunResult, settings_hash
from ablations.settings import TASKS, AblationSettings

_SHORT = {
    "dialogue_memory": "dialogue",
    "multi_hop": "multi-hop",
    "multiple_choice": "choice",
    "numerical": "numerical",
    "reading_comprehension": "reading",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All runs, sorted."""

    settings: AblationSettings
    """Of all runs."""
    runs_by_arm: Mapping[str, Sequence[RunResult]]
    """In the order of the arms."""
    task_by_question: Mapping[str, str]
    """Task of every held-out question."""
    machine: str
    """Where they ran."""

    def against(self, arm: str, baseline: str) -> Comparison | None:
        """Return the comparison of two arms, if both were run with a common seed."""
        if arm not in self.runs_by_arm or baseline not in self.runs_by_arm:
            return None
        return compare(self.runs_by_arm[arm], self.runs_by_arm[baseline], self.task_by_question)

    def unsettled(self) -> list[str]:
        """Return the arms of every comparison that does not separate its two arms.

        Compared are each arm with its baseline, and the arms of each of the paper's directions.
        """
        pairs = [(arm, BASELINES[ARMS[arm].family]) for arm in self.runs_by_arm]
        pairs += [(better, other) for better, other, _ in PAPER_DIRECTIONS]
        found = set()
        for arm, other in pairs:
            comparison = None if arm == other else self.against(arm, other)
            if comparison and comparison.over_seeds.verdict == "not separated":
                found |= {arm, other}
        return [arm for arm in self.runs_by_arm if arm in found]


def collect(
    runs: Sequence[RunResult],
    settings: AblationSettings,
    task_by_question: Mapping[str, str],
    machine: str,
) -> Findings:
    """Return the runs by arm, seeds in order."""
    runs_by_arm = {
        arm: sorted((run for run in runs if run.arm == arm), key=lambda run: run.seed)
        for arm in ARMS
    }
    return Findings(
        settings=settings,
        runs_by_arm={arm: found for arm, found in runs_by_arm.items() if found},
        task_by_question=task_by_question,
        machine=machine,
    )


def written(findings: Findings) -> str:
    """Return the whole report as Markdown."""
    settings = findings.settings
    seeds = sorted({run.seed for runs in findings.runs_by_arm.values() for run in runs})
    cpu = sum(run.cpu_seconds for runs in findings.runs_by_arm.values() for run in runs)
    lines = [
        "# The paper's ablations on the tiny model",
        "",
        f"{settings.num_steps} updates of {settings.batch_size} prompts x {settings.group_size} "
        f"answers, learning rate {settings.learning_rate:g}, prompts of up to "
        f"{settings.long_prompt_tokens} tokens; training questions in shares of 50/20/15/10/5 "
        "(reading, multi-hop, choice, numerical, dialogue), "
        f"{len(findings.task_by_question)} held-out questions in equal shares, "
        f"{settings.num_eval_samples} answers each. Seeds {shown_seeds(seeds)}; "
        f"{cpu / 3600:.2f} CPU-hours; {findings.machine}; settings {settings_hash(settings)}.",
        "",
        "Scores are means over the five tasks in percent. A difference pairs the same seeds, "
        "questions and random streams; its 95% interval is Student's over seeds, then a bootstrap "
        "over questions. Single comparisons, not corrected for their number. KL is the k3 estimate "
        f"over {settings.num_kl_examples} answers; few tokens carry most of it.",
        "",
    ]
    for family, title in (("l15", "QwenLong-L1.5"), ("l1", "QwenLong-L1")):
        rows = [arm for arm in findings.runs_by_arm if ARMS[arm].family == family]
        if rows:
            lines += [f"## {title}", "", *_score_table(findings, rows), ""]
            lines += [*_task_table(findings, rows), ""]
    lines += ["## Which directions of the paper hold at this size", "", *statements(findings), ""]
    return "\n".join(lines)


def shown_seeds(seeds: Sequence[int]) -> str:
    """Return seeds as text."""
    return ", ".join(map(str, seeds))


def _score_table(findings: Findings, arms: Sequence[str]) -> list[str]:
    baseline = BASELINES[ARMS[arms[0]].family]
    fixed = findings.settings.fixed_score
    lines = [
        f"| arm | seeds | score | against {ARMS[baseline].title} (seeds) | (questions) | verdict "
        f"| steps to {100 * fixed:.0f} | KL to base | entropy | tokens | paper | paper's "
        "difference |",
        "| --- | ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for arm in arms:
        runs = findings.runs_by_arm[arm]
        comparison = None if arm == baseline else findings.against(arm, baseline)
        paper = PAPER_SCORES.get(arm)
        known = PAPER_SCORES.get(baseline)
        cells = [
            ARMS[arm].title,
            str(len(runs)),
            _percent(student_interval([run.score for run in runs])),
            _signed(comparison.over_seeds) if comparison else "-",
            _signed(comparison.over_questions) if comparison else "-",
            comparison.over_seeds.verdict if comparison else "-",
            _shown_steps(runs, fixed),
            f"{fmean(run.kl_to_base_nats for run in runs):.3f}",
            f"{fmean(run.held_out_entropy_nats for run in runs):.3f}",
            f"{fmean(run.held_out_response_tokens for run in runs):.1f}",
            f"{paper:.2f}" if paper is not None else "-",
            f"{paper - known:+.2f}" if paper is not None and known is not None else "-",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _task_table(findings: Findings, arms: Sequence[str]) -> list[str]:
    tasks = [task.value for task in TASKS]
    lines = [
        "| arm | " + " | ".join(_SHORT[task] for task in tasks) + " |",
        "| --- |" + " ---: |" * len(tasks),
    ]
    for arm in arms:
        cells = []
        for task in tasks:
            scores = [
                score.mean_reward
                for run in findings.runs_by_arm[arm]
                for score in run.score_by_task
                if score.task == task
            ]
            cells.append(_percent(student_interval(scores)) if scores else "-")
        lines.append(f"| {ARMS[arm].title} | " + " | ".join(cells) + " |")
    return lines


def statements(findings: Findings) -> list[str]:
    """Return one line for every direction of the paper whose arms were run."""
    by_verdict: dict[str, list[str]] = {"better": [], "worse": [], "not separated": []}
    for better, other, claim in PAPER_DIRECTIONS:
        comparison = findings.against(better, other)
        if comparison is None:
            continue
        interval = comparison.over_seeds
        by_verdict[interval.verdict].append(
            f"- {claim} Here {ARMS[better].title} against {ARMS[other].title}: "
            f"{_signed(interval)} points over {len(comparison.seeds)} seeds."
        )
    titles = (
        ("better", "**Holds**"),
        ("worse", "**The opposite holds**"),
        ("not separated", "**Not separated**"),
    )
    lines: list[str] = []
    for verdict, title in titles:
        if by_verdict[verdict]:
            lines += [title, "", *by_verdict[verdict], ""]
    return lines[:-1]


def as_json(findings: Findings, command: str) -> dict[str, Any]:
    """Return what the report rests on, small enough to commit: no single questions."""
    return {
        "benchmark": "ablation",
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": findings.machine,
        "settings": findings.settings.model_dump(mode="json"),
        "pool": sorted({run.pool_digest for runs in findings.runs_by_arm.values() for run in runs}),
        "cpu_seconds": round(
            sum(run.cpu_seconds for runs in findings.runs_by_arm.values() for run in runs)
        ),
        "paper_scores": dict(PAPER_SCORES),
        "arms": {
            arm: {
                "title": ARMS[arm].title,
                "runs": [_run_json(run, findings.settings) for run in runs],
                "difference": _comparison_json(findings, arm),
            }
            for arm, runs in findings.runs_by_arm.items()
        },
    }


def _run_json(run: RunResult, settings: AblationSettings) -> dict[str, Any]:
    return {
        "seed": run.seed,
        "score": round(run.score, 5),
        "by_task": {score.task: round(score.mean_reward, 5) for score in run.score_by_task},
        "steps_to_fixed_score": run.steps_to(settings.fixed_score),
        "kl_to_base_nats": round(run.kl_to_base_nats, 5),
        "entropy_nats": round(run.held_out_entropy_nats, 5),
        "response_tokens": round(run.held_out_response_tokens, 3),
        "negatives_off_steps": sum(point.negatives_on < 0.5 for point in run.curve),
        "judge": [run.judge_asked, run.judge_accepted],
        "cpu_seconds": round(run.cpu_seconds, 1),
    }


def _comparison_json(findings: Findings, arm: str) -> dict[str, Any] | None:
    baseline = BASELINES[ARMS[arm].family]
    comparison = None if arm == baseline else findings.against(arm, baseline)
    if comparison is None:
        return None
    return {
        "baseline": baseline,
        "verdict": comparison.over_seeds.verdict,
        "over_seeds": _interval_json(comparison.over_seeds),
        "over_questions": _interval_json(comparison.over_questions),
        "by_task": {task: _interval_json(found) for task, found in comparison.by_task.items()},
    }


def _interval_json(interval: Interval) -> list[float | None]:
    values = (interval.mean, interval.low, interval.high)
    return [round(value, 5) if math.isfinite(value) else None for value in values]


def _percent(interval: Interval) -> str:
    margin = interval.high - interval.mean
    shown = f"{100 * interval.mean:.1f}"
    return f"{shown} ± {100 * margin:.1f}" if math.isfinite(margin) else shown


def _signed(interval: Interval) -> str:
    if not math.isfinite(interval.low):
        return f"{100 * interval.mean:+.1f}"
    return f"{100 * interval.mean:+.1f} ({100 * interval.low:+.1f} to {100 * interval.high:+.1f})"


def _shown_steps(runs: Sequence[RunResult], fixed_score: float) -> str:
    """Return the mean step over seeds that got there, and how many did not; or a dash."""
    if not any(run.curve for run in runs):
        return "-"
    found = [run.steps_to(fixed_score) for run in runs]
    reached = [step for step in found if step is not None]
    missing = len(found) - len(reached)
    shown = f"{fmean(reached):.0f}" if reached else "never"
    return f"{shown} ({missing} never)" if reached and missing else shown
