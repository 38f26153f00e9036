"""The pictures of a merge: what each model contributed, layer by layer and kind by kind."""

from collections.abc import Callable

from longloom.report.cell_chart import CellChart, render_cells
from longloom.report.charts import LineChart, Series, render_line_chart
from longloom.report.curves import Figure
from longloom.report.merge_contents import MergeContents, Part

_COLOURS = ("c0", "c1", "c2", "c3", "c4", "c5")


def layer_figures(contents: MergeContents) -> tuple[Figure, ...]:
    """Return the charts over layers that have points."""
    figures = (
        _lines(
            contents,
            "Weight",
            "Of each model in the merge, mean over the elements of a layer.",
            lambda part: part.weights,
            "{:.3f}".format,
        ),
        _lines(
            contents,
            "How far the models moved",
            "Norm of a layer's change over the norm of the pivot's layer; dashed: the merge.",
            lambda part: (*part.relative_changes, part.relative_merged_change),
            to_percent,
        ),
        _lines(
            contents,
            "What the merge holds of each model",
            "Its change along a model's change, over that change: 100% holds it whole.",
            lambda part: part.retained_fractions,
            to_percent,
        ),
        _lines(
            contents,
            "Sign conflicts",
            "Positions at which models changed the pivot in opposite directions.",
            lambda part: (part.sign_conflict_fraction,),
            to_percent,
        ),
    )
    return tuple(figure for figure in figures if figure.svg)


def kind_figures(contents: MergeContents) -> tuple[Figure, ...]:
    """Return the charts of kinds against layers, with one scale for all models."""
    parts = contents.by_cell.values()
    furthest = max((max(part.relative_changes) for part in parts), default=0.0)
    conflicts = max((part.sign_conflict_fraction for part in parts), default=0.0)
    figures = [_weight_cells(contents, model) for model in range(len(contents.names))]
    figures += [_movement_cells(contents, model, furthest) for model in range(len(contents.names))]
    figures.append(
        _cells(
            contents,
            "Sign conflicts",
            lambda part: part.sign_conflict_fraction,
            highest=conflicts,
            colour="c4",
            format_value=to_percent,
        )
    )
    return tuple(figure for figure in figures if figure.svg)


def to_percent(value: float) -> str:
    """Return a share in percent with three digits."""
    return f"{100 * value:.3g}%"


def _lines(
    contents: MergeContents,
    title: str,
    note: str,
    values: Callable[[Part], tuple[float, ...]],
    format_value: Callable[[float], str],
) -> Figure:
    """Return one line per model, and one for the merge or the positions; from 0 upwards."""
    names = contents.names
    series = []
    num_lines = len(values(contents.whole))
    for line in range(num_lines):
        is_model = num_lines >= len(names) and line < len(names)
        name = names[line] if is_model else ("positions" if num_lines == 1 else "merge")
        points = tuple(
            (float(layer), values(contents.by_layer[layer])[line]) for layer in contents.layers
        )
        colour = _COLOURS[line % len(_COLOURS)] if is_model else ("c4" if num_lines == 1 else "c5")
        style = "" if is_model or num_lines == 1 else "dashed"
        series.append(Series(name=name, colour=colour, pieces=(points,), style=style))
    chart = LineChart(title=title, series=tuple(series), x_label="layer", format_value=format_value)
    legend = tuple((f"{each.colour} {each.style}".strip(), each.name) for each in series)
    return Figure(
        title=title,
        note=note,
        svg=render_line_chart(chart),
        legend=legend if num_lines > 1 else (),
    )


def _weight_cells(contents: MergeContents, model: int) -> Figure:
    return _cells(
        contents,
        f"Weight of {contents.names[model]}",
        lambda part: part.weights[model],
        highest=1.0,
        colour=_COLOURS[model % len(_COLOURS)],
        format_value="{:.3f}".format,
    )


def _movement_cells(contents: MergeContents, model: int, furthest: float) -> Figure:
    return _cells(
        contents,
        f"How far {contents.names[model]} moved",
        lambda part: part.relative_changes[model],
        highest=furthest,
        colour=_COLOURS[model % len(_COLOURS)],
        format_value=to_percent,
    )


def _cells(
    contents: MergeContents,
    title: str,
    value: Callable[[Part], float],
    *,
    highest: float,
    colour: str,
    format_value: Callable[[float], str],
) -> Figure:
    chart = CellChart(
        title=title,
        rows=contents.kinds,
        columns=tuple(map(str, contents.layers)),
        value_by_cell={
            (kind, str(layer)): value(part) for (layer, kind), part in contents.by_cell.items()
        },
        highest=highest,
        format_value=format_value,
        colour=colour,
    )
    note = f"Full colour is {format_value(highest)}." if highest else "Nowhere."
    return Figure(title=title, note=note, svg=render_cells(chart))
