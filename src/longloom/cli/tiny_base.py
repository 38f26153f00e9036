"""`longloom tiny-base`: build the tiny base model."""

from typing import TYPE_CHECKING, Annotated

import typer

from longloom.cli.console import print_step, print_table, shown_path
from longloom.cli.options import NewFolder
from longloom.errors import ModelError

if TYPE_CHECKING:
    from longloom.recipes.tiny_base.pretrain import PretrainProgress


def tiny_base(
    output: NewFolder,
    seed: Annotated[int, typer.Option(help="The same seed gives the same weights.")] = 0,
) -> None:
    """Build the tiny base model from a seed: a long computation on one processor."""
    from longloom.recipes import api

    if output.exists():
        raise ModelError(f"{output} exists already; choose another folder or remove it")
    print("making questions; then training, a line every 50 batches", flush=True)
    measures = api.tiny_base(output, seed=seed, report=_show)
    rows = [
        (
            task.value, f"{found.num_examples}", f"{found.mean_reward:.3f}",
            f"{found.pass_at_1:.3f}", f"{found.pass_at_8:.3f}", f"{found.closed_book:.3f}",
        )
        for task, found in measures.by_task.items()
    ]  # fmt: skip
    print_table([("task", "questions", "reward", "pass@1", "pass@8", "closed book"), *rows])
    print(f"\nmemory updates in the right form: {measures.memory_format_fraction:.1%}")
    print(f"model: {shown_path(output)}")


def _show(progress: "PretrainProgress") -> None:
    done = f"{progress.num_tokens / 1e6:6.2f}M of {progress.total_tokens / 1e6:.2f}M"
    print_step(progress.phase, {"tokens": done, "loss": progress.loss_nats})
