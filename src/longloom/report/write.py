"""Write report.html: one file, no network, no framework."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from longloom.report.comparison_chart import comparison_chart
from longloom.report.curves import length_figures, length_legend, training_figures
from longloom.report.estimates import accuracy, percent, signed_points
from longloom.report.merge_contents import merge_contents
from longloom.report.merge_figures import layer_figures
from longloom.report.rollout_pages import embed_json, rollouts_payload
from longloom.report.run_contents import RunContents, read_run, rollout_files
from longloom.report.summary import Summary, summarise
from longloom.report.tables import (
    LONG_SUITES,
    NUM_TRIES,
    TASK_NAMES,
    TASKS,
    difference_table,
    in_windows,
    long_table,
    main_table,
    other_table,
    pass_table,
    trained_checkpoint,
)
from longloom.runlog import RunFolder, atomic_write_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One large figure at the top of the page."""

    title: str
    """What it is."""
    value: str
    """The figure."""
    before: str = ""
    """What it was before training."""
    note: str = ""
    """A small line under it."""


def write_report(run_folder: Path) -> Path:
    """Write `report.html` into a run folder, whole or not at all, and return its path.

    Works on a partial run: a section without figures says so.

    Raises:
        DataError: the folder is missing, a file in it is damaged, or it cannot be written.
    """
    run = read_run(run_folder)
    folder = RunFolder(run_folder)
    page = render_page(run, rollouts_json=rollouts_payload(rollout_files(run_folder)))
    # Text of a model may hold half a surrogate pair, which UTF-8 cannot.
    atomic_write_bytes(folder.report_file, page.encode("utf-8", "replace"))
    return folder.report_file


def render_page(run: RunContents, *, rollouts_json: str) -> str:
    """Return the page of a run.

    Args:
        run: what was read from its folder.
        rollouts_json: see `rollouts_payload`; safe inside a script element.
    """
    import jinja2
    from markupsafe import Markup

    folder = files("longloom.report").joinpath("templates")
    sources = {
        name: folder.joinpath(name).read_text("utf-8")
        for name in ("report.html.j2", "table.html.j2")
    }
    environment = jinja2.Environment(
        loader=jinja2.DictLoader(sources),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=percent, points=signed_points, markup=Markup, on_axis=_on_axis
    )
    summary = summarise(run)
    return environment.get_template("report.html.j2").render(
        run=run,
        facts=_facts(run),
        versions=_versions(run),
        tiles=_tiles(run),
        summary=summary,
        axis=_difference_axis(summary),
        trained=trained_checkpoint(run),
        comparison=comparison_chart(run),
        main_table=main_table(run),
        pass_table=pass_table(run),
        difference_table=difference_table(run),
        long_table=long_table(run),
        other_table=other_table(run),
        length_figures=length_figures(run),
        length_legend=length_legend(run),
        training_figures=training_figures(run),
        merges=[
            (name, layer_figures(merge_contents(report)), model)
            for name, model, report in run.merges
        ],
        # Files of the package and `embed_json`: no text of a document or a model is in these.
        style=Markup(folder.joinpath("report.css").read_text("utf-8")),
        script=Markup(folder.joinpath("rollouts.js").read_text("utf-8")),
        rollouts_json=Markup(rollouts_json),
        task_names=Markup(embed_json({str(task): TASK_NAMES[task] for task in TASKS})),
    )


def _difference_axis(summary: Summary) -> tuple[float, float]:
    """Return the ends of the axis that all differences of the summary share."""
    estimates = [claim.estimate for claim in summary.improved + summary.not_improved]
    lows = [estimate.low for estimate in estimates]
    highs = [estimate.high for estimate in estimates]
    return min([0.0, *lows]) - 0.02, max([0.0, *highs]) + 0.02


def _on_axis(value: float, axis: tuple[float, float]) -> float:
    """Return where a value lies between the ends of an axis, in percent."""
    low, high = axis
    return round(100 * (value - low) / (high - low), 1)


def _facts(run: RunContents) -> list[tuple[str, str]]:
    facts = []
    if run.manifest:
        facts += [
            ("date", run.date),
            ("seed", str(run.manifest.seed)),
            ("threads", str(run.manifest.num_threads)),
            ("commit", run.manifest.git_commit[:12] or "unknown"),
            ("Longloom", run.manifest.library_versions.get("longloom", "unknown")),
        ]
    if run.rows:
        facts.append(("training", f"{run.training_seconds:.0f} s"))
    if run.cells:
        facts.append(("evaluation", f"{run.evaluation_seconds:.0f} s"))
    return facts


def _versions(run: RunContents) -> Mapping[str, str]:
    return run.manifest.library_versions if run.manifest else {}


def _tiles(run: RunContents) -> list[Tile]:
    trained = trained_checkpoint(run)
    before = run.cell("base", run.short_suite, "single_pass")
    after = run.cell(trained, run.short_suite, "single_pass")
    tiles = []
    for title, k in (("Right at the first try", 1), (f"Right within {NUM_TRIES} tries", NUM_TRIES)):
        start, end = accuracy(before, k=k), accuracy(after, k=k)
        if start and end:
            tiles.append(
                Tile(
                    title=title,
                    value=f"{end.value:.0%}",
                    before=f"{start.value:.0%}",
                    note=f"{run.short_suite} lengths, base to {trained}",
                )
            )
    tiles += _memory_tiles(run)
    if run.rows:
        switches = f"{len(run.stages)} stages" if len(run.stages) > 1 else run.stages[0].stage
        tiles.append(Tile(title="Optimizer steps", value=str(len(run.rows)), note=switches))
    return tiles


def _memory_tiles(run: RunContents) -> list[Tile]:
    tiles = []
    for suite in LONG_SUITES:
        start = accuracy(run.cell("base", suite, "memory"))
        ends = ((name, accuracy(run.cell(name, suite, "memory"))) for name in ("final", "memory"))
        name, end = next((each for each in ends if each[1]), ("", None))
        if start and end:
            tiles.append(
                Tile(
                    title=f"Agent, {in_windows(suite)}",
                    value=f"{end.value:.0%}",
                    before=f"{start.value:.0%}",
                    note=f"memory agent, base to {name}",
                )
            )
    return tiles
