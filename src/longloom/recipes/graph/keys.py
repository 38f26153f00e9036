"""What decides the content of each part of a run, and its key.

Pure functions of the settings and of digests of what is read. A part's key is a digest of

    its kind and format, its own lasting settings, the shared settings that it reads, and the keys
    of the parts that it starts from

and of nothing else. What only says how a part is carried out or shown is left out: device, batch
and cache sizes, threads, the judge's address, trackers, how often a checkpoint is written. Bits
may differ by rounding where those differ; what is learned does not.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from longloom.recipes.evaluation_jobs import EvaluationJob
from longloom.recipes.resume import judge_identity, lasting_engine
from longloom.recipes.run_config import RunConfig, StageConfig
from longloom.recipes.run_examples import (
    MEMORY_TRAINING,
    QUESTIONS,
    answers_set,
    window_tokens,
)
from longloom.recipes.woven_config import WovenConfig
from longloom.runlog.digests import joined_digest
from longloom.runlog.stage_index import NodeKind
from longloom.text.prompts import prompt_version

FORMAT_VERSIONS: Mapping[NodeKind, int] = {
    NodeKind.EXAMPLES: 1,
    NodeKind.STAGE: 1,
    NodeKind.CELL: 1,
}
"""Raised when the same settings would give other content: earlier results are then not used."""

_LONG_SYNTHESIS = (
    "held_out_fraction", "max_block_tokens", "max_hops", "max_name_tokens",
    "max_questions_per_answer", "prose_fraction",
)  # fmt: skip
"""Settings of synthesis that questions on long documents read."""
_HOW_OFTEN_SAVED = {"checkpoints": {"every_steps", "keep_last"}}

Plain = dict[str, object]
"""Settings as JSON values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Digests:
    """What a run reads beside its settings, told apart by content."""

    base: str
    """The model that the recipe starts from."""
    tokenizer: str
    """What makes tokens of a chat in that model's folder."""
    documents: str
    """The documents that questions are made from."""
    woven: str = ""
    """The documents, or the folder, that woven questions come from; empty if there are none."""
    rows_by_stage: Mapping[str, str] = field(default_factory=dict)
    """The file of chats of each stage of supervised fine-tuning that has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """A part that another one starts from."""

    name: str
    """Its name."""
    key: str
    """Its key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingredients:
    """Everything that decides the content of a part."""

    kind: NodeKind
    """What it is."""
    settings: Plain
    """Settings and digests that it reads."""
    parents: tuple[Parent, ...]
    """What it starts from, in the order in which it reads them."""

    @property
    def key(self) -> str:
        """Their digest; the names of parents do not count, for nothing reads them."""
        settings = json.dumps(self.settings, sort_keys=True)
        parts = [self.kind, str(FORMAT_VERSIONS[self.kind]), settings]
        return joined_digest([*parts, *(parent.key for parent in self.parents)])


def examples_ingredients(config: RunConfig, name: str, digests: Digests) -> Ingredients:
    """Return what decides a set of examples, of any of the names of `set_names`."""
    synthesis = config.synthesis.model_dump(
        mode="json", exclude={"documents", "seed", "template"}
    ) | {"max_name_tokens": config.synthesis.longest_name_tokens}
    settings: Plain = {
        "documents": digests.documents,
        "tokenizer": digests.tokenizer,
        "prompts": prompt_version(),
        "seed": config.seed,
        "template": config.template,
    }
    stages = [stage for stage in config.stages if answers_set(stage) == name]
    if name == QUESTIONS and config.woven is not None:
        settings["documents"] = digests.woven
        settings["woven"] = _woven_settings(config.woven)
    elif name == QUESTIONS:
        settings["synthesis"] = synthesis
    elif stages:
        counts = {
            "num_train_examples": stages[0].num_worked_answers,
            "num_held_out_examples": 0,
        }
        settings["synthesis"] = {**synthesis, **counts}
        settings["purpose"] = "worked answers"
    else:
        settings["synthesis"] = {part: synthesis[part] for part in _LONG_SYNTHESIS}
        settings |= _long_settings(config, name)
    return Ingredients(kind=NodeKind.EXAMPLES, settings=settings, parents=())


def stage_ingredients(
    config: RunConfig, stage: StageConfig, digests: Digests, parents: Sequence[Parent]
) -> Ingredients:
    """Return what decides the model of a stage.

    Args:
        config: the run.
        stage: one of its stages.
        digests: of what the run reads.
        parents: the checkpoints that the stage reads, then its examples.
    """
    return Ingredients(
        kind=NodeKind.STAGE,
        settings=_stage_settings(config, stage, digests),
        parents=tuple(parents),
    )


def cell_ingredients(
    config: RunConfig, job: EvaluationJob, parents: Sequence[Parent]
) -> Ingredients:
    """Return what decides an evaluation cell.

    Args:
        config: the run.
        job: the cell.
        parents: its checkpoint, then its examples.
    """
    settings: Plain = {
        "suite": job.suite,
        "agent": job.agent,
        "num_samples": job.num_samples,
        "max_prompt_tokens": job.max_prompt_tokens,
        "min_prompt_tokens": job.min_prompt_tokens,
        "max_response_tokens": job.max_response_tokens,
        "temperature": config.evaluation.temperature,
        "top_p": config.evaluation.top_p,
        "seed": config.seed,
        "prompts": prompt_version(),
        "dtype": config.engine.dtype,
        "reward": config.reward.model_dump(mode="json"),
        "judge": judge_identity(config.judge),
    }
    if not job.suite.startswith("windows-"):
        settings["num_questions"] = config.evaluation.num_questions
    if job.agent == "memory":
        settings["memory"] = config.memory.model_dump(mode="json")
    elif job.agent != "closed_book":
        settings["template"] = config.template
    return Ingredients(kind=NodeKind.CELL, settings=settings, parents=tuple(parents))


def _stage_settings(config: RunConfig, stage: StageConfig, digests: Digests) -> Plain:
    if stage.merge is not None:
        return {"kind": stage.kind, "merge": stage.merge.model_dump(mode="json")}
    settings: Plain = {
        "kind": stage.kind,
        "name": stage.name,  # names the random streams
        "yarn": stage.yarn.model_dump(mode="json") if stage.yarn else None,
        "seed": config.seed,
        "engine": lasting_engine(config.engine),
    }
    if config.cluster is not None:  # it samples otherwise, and rounds otherwise
        settings["on"] = "verl"
        if config.cluster.overrides:
            settings["overrides"] = config.cluster.overrides
    if stage.sft is not None:
        settings["sft"] = stage.sft.model_dump(mode="json", exclude=_HOW_OFTEN_SAVED)
        settings["rows"] = digests.rows_by_stage.get(stage.name, "")
        return settings
    assert stage.training is not None
    settings |= {
        "training": stage.training.model_dump(mode="json", exclude=_HOW_OFTEN_SAVED),
        "reward": config.reward.model_dump(mode="json"),
        "judge": judge_identity(config.judge),
        "prompts": prompt_version(),
    }
    if stage.kind == "memory":
        settings["memory"] = config.memory.model_dump(mode="json")
    else:
        settings["template"] = config.template
    return settings


def _woven_settings(woven: WovenConfig) -> Plain | None:
    """Return how questions are woven; None where a folder has them."""
    if woven.folder:
        return None
    return woven.synthesis.model_dump(mode="json", exclude={"documents", "seed", "template"})


def _long_settings(config: RunConfig, name: str) -> Plain:
    if name == MEMORY_TRAINING:
        return {
            "num_tokens": config.memory_document_tokens,
            "num_examples": config.num_memory_examples,
            "split": "train",
        }
    windows = int(name.removeprefix("windows-"))
    return {
        "windows": windows,  # shifts the seed
        "num_tokens": windows * window_tokens(config),
        "num_examples": config.evaluation.num_documents,
        "split": "held_out",
    }
