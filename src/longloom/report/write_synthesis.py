"""Write report.html of a set of questions: one file, no network, no framework."""

from importlib.resources import files
from pathlib import Path
from statistics import median

from longloom.report.column_chart import ColumnChart, compact, render_columns
from longloom.report.rollout_pages import embed_json
from longloom.report.synthesis_contents import SynthesisContents, read_synthesis
from longloom.report.synthesis_pages import examples_payload
from longloom.report.synthesis_tables import (
    ability_matrix,
    collections,
    depth_columns,
    evidence_map,
    genre_matrix,
    left_out,
    length_columns,
    number_columns,
    refusals,
    task_name,
    task_order,
    task_shapes,
    words,
)
from longloom.report.write import Tile
from longloom.runlog import RunFolder, atomic_write_bytes

NUM_EXAMPLES = 300
"""Questions on the page."""
SAMPLE_SEED = 0
"""The same folder gives the same page."""


def write_synthesis_report(folder: Path) -> Path:
    """Write `report.html` into a folder of `longloom synthesize` and return its path.

    Raises:
        DataError: a file is missing or damaged, or the report cannot be written.
    """
    contents = read_synthesis(folder)
    payload = examples_payload(contents, num_examples=NUM_EXAMPLES, seed=SAMPLE_SEED)
    page = render_synthesis(contents, examples_json=payload)
    target = RunFolder(folder).report_file
    # Text of a document may hold half a surrogate pair, which UTF-8 cannot.
    atomic_write_bytes(target, page.encode("utf-8", "replace"))
    return target


def render_synthesis(contents: SynthesisContents, *, examples_json: str) -> str:
    """Return the page of a set of questions.

    Args:
        contents: what was read from its folder.
        examples_json: see `examples_payload`; safe inside a script element.
    """
    import jinja2
    from markupsafe import Markup

    folder = files("longloom.report").joinpath("templates")
    names = ("synthesis.html.j2", "counts.html.j2")
    sources = {name: folder.joinpath(name).read_text("utf-8") for name in names}
    environment = jinja2.Environment(
        loader=jinja2.DictLoader(sources),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        markup=Markup, compact=compact, count=_count, share=_share, words=words
    )
    tasks = task_order(contents)
    style = [folder.joinpath(name).read_text("utf-8") for name in ("report.css", "synthesis.css")]
    return environment.get_template("synthesis.html.j2").render(
        contents=contents,
        name=contents.path.resolve().name,
        tally=contents.tally,
        tiles=_tiles(contents),
        tasks=[(task_name(task), contents.tally.tasks[task]) for task in tasks],
        charts=_charts(contents),
        abilities=ability_matrix(contents),
        genres=genre_matrix(contents),
        evidence=evidence_map(contents),
        shapes=task_shapes(contents),
        task_name=task_name,
        collections=collections(contents),
        licences=contents.tally.licences.most_common(24),
        dropped=sorted(contents.counts("dropped_documents").items(), key=lambda pair: -pair[1]),
        refusals=refusals(contents),
        left_out=left_out(contents),
        # Files of the package and `embed_json`: no text of a document is in these.
        style=Markup("\n".join(style)),
        script=Markup(folder.joinpath("synthesis.js").read_text("utf-8")),
        examples_json=Markup(examples_json),
        task_names=Markup(embed_json({task: task_name(task) for task in tasks})),
    )


def _count(number: int | float) -> str:
    return f"{number:,.0f}"


def _share(number: int | float, total: int | float) -> float:
    """Return a share in percent; of nothing it is 0."""
    return round(100 * number / total, 1) if total else 0.0


def _tiles(contents: SynthesisContents) -> list[Tile]:
    tally = contents.tally
    lengths = list(tally.context_ids.values())
    held_out = tally.splits.get("held_out", 0)
    to_train = tally.num_examples - held_out
    tiles = [
        Tile(
            title="Questions",
            value=_count(tally.num_examples),
            note=f"{_count(to_train)} to train on, {_count(held_out)} held out",
        ),
        Tile(
            title="Contexts",
            value=_count(len(lengths)),
            note=f"{compact(median(lengths))} tokens in the middle, {compact(max(lengths))} at most"
            if lengths
            else "",
        ),
        Tile(
            title="Need several",
            value=f"{_share(tally.num_with_several, tally.num_examples):.0f}%",
            note=f"{_count(tally.num_with_several)} questions need more than one document",
        ),
        Tile(
            title="Program shapes",
            value=_count(sum(len(shapes) for shapes in tally.shapes.values())),
            note="programs that differ in more than names and numbers",
        ),
    ]
    if contents.documents:
        tokens = sum(document.num_tokens for document in contents.documents.values())
        note = f"{compact(tokens)} tokens from {len(collections(contents))} sources"
        tile = Tile(title="Documents", value=_count(len(contents.documents)), note=note)
        tiles.insert(2, tile)
    return tiles


def _charts(contents: SynthesisContents) -> dict[str, str]:
    tally = contents.tally
    return {
        "length": render_columns(
            ColumnChart(
                title="Questions by length of their context",
                columns=length_columns(contents),
                x_label="tokens of the context",
                width=1080,
                height=230,
            )
        ),
        "depth": render_columns(
            ColumnChart(
                title="Evidence by place in its context",
                columns=depth_columns(contents),
                x_label="place in the context, from",
                unit="pieces of evidence",
                colour="c1",
            )
        ),
        "hops": render_columns(
            ColumnChart(
                title="Questions by hops",
                columns=number_columns(tally.hops),
                x_label="hops",
                colour="c2",
            )
        ),
        "golds": render_columns(
            ColumnChart(
                title="Questions by number of documents needed",
                columns=number_columns(tally.golds),
                x_label="documents needed",
                colour="c3",
            )
        ),
    }
