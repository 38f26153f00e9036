"""`longloom synthesize`: weave documents into verified long-context questions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from longloom.cli.console import print_table, shown_path
from longloom.cli.options import Overrides, RayAddress, Seed, UsesRay

if TYPE_CHECKING:
    from longloom.synthesis.verification import VerificationReport

_SHOWN_FINDINGS = 20


def synthesize(
    documents: Annotated[
        list[str] | None, typer.Argument(help="Folders, files, or `builtin`.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder to write or to continue.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="Model folder whose tokens count; `estimate`: about Qwen3's.")
    ] = "estimate",
    num_examples: Annotated[int | None, typer.Option(help="Questions at most.")] = None,
    mix: Annotated[
        str | None, typer.Option(help="`qwenlong-l15` (default), `docqa-rl` or `uniform`.")
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="Address of a model to ask; its key: LONGLOOM_API_KEY.")
    ] = None,
    model_name: Annotated[str | None, typer.Option(help="Its name at the endpoint.")] = None,
    num_workers: Annotated[int | None, typer.Option("--workers", help="Processes.")] = None,
    uses_ray: UsesRay = False,
    ray_address: RayAddress = None,
    verify: Annotated[
        Path | None, typer.Option(help="Execute this folder's examples again, and nothing else.")
    ] = None,
    overrides: Overrides = None,
    seed: Seed = None,
    is_dry: Annotated[
        bool, typer.Option("--dry-run", help="Print settings and plan; touch nothing.")
    ] = False,
) -> int:
    """Weave documents into verified questions over long contexts."""
    from longloom.cli.run_console import RunConsole
    from longloom.recipes import api
    from longloom.recipes.verbs.synthesis_plan import describe_plan
    from longloom.recipes.verbs.synthesize import synthesis_config

    if verify is not None:
        with RunConsole() as console:
            report = api.verify(verify, progress=console.on_progress)
        return _print_report(report)
    if not documents or output is None:
        raise typer.BadParameter("expected DOCUMENTS... and --output, or --verify FOLDER")
    if is_dry:
        config = synthesis_config(
            documents, num_examples, mix, overrides or (), seed, endpoint, model_name
        )
        print(describe_plan(config))
        return 0
    with RunConsole() as console:
        made = api.synthesize(
            documents,
            output=output,
            model=model,
            num_examples=num_examples,
            mix=mix,
            endpoint=endpoint,
            model_name=model_name,
            overrides=overrides or (),
            seed=seed,
            num_workers=num_workers,
            ray_address=ray_address if ray_address is not None else "" if uses_ray else None,
            progress=console.on_progress,
            notify=console.on_message,
        )
    by_task = made.summary["by_task"]
    print_table([("task", "questions"), *((task, f"{count}") for task, count in by_task.items())])
    dropped = ", ".join(f"{n} {why}" for why, n in made.summary["dropped_documents"].items())
    print(f"\n{made.num_examples} questions on {made.num_contexts} contexts")
    documents_line = f"{made.summary['num_documents']} documents; left out: {dropped or 'none'}"
    print(documents_line, f"examples: {shown_path(output)}", sep="\n")
    return 0


def _print_report(report: "VerificationReport") -> int:
    for finding in report.findings[:_SHOWN_FINDINGS]:
        print(f"{finding.example_id}: {finding.problem}")
    if num_more := max(0, len(report.findings) - _SHOWN_FINDINGS):
        print(f"... and {num_more} more")
    seen = f"{report.num_examples} examples and {report.num_spans} spans executed again"
    print(f"{seen}: {len(report.findings)} wrong")
    if report.num_without_program:
        print(f"{report.num_without_program} imported examples have no program to execute")
    return 1 if report.findings else 0
