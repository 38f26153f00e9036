"""The table beside the paper's, in Markdown, JSON and as a picture."""

from collections.abc import Mapping
from html import escape
from typing import Any

from ablations.estimates import Interval

from reproduction.measured import Figure, Seeds, agent_of, mean_of
from reproduction.paper import PAPER_ROWS
from reproduction.pattern import Statement, statements

_TASK_TITLES = {
    "dialogue_memory": "Dialogue",
    "multi_hop": "Multi-hop",
    "multiple_choice": "Choice",
    "numerical": "Numerical",
    "reading_comprehension": "Reading",
}
_WIDTH, _ROW, _TOP, _LEFT, _PANEL = 780, 30, 62, 110, 300
_STYLE = (
    "text{font:12px sans-serif;fill:#444}.title{font-weight:600}"
    ".grid{stroke:#ddd;stroke-width:1}.whisker{stroke:#3b6fb6;stroke-width:2}"
    ".ours{fill:#3b6fb6}.paper{fill:none;stroke:#c8553d;stroke-width:2}"
)


def task_figure(task: str) -> Figure:
    """Return what reads the accuracy of one task."""
    return lambda measured: measured.by_task[task]


def written(seeds: Seeds, about: Mapping[str, Any]) -> str:
    """Return the page: where it comes from, the table, the pattern."""
    first = next(iter(seeds.by_checkpoint.values()))[0]
    machine = about["machine"]
    lines = [
        "# The tiny recipe beside the paper's Table 10",
        "",
        f"Command: `{about['command']}`, {about['date']}, {len(seeds.seeds)} seeds "
        f"({', '.join(map(str, seeds.seeds))}), {machine['architecture']}, Python "
        f"{machine['python']}, one thread a run, {sum(seeds.cpu_seconds) / 60:.0f} CPU-minutes in "
        "all.",
        "",
        "Percent, with Student's 95% interval over the seeds: every seed has questions and "
        f"training of its own. Tasks: {first.num_questions} held-out questions of up to 256 "
        f"tokens a cell and seed; the agent: {first.num_documents} documents of 8 windows. The "
        "paper's columns are its means over six "
        "benchmarks and over MRCR of 512K to 1M tokens: other tasks at another size, so compare "
        "signs, not numbers.",
        "",
        *_table(seeds),
        "",
        "![Mean and agent by checkpoint, ours and the paper's](reproduce.svg)",
        "",
        "## What holds of the paper's pattern",
        "",
        "A quantity is above zero where the statement holds; points, with its interval over the "
        "seeds.",
        "",
        "| statement | paper | ours | |",
        "| --- | ---: | ---: | --- |",
        *(
            f"| {found.text} | {_signed(found.paper)} | {_signed_interval(found.measured)} | "
            f"{found.verdict} |"
            for found in statements(seeds)
        ),
    ]
    return "\n".join(lines) + "\n"


def shown(seeds: Seeds) -> str:
    """Return table and pattern for the terminal."""
    return "\n".join(
        [
            *_table(seeds),
            "",
            *(f"{found.verdict:<13}  {_sentence(found)}" for found in statements(seeds)),
        ]
    )


def as_json(seeds: Seeds, about: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything as JSON values."""
    return {
        **about,
        "seeds": list(seeds.seeds),
        "cpu_seconds": list(seeds.cpu_seconds),
        "checkpoints": {
            name: {
                "paper": {"mean": PAPER_ROWS[name].mean, "agent": PAPER_ROWS[name].agent},
                "by_seed": [
                    {
                        "by_task": {task: round(share, 4) for task, share in one.by_task.items()},
                        "by_length": {
                            name: round(share, 4) for name, share in one.by_length.items()
                        },
                        "mean": round(one.mean, 4),
                        "agent": round(one.agent, 4),
                        "num_questions": one.num_questions,
                        "num_documents": one.num_documents,
                    }
                    for one in found
                ],
            }
            for name, found in seeds.by_checkpoint.items()
        },
        "pattern": [
            {
                "statement": found.text,
                "paper_points": round(found.paper, 2),
                "points": [round(value, 2) for value in _values(found.measured)],
                "verdict": found.verdict,
            }
            for found in statements(seeds)
        ],
    }


def drawn(seeds: Seeds) -> str:
    """Return the picture: full context left, agent right; ours filled, the paper's hollow."""
    height = _TOP + _ROW * len(seeds.by_checkpoint) + 26
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        'aria-label="Mean and agent by checkpoint, ours and the paper\'s">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
    ]
    panels = (
        ("Full context, mean of the tasks", mean_of),
        ("Memory agent, long documents", agent_of),
    )
    for place, (title, figure) in enumerate(panels):
        left = _LEFT + place * (_PANEL + 30)
        parts.append(f'<text class="title" x="{left}" y="18">{escape(title)}</text>')
        parts += _grid(left, height)
        for index, name in enumerate(seeds.by_checkpoint):
            y = _TOP + _ROW * index
            if not place:
                parts.append(
                    f'<text x="{_LEFT - 12}" y="{y + 4}" text-anchor="end">'
                    f"{escape(PAPER_ROWS[name].title)}</text>"
                )
            row = PAPER_ROWS[name]
            paper = row.mean if figure is mean_of else row.agent
            parts += _marks(left, y, seeds.interval(name, figure), paper)
    parts.append(
        f'<circle class="ours" cx="{_LEFT}" cy="{height - 10}" r="5"/>'
        f'<text x="{_LEFT + 12}" y="{height - 6}">ours, interval over seeds</text>'
        f'<circle class="paper" cx="{_LEFT + 190}" cy="{height - 10}" r="5"/>'
        f'<text x="{_LEFT + 202}" y="{height - 6}">paper (other tasks, other size)</text></svg>'
    )
    return "\n".join(parts) + "\n"


def _grid(left: float, height: float) -> list[str]:
    return [
        f'<line class="grid" x1="{x}" x2="{x}" y1="{_TOP - 14}" y2="{height - 26}"/>'
        f'<text x="{x}" y="{_TOP - 18}" text-anchor="middle" font-size="10">{share}</text>'
        for share in (0, 25, 50, 75, 100)
        for x in [left + _PANEL * share / 100]
    ]


def _marks(left: float, y: float, ours: Interval, paper: float | None) -> list[str]:
    def x(share: float) -> float:
        return round(left + _PANEL * min(max(share, 0.0), 1.0), 1)

    parts = [
        f'<line class="whisker" x1="{x(ours.low)}" x2="{x(ours.high)}" y1="{y}" y2="{y}"/>'
        f'<circle class="ours" cx="{x(ours.mean)}" cy="{y}" r="5">'
        f"<title>{100 * ours.mean:.1f}</title></circle>"
    ]
    if paper is not None:
        parts.append(f'<circle class="paper" cx="{x(paper / 100)}" cy="{y}" r="5"/>')
    return parts


def _table(seeds: Seeds) -> list[str]:
    tasks = sorted(next(iter(seeds.by_checkpoint.values()))[0].by_task)
    figures = [*(task_figure(task) for task in tasks), mean_of, agent_of]
    titles = [*(_TASK_TITLES[task] for task in tasks), "Mean", "Agent, 8 windows"]
    lines = [
        f"| | {' | '.join(titles)} | paper: mean | paper: agent |",
        f"| --- |{' ---: |' * (len(titles) + 2)}",
    ]
    for name in seeds.by_checkpoint:
        row = PAPER_ROWS[name]
        cells = [_cell(seeds.interval(name, figure)) for figure in figures]
        agent = "-" if row.agent is None else f"{row.agent:.2f}"
        lines.append(f"| {row.title} | {' | '.join(cells)} | {row.mean:.2f} | {agent} |")
    return lines


def _cell(interval: Interval) -> str:
    if interval.num_observations == 1:
        return f"{100 * interval.mean:.1f}"
    return f"{100 * interval.mean:.1f} ± {100 * (interval.high - interval.mean):.1f}"


def _sentence(found: Statement) -> str:
    return f"{found.text}: {_signed_interval(found.measured)} points (paper {_signed(found.paper)})"


def _signed_interval(interval: Interval) -> str:
    if interval.num_observations == 1:
        return _signed(interval.mean)
    return f"{_signed(interval.mean)} ({_signed(interval.low)} to {_signed(interval.high)})"


def _signed(value: float) -> str:
    return f"{value:+.1f}"


def _values(interval: Interval) -> list[float]:
    return [interval.mean, interval.low, interval.high]


def _rounded(shares: Mapping[str, float]) -> dict[str, float]:
    return {name: round(share, 4) for name, share in shares.items()}
