"""What a synthesis will do, from its settings and the names and sizes of its files alone."""

from collections import Counter
from dataclasses import dataclass

from longloom.recipes.recipe_yaml import recipe_yaml
from longloom.synthesis.config import SynthesisConfig
from longloom.synthesis.documents.files import find_files
from longloom.synthesis.endpoint.destinations import describe_places
from longloom.synthesis.endpoint.plan import (
    WITHOUT_ENDPOINT,
    PlannedUse,
    endpoint_by_use,
    plan_lines,
    planned_uses,
)
from longloom.synthesis.reading import shards_of

_STEPS = ("read", "decide", "settle", "weave", "select", "write")
_STEPS_WITH_MODELS = (
    "read", "decide", "judge and read prose", "settle", "weave", "ask", "check", "select", "write",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesisPlan:
    """The size of a synthesis."""

    num_files: int
    """Files to read."""
    num_bytes: int
    """Their size."""
    num_shards: int
    """Shards they are read in."""
    num_files_by_licence: dict[str, int]
    """Files by the licence their folder states."""
    steps: tuple[str, ...]
    """The steps, in order."""
    uses: tuple[PlannedUse, ...]
    """What models are asked for; empty without an endpoint."""
    places: tuple[str, ...]
    """Where documents are sent, a line each."""

    @property
    def lines(self) -> list[str]:
        """The plan as lines for the console."""
        licences = ", ".join(f"{name}: {n}" for name, n in self.num_files_by_licence.items())
        lines = [
            f"files: {self.num_files:,} ({self.num_bytes:,} bytes) in {self.num_shards} shards",
            f"licences: {licences}",
            f"steps: {' -> '.join(self.steps)}",
        ]
        if not self.uses:
            return [*lines, f"plan: {WITHOUT_ENDPOINT}"]
        return [
            *lines,
            "documents that are kept will be sent to:",
            *self.places,
            "model calls:",
            *plan_lines(self.uses),
        ]


def plan_synthesis(config: SynthesisConfig) -> SynthesisPlan:
    """Return the plan; nothing is opened but folders and their licence files.

    Raises:
        DataError: documents do not exist.
    """
    files = [file for source in config.documents for file in find_files(source)]
    num_bytes = sum(file.num_bytes for file in files)
    endpoint = config.endpoint
    return SynthesisPlan(
        num_files=len(files),
        num_bytes=num_bytes,
        num_shards=len(shards_of(files)),
        num_files_by_licence=dict(Counter(file.licence for file in files).most_common()),
        steps=_STEPS if endpoint is None else _STEPS_WITH_MODELS,
        uses=planned_uses(
            endpoint,
            num_documents=len(files),
            num_bytes=num_bytes,
            num_questions=config.num_examples,
        )
        if endpoint is not None
        else (),
        places=tuple(describe_places(endpoint_by_use(endpoint))) if endpoint is not None else (),
    )


def describe_plan(config: SynthesisConfig) -> str:
    """Return the resolved settings as YAML, and below them the plan.

    Raises:
        DataError: documents do not exist.
    """
    return "\n".join([recipe_yaml(config, is_commented=False), *plan_synthesis(config).lines])
