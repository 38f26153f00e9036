"""Write merge_report.html: what a merge took from each model, as one file without a network."""

from importlib.resources import files
from pathlib import Path

from longloom.errors import ModelError
from longloom.merging import MergeReport
from longloom.report.merge_contents import MergeContents, Part, merge_contents
from longloom.report.merge_figures import kind_figures, layer_figures, to_percent
from longloom.runlog import atomic_write_bytes

MERGE_PAGE_NAME = "merge_report.html"
"""Name within the merged folder."""


def write_merge_page(folder: Path, report: MergeReport) -> None:
    """Write `merge_report.html` into a merged folder, whole or not at all.

    Raises:
        ModelError: it cannot be written.
    """
    page = render_merge(merge_contents(report))
    atomic_write_bytes(
        folder / MERGE_PAGE_NAME, page.encode("utf-8", "replace"), error_class=ModelError
    )


def render_merge(contents: MergeContents) -> str:
    """Return the page of a merge."""
    import jinja2
    from markupsafe import Markup

    folder = files("longloom.report").joinpath("templates")
    environment = jinja2.Environment(
        loader=jinja2.DictLoader(
            {"merge.html.j2": folder.joinpath("merge.html.j2").read_text("utf-8")}
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(markup=Markup, percent=to_percent)
    return environment.get_template("merge.html.j2").render(
        report=contents.report,
        names=contents.names,
        whole=contents.whole,
        outside=contents.outside,
        layer_figures=layer_figures(contents),
        kind_figures=kind_figures(contents),
        # A file of the package: no name of a model is in it.
        style=Markup(folder.joinpath("report.css").read_text("utf-8")),
    )


def merge_table(report: MergeReport) -> list[tuple[str, ...]]:
    """Return what each model contributed, as rows of words; the first row is the heading."""
    contents = merge_contents(report)
    rows: list[tuple[str, ...]] = [("model", "weight", "moved", "held", "most weight in")]
    for model, name in enumerate(contents.names):
        rows.append(
            (
                name,
                f"{contents.whole.weights[model]:.3f}",
                to_percent(contents.whole.relative_changes[model]),
                to_percent(contents.whole.retained_fractions[model]),
                _heaviest(contents, model),
            )
        )
    return rows


def _heaviest(contents: MergeContents, model: int) -> str:
    """Return the layer in which a model has most weight, if layers differ."""
    parts: dict[int, Part] = contents.by_layer
    if not parts:
        return "-"
    weights = {layer: part.weights[model] for layer, part in sorted(parts.items())}
    heaviest = max(weights, key=lambda layer: weights[layer])
    if weights[heaviest] - min(weights.values()) < 5e-4:
        return "all layers alike"
    return f"layer {heaviest} ({weights[heaviest]:.3f})"
