"""Templates of the package, filled with text that is escaped unless it was made here."""

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from longloom.report.column_chart import compact
from longloom.report.estimates import percent, signed_points

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_STYLES = ("report.css", "evaluation.css")


def render(template: str, *, scripts: tuple[str, ...] = (), **values: Any) -> str:
    """Return a page.

    Args:
        template: its file among the package's templates.
        scripts: files of the package that run in it.
        values: what the template shows; strings are escaped.
    """
    return (
        _environment()
        .get_template(template)
        .render(
            # Files of the package: no text of a document or a model is in these.
            style=markup("\n".join(_packaged(name) for name in _STYLES)),
            script=markup("\n".join(_packaged(name) for name in scripts)),
            **values,
        )
    )


def markup(text: str) -> "Markup":
    """Return markup that was made here and is not escaped again."""
    from markupsafe import Markup

    return Markup(text)


@cache
def _packaged(name: str) -> str:
    return files("longloom.report").joinpath("templates", name).read_text("utf-8")


@cache
def _environment() -> "Environment":
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_packaged),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        compact=compact,
        count=lambda number: f"{number:,.0f}",
        in_address=lambda text: quote(text, safe="", errors="replace"),
        markup=markup,
        on_axis=_on_axis,
        percent=percent,
        points=signed_points,
        words=lambda text: text.replace("_", " "),
    )
    return environment


def _on_axis(value: float, axis: tuple[float, float]) -> float:
    """Return where a value lies between the ends of an axis, in percent."""
    low, high = axis
    return round(100 * (value - low) / (high - low), 2)
