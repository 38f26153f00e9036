"""The arguments of an evaluation, and what they come to."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from longloom.config import apply_overrides, overrides_of, parse_config
from longloom.errors import ConfigError
from longloom.evaluation.asking.one_answer import CLOSED_BOOK, SINGLE_PASS
from longloom.evaluation.asking.settings import AskingConfig
from longloom.models.endpoint.config import EndpointConfig
from longloom.recipes.evaluating.evaluation_run import MEMORY, EvaluationPlan
from longloom.recipes.evaluating.targets import Targets, resolve_targets
from longloom.recipes.model_source import TINY_BASE
from longloom.recipes.run_config import RunConfig
from longloom.recipes.verbs.read_model import ReadModel
from longloom.records import Split
from longloom.rewards.judge_config import JudgeConfig

AGENTS = (SINGLE_PASS, MEMORY, CLOSED_BOOK)
"""How a model can be asked."""
GENERATED = Path("runs") / "benchmarks"
"""Where benchmarks are written that are generated or downloaded."""
_LOCAL_CONCURRENCY = 128
"""A model in this process answers so many questions as one batch."""

Targeted = Sequence[str | Path] | str | Path
"""Suites, benchmarks and folders of examples: one of them, or several."""


class EvaluationSettings(TypedDict, total=False):
    """The keyword arguments of `evaluate` and `plan_evaluation`."""

    model: Path | str | ReadModel
    """A model folder, `tiny-base` (the default), or a `ReadModel` for a server."""
    agent: str
    """`single_pass` (prompts that are too long lose their middle; the default), `memory` section by
    section, or `closed_book` without the context."""
    files: Path | str | None
    """Folder with the official files, in a folder for each benchmark."""
    split: str
    """`held_out` (the default) or `train`, of examples."""
    num_samples: int | None
    """Answers per question; the benchmark's own number if not given."""
    max_questions: int | None
    """Ask so many questions of each benchmark, chosen by the seed."""
    recipe: str | None
    """Whose settings are used for examples and the memory agent; by the model's size if not
    given."""
    overrides: Sequence[str]
    """Changed settings as `asking.a=b`, `memory.a=b`, `reward.a=b`, `endpoint.a=b`, and
    `judge.a=b`."""
    seed: int | None
    """Seed of sampling and of what is generated."""
    judge: str | None
    """Address of the judge; its key is read from the environment (`LONGLOOM_API_KEY`)."""
    judge_model: str | None
    """The judge's name there."""
    download: bool
    """Take missing official files from the hub."""


def resolve_request(
    targets: Targeted, settings: EvaluationSettings
) -> tuple[ReadModel, EvaluationPlan, EndpointConfig | None]:
    """Return who is asked, what, and how its server is reached.

    Raises:
        ConfigError: a setting is refused.
        DataError: official files are missing, or cannot be downloaded.
    """
    named = settings.get("model", TINY_BASE)
    model = named if isinstance(named, ReadModel) else ReadModel(model=str(named))
    model.check()
    agent, split = settings.get("agent", SINGLE_PASS), settings.get("split", Split.HELD_OUT)
    _check_known("agent", agent, AGENTS)
    _check_known("split", split, tuple(Split))
    seed, files = settings.get("seed"), settings.get("files")
    connecting, overrides = overrides_of("endpoint", settings.get("overrides", ()))
    stated, overrides = overrides_of("asking", overrides)
    judging: Sequence[str] = ()
    if settings.get("judge") is not None:
        judging, overrides = overrides_of("judge", overrides)
    connection = model.connection(connecting)
    config = model.config(settings.get("recipe"), overrides, seed)
    config = config.replace(judge=_judge(config, settings, judging))
    names = [str(name) for name in ([targets] if isinstance(targets, str | Path) else targets)]
    found = resolve_targets(
        names,
        config=config,
        split=split,
        files=None if files is None else Path(files),
        generated=GENERATED,
        download=settings.get("download", False),
        seed=config.seed,
    )
    is_local = model.endpoint is None
    plan = EvaluationPlan(
        config=config,
        targets=found,
        asking=_asking(found, settings, stated, is_local=is_local),
        agent=agent,
        overrides=overrides,
        judge=config.judge,
        is_local=is_local,
        places={
            "named": [str(Path(name).resolve()) if Path(name).is_dir() else name for name in names],
            "files": None if files is None else str(Path(files).resolve()),
            "generated": str(GENERATED.resolve()),
            "split": str(split),
        },
    )
    return model, plan, connection


def _check_known(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise ConfigError(f"{name} {value!r} is unknown; expected one of {', '.join(known)}")


def _asking(
    targets: Targets, settings: EvaluationSettings, stated: Sequence[str], *, is_local: bool
) -> AskingConfig:
    """Return how it is asked: defaults, then what the targets bring, then what was stated."""
    asking = AskingConfig().model_dump() | dict(targets.settings)
    if is_local:
        asking["concurrency"] = _LOCAL_CONCURRENCY
    else:
        # Only of models trained here is it known that they think.
        asking["thinking"] = "auto"
    named = {
        "seed": settings.get("seed"),
        "num_samples": settings.get("num_samples"),
        "max_questions": settings.get("max_questions"),
    }
    asking |= {name: value for name, value in named.items() if value is not None}
    named_settings = [f"asking.{override}" for override in stated]  # as errors shall name them
    changed = apply_overrides({"asking": asking}, named_settings)["asking"]
    assert isinstance(changed, dict)
    return parse_config(AskingConfig, changed)


def _judge(
    config: RunConfig, settings: EvaluationSettings, overrides: Sequence[str]
) -> JudgeConfig | None:
    url, name = settings.get("judge"), settings.get("judge_model")
    if (url is None) != (name is None):
        raise ConfigError(
            f"judge is {url!r} and the judge's name {name!r}; expected both or neither "
            "(--judge URL --judge-model NAME)"
        )
    if url is None:
        return config.judge
    plain = parse_config(JudgeConfig, {"endpoint": {"url": url, "model": name}})
    return parse_config(JudgeConfig, apply_overrides(plain.model_dump(), overrides))
