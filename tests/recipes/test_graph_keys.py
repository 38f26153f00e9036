"""Which settings change which parts of a run: every setting of a recipe is accounted for."""

from collections.abc import Iterator
from dataclasses import fields, replace
from itertools import permutations
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from longloom.config import parse_config
from longloom.engines.verl.cluster_config import ClusterConfig
from longloom.errors import ConfigError
from longloom.models.rotary import YarnConfig
from longloom.recipes.catalogue import load_config
from longloom.recipes.graph.keys import FORMAT_VERSIONS, Digests, Ingredients
from longloom.recipes.graph.nodes import RunGraph, build_graph
from longloom.recipes.run_config import RunConfig, StageConfig
from longloom.runlog import NodeKind
from longloom.training.sft import SftConfig

DIGESTS = Digests(base="b", tokenizer="t", documents="d", rows_by_stage={"sft": "r"})
JUDGE = {"endpoint": {"url": "http://127.0.0.1:1/v1", "model": "judge"}}

SETS = frozenset({"questions", "memory set", "windows-2", "windows-4", "windows-8"})
ANSWERS = frozenset({"answers-warm"})
TRAINED = frozenset({"sft", "warm", "stage-1", "stage-2", "stage-3", "memory", "final"})
STAGES = TRAINED | {"merged"}


def full_config() -> RunConfig:
    """Return a recipe with every kind of stage and every optional group given."""
    config = load_config("tiny-cpu", overrides=["engine.lora={rank: 4}", "memory.wording=full"])
    sft = StageConfig(name="sft", kind="sft", start="base", sft=SftConfig(), sft_rows="rows.jsonl")
    warm = StageConfig(name="warm", kind="sft", start="sft", sft=SftConfig(), num_worked_answers=5)
    first, *others = config.stages
    first = first.replace(start="warm", yarn=YarnConfig(original_window_tokens=4_096))
    return parse_config(
        RunConfig,
        {
            **config.model_dump(mode="json"),
            "judge": JUDGE,
            "stages": [stage.model_dump(mode="json") for stage in (sft, warm, first, *others)],
        },
    )


CONFIG = full_config()


def keys_of(graph: RunGraph) -> dict[str, str]:
    """Return the key of every part; the set and the stage `memory` apart."""
    named = {("memory set" if name == "memory" else name): n for name, n in graph.sets.items()}
    named |= dict(graph.stages) | {node.name: node for node in graph.cells}
    return {name: node.key for name, node in named.items()}


BEFORE = keys_of(build_graph(CONFIG, DIGESTS))


def changed_by(config: RunConfig, digests: Digests = DIGESTS) -> frozenset[str]:
    """Return the parts whose key another configuration changes, cells left out."""
    after = keys_of(build_graph(config, digests))
    return frozenset(
        name for name in BEFORE if "--" not in name and after.get(name) != BEFORE[name]
    )


def changed_cells(config: RunConfig, digests: Digests = DIGESTS) -> frozenset[str]:
    after = keys_of(build_graph(config, digests))
    return frozenset(name for name in BEFORE if "--" in name and after.get(name) != BEFORE[name])


def with_settings(**changes: Any) -> RunConfig:
    """Return the configuration with settings changed by whole names, `__` for dots."""
    plain = CONFIG.model_dump(mode="json")
    for name, value in changes.items():
        node: Any = plain
        *path, last = name.split("__")
        for step in path:
            node = node[int(step)] if isinstance(node, list) else node[step]
        node[last] = value
    return parse_config(RunConfig, plain)


PLACES = {stage.name: place for place, stage in enumerate(CONFIG.stages)}
AFTER = {
    "stage-1": TRAINED - {"sft", "warm"} | {"merged"},
    "stage-2": {"stage-2", "stage-3", "memory", "merged", "final"},
    "memory": {"memory", "merged", "final"},
    "merged": {"merged", "final"},
    "final": {"final"},
}
TABLE = [
    ({"seed": 5}, SETS | ANSWERS | STAGES),
    ({"template": "l1"}, SETS | ANSWERS | STAGES - {"sft"}),
    ({"synthesis__num_train_examples": 901}, {"questions"} | AFTER["stage-1"]),
    ({"synthesis__max_hops": 3}, SETS | ANSWERS | STAGES - {"sft"}),
    ({"memory__chunk_tokens": 161}, AFTER["memory"]),
    ({"num_memory_examples": 241}, {"memory set"} | AFTER["memory"]),
    ({"memory_document_tokens": 641}, {"memory set"} | AFTER["memory"]),
    ({"reward__requires_thinking": False}, AFTER["stage-1"]),
    ({"judge": None}, AFTER["stage-1"]),
    ({"judge__endpoint__model": "other"}, AFTER["stage-1"]),
    ({"engine__dtype": "bfloat16"}, STAGES),
    ({"engine__optimizer__weight_decay": 0.5}, STAGES),
    ({"engine__lora": None}, STAGES),
    ({f"stages__{PLACES['stage-2']}__training__learning_rate": 0.5}, AFTER["stage-2"]),
    ({f"stages__{PLACES['memory']}__training__num_steps": 27}, AFTER["memory"]),
    ({f"stages__{PLACES['merged']}__merge__select_topk": 0.5}, AFTER["merged"]),
    ({f"stages__{PLACES['merged']}__merged_stages": ["memory", "stage-3"]}, AFTER["merged"]),
    ({f"stages__{PLACES['final']}__start": "memory"}, AFTER["final"]),
    ({f"stages__{PLACES['stage-1']}__yarn": None}, AFTER["stage-1"]),
    ({f"stages__{PLACES['sft']}__sft__learning_rate": 0.5}, STAGES),
    ({f"stages__{PLACES['warm']}__num_worked_answers": 6}, ANSWERS | STAGES - {"sft"}),
    ({"evaluation__windows": [2, 4]}, {"windows-8"}),
    ({"evaluation__num_documents": 97}, {"windows-2", "windows-4", "windows-8"}),
    ({"evaluation__num_questions": 401}, set()),
    ({"evaluation__temperature": 0.5}, set()),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "parts"), TABLE, ids=lambda value: str(value)[:60])
def test_a_setting_changes_exactly_what_depends_on_it(changes, parts) -> None:
    assert changed_by(with_settings(**changes)) == parts


@pytest.mark.parametrize(
    "changes",
    [
        {"num_threads": 2},
        {"recipe": "mine"},
        {"model": "elsewhere"},
        {"synthesis__documents": "elsewhere", "synthesis__max_name_tokens": 1},
        {"synthesis__seed": 9},
        {"synthesis__template": "l1"},
        {"judge__endpoint__url": "http://127.0.0.1:2/v1"},
        {"judge__refused": "rule"},
        {"logged_groups": "all"},
        {"track": ["tensorboard"]},
        {"engine__device": "cpu"},
        {"engine__max_batch_tokens": 7},
        {"evaluation__in_background": True},
        {f"stages__{PLACES['sft']}__sft_rows": "moved.jsonl"},
        {f"stages__{PLACES['stage-1']}__training__checkpoints__every_steps": 5},
        {f"stages__{PLACES['stage-1']}__training__checkpoints__keep_last": 5},
    ],
    ids=str,
)
def test_how_a_run_is_carried_out_changes_nothing(changes) -> None:
    assert keys_of(build_graph(with_settings(**changes), DIGESTS)) == BEFORE


@pytest.mark.parametrize(
    ("digests", "parts"),
    [
        (replace(DIGESTS, base="x"), STAGES),
        (replace(DIGESTS, tokenizer="x"), SETS | ANSWERS | STAGES - {"sft"}),
        (replace(DIGESTS, documents="x"), SETS | ANSWERS | STAGES - {"sft"}),
        (replace(DIGESTS, rows_by_stage={"sft": "x"}), STAGES),
    ],
)
def test_what_is_read_changes_what_depends_on_it(digests, parts) -> None:
    assert changed_by(CONFIG, digests) == parts


def test_every_digest_is_read() -> None:
    for field in fields(Digests):
        if field.name != "woven":  # below
            other = {"sft": "x"} if field.name == "rows_by_stage" else "x"
            assert changed_by(CONFIG, replace(DIGESTS, **{field.name: other}))


def test_woven_questions_follow_their_settings_and_their_documents() -> None:
    def key(woven: dict[str, Any], digests: Digests = DIGESTS) -> str:
        return build_graph(with_settings(woven=woven), digests).sets["questions"].key

    woven = {"synthesis": {"documents": ["a"]}}
    assert changed_by(with_settings(woven=woven)) == {"questions"} | AFTER["stage-1"]
    assert key(woven) == key({"synthesis": {"documents": ["elsewhere"]}})
    assert key(woven) != key({"synthesis": {"documents": ["a"], "num_examples": 7}})
    assert key(woven) != key({"folder": "questions"})
    assert key(woven) != key(woven, replace(DIGESTS, woven="x"))
    assert key({"folder": "questions"}) != key({"folder": "q"}, replace(DIGESTS, woven="x"))


def test_cells_follow_their_checkpoint_their_questions_and_their_agent() -> None:
    everything = {name for name in BEFORE if "--" in name}
    assert changed_cells(with_settings(evaluation__temperature=0.5)) == everything
    counted = {name for name in everything if "windows" not in name}
    assert changed_cells(with_settings(evaluation__num_questions=401)) == counted
    trained = f"stages__{PLACES['final']}__training__learning_rate"
    finals = {name for name in everything if name.startswith("final--")}
    assert changed_cells(with_settings(**{trained: 0.5})) == finals
    agents = {name for name in everything if name.endswith("--memory")}
    later = {n for n in everything if n.split("--")[0] in AFTER["memory"]}
    assert changed_cells(with_settings(memory__chunk_tokens=161)) == agents | later
    other_template = changed_cells(with_settings(template="l1"))
    assert {name for name in everything if name.startswith("base--")} <= other_template


def test_order_of_the_file_does_not_matter() -> None:
    config = load_config("tiny-cpu")
    keys = keys_of(build_graph(config, DIGESTS))
    for stages in list(permutations(config.stages))[::97]:
        shuffled = config.replace(stages=stages)
        assert [stage.name for stage in shuffled.stages] == [s.name for s in config.stages]
        assert keys_of(build_graph(shuffled, DIGESTS)) == keys


def test_a_circle_is_named() -> None:
    plain = load_config("tiny-cpu").model_dump(mode="json")
    plain["stages"][0]["start"] = "stage-3"
    with pytest.raises(ConfigError, match="stage-1 <- stage-3 <- stage-2 <- stage-1"):
        parse_config(RunConfig, plain)


def test_a_start_that_is_not_there_is_named() -> None:
    plain = load_config("tiny-cpu").model_dump(mode="json")
    plain["stages"][1]["start"] = "stage-9"
    with pytest.raises(ConfigError, match="stage 'stage-2' needs checkpoint 'stage-9'"):
        parse_config(RunConfig, plain)


def test_a_format_version_is_part_of_the_key(monkeypatch) -> None:
    made_from = Ingredients(kind=NodeKind.STAGE, settings={"a": 1}, parents=())
    before = made_from.key
    monkeypatch.setitem(FORMAT_VERSIONS, NodeKind.STAGE, 99)
    assert made_from.key != before


# Every leaf of the configuration is changed by program, so that a new setting must be placed.

PASSING = {
    "recipe", "num_threads", "logged_groups", "track", "model",
    "synthesis.seed", "synthesis.template",
    "engine.device", "engine.max_batch_tokens", "engine.max_cache_tokens",
    "engine.gradient_checkpointing", "engine.check_memory", "engine.activation_offload",
    "evaluation.in_background",
    "stages.*.sft_rows", "stages.*.training.checkpoints.every_steps",
    "stages.*.training.checkpoints.keep_last", "stages.*.sft.checkpoints.every_steps",
    "stages.*.sft.checkpoints.keep_last",
}  # fmt: skip
"""Settings that decide no content: how a run is carried out or shown, or where things lie."""
BY_HAND = {
    "stages.*.name", "stages.*.kind", "stages.*.start", "stages.*.merged_stages",
    "stages.*.merge.weights", "stages.*.merge.method", "stages.*.sft.checkpoints.keep_best",
    "stages.*.training", "stages.*.sft", "stages.*.merge", "synthesis.documents", "woven",
    "cluster",
}  # fmt: skip
"""Settings that cannot be changed alone; the tables above have those of the graph."""


def leaves(model: BaseModel, above: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield (whole name, annotation, value) of every setting; judges are one setting."""
    for name, field in type(model).model_fields.items():
        value, path = getattr(model, name), f"{above}{name}"
        if isinstance(value, BaseModel) and path != "judge":
            yield from leaves(value, f"{path}.")
        elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
            for place, entry in enumerate(value):
                yield from leaves(entry, f"{path}.{place}.")
        else:
            yield path, field.annotation, value


def other_values(annotation: Any, value: Any) -> Iterator[Any]:
    """Yield values that a setting might have instead."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, max(0, value - 1), 2 * value + 3)
    elif isinstance(value, float):
        yield from (value * 1.01, value / 1.01, value + 0.01, 0.5)
    elif isinstance(value, list | tuple) and value:
        yield from (list(value)[1:], [*value, 999])
    yield from (option for option in literals(annotation) if option != value)
    yield from (7, 10_000, 0.5, True, "other", ["tensorboard"], [0.5, 0.5], [7, 8], None)
    yield from ({"numerical": 0.5, "multi_hop": 0.5}, {"original_window_tokens": 4_096})


def literals(annotation: Any) -> Iterator[Any]:
    for argument in get_args(annotation):
        if get_origin(annotation) is not None and isinstance(argument, str):
            yield argument
        yield from literals(argument)


def changed_leaf(path: str, annotation: Any, value: Any) -> RunConfig | None:
    """Return the configuration with one setting changed, or None if nothing else is allowed."""
    for other in other_values(annotation, value):
        plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
        if other == plain:
            continue
        try:
            return with_settings(**{path.replace(".", "__"): other})
        except ConfigError:
            continue
    return None


def general(path: str) -> str:
    return ".".join("*" if step.isdigit() else step for step in path.split("."))


def test_every_setting_of_a_recipe_is_accounted_for() -> None:
    wrong, placed, seen = [], set(), set()
    for path, annotation, value in leaves(CONFIG):
        name = general(path)
        seen.add(name)
        config = None if name in BY_HAND else changed_leaf(path, annotation, value)
        if config is None:  # refused in this stage; another stage may take it
            continue
        placed.add(name)
        is_changed = keys_of(build_graph(config, DIGESTS)) != BEFORE
        if is_changed != (name not in PASSING):
            wrong.append(f"{path}: changes {'a' if is_changed else 'no'} key")
    assert not wrong, "\n".join(wrong)
    assert seen >= PASSING | BY_HAND
    assert placed == seen - BY_HAND, sorted(seen - BY_HAND - placed)


def test_stages_on_a_cluster_have_keys_of_their_own_whatever_its_size() -> None:
    here = build_graph(CONFIG, DIGESTS)
    small = build_graph(CONFIG.replace(cluster=ClusterConfig(num_gpus=8)), DIGESTS)
    large = build_graph(
        CONFIG.replace(cluster=ClusterConfig(num_gpus=64, shares_prompts=True)), DIGESTS
    )
    for name, node in here.stages.items():
        is_trained = node.stage is not None and node.stage.merge is None
        parents_differ = any(other != "base" for other in node.needs)
        assert (small.stages[name].key != node.key) == (is_trained or parents_differ), name
        assert small.stages[name].key == large.stages[name].key
    assert {name: node.key for name, node in here.sets.items()} == {
        name: node.key for name, node in small.sets.items()
    }
