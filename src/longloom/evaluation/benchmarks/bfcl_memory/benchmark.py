"""BFCL v4 memory (Berkeley Function-Calling Leaderboard, bfcl_eval): 155 questions on 3 back ends.

Facts of bfcl_eval (ShishirPatil/gorilla, Apache-2.0): the conversations of a scenario are played in
their order, and every question begins from the memory that they left. Calls are made in prompting
mode. The figure is the unweighted mean over the back ends.

Departure: the prompts are worded anew; their order and the forms they ask for are the official
ones.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from longloom.errors import DataError
from longloom.evaluation.benchmark import Benchmark, ReadSettings, Source
from longloom.evaluation.benchmarks.bfcl_memory.playing import memory_agent, play_conversations
from longloom.evaluation.benchmarks.bfcl_memory.snapshots import (
    BACKENDS,
    EMBEDDER_FOLDER,
    empty_store,
    has_embedder,
    restored_store,
    snapshot_of,
)
from longloom.evaluation.benchmarks.files import find_files
from longloom.evaluation.questions import Asked, Question, QuestionSet
from longloom.evaluation.rows import (
    Row,
    RowPlace,
    describe,
    read_places,
    read_row,
    sha256_digest,
    text_of,
    texts_of,
)
from longloom.evaluation.scoring.bfcl import score_bfcl_memory
from longloom.models.protocols import ChatSampler
from longloom.records import ChatMessage, SamplingParams
from longloom.rollout import Agent

SCENARIOS: Mapping[str, int] = {
    "customer": 30,
    "finance": 25,
    "healthcare": 25,
    "notetaker": 25,
    "student": 50,
}
"""Official questions by scenario."""

_QUESTIONS = "BFCL_v4_memory.json"
_ANSWERS = "possible_answer/BFCL_v4_memory.json"
_NO_EMBEDDER = (
    "the back end `vector` embeds by letter triples, so its figure is not comparable to published "
    f"ones; put the folder of all-MiniLM-L6-v2 under the name {EMBEDDER_FOLDER} beside the files"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """One official question."""

    scenario: str
    golds: tuple[str, ...]
    place: RowPlace


def read_bfcl_memory(folder: Path, settings: ReadSettings) -> QuestionSet:
    """Read the questions and their possible answers, and check the conversations before them.

    Raises:
        DataError: a file is missing, damaged or does not fit the others.
    """
    paths = find_files(folder, BENCHMARK)
    found = _read_questions(folder)
    for scenario in sorted({one.scenario for one in found.values()}):
        read_conversations(folder, scenario)
    row_ids = {_question_id(row_id, backend): row_id for backend in BACKENDS for row_id in found}

    def ask(question: Question) -> Asked:
        place = found[row_ids[question.question_id]].place
        text = _turns(read_row(place), place)[0][-1].content
        return Asked(context="", query=text, after=text)

    return QuestionSet(
        questions=tuple(
            Question(
                question_id=_question_id(row_id, backend),
                golds=one.golds,
                facets={"backend": backend, "scenario": one.scenario},
                group=f"{backend}/{one.scenario}",
            )
            for backend in BACKENDS
            for row_id, one in found.items()
        ),
        ask=ask,
        source={str(path.relative_to(folder)): sha256_digest(path) for path in paths},
        notes=tuple(_notes(folder, found.values())),
    )


async def prepare_memory(
    folder: Path, group: str, *, sampler: ChatSampler, params: SamplingParams, key: str
) -> str:
    """Play the conversations of a scenario on a back end; see `evaluation.benchmark.Prepare`."""
    backend, _, scenario = group.partition("/")
    store = empty_store(backend, folder)
    await play_conversations(
        store,
        scenario,
        read_conversations(folder, scenario),
        sampler=sampler,
        params=params,
        key=f"{key}/{group}",
    )
    return snapshot_of(store, group)


def make_agent(folder: Path, question: Question, asked: Asked, snapshot: str) -> Agent:
    """Return what answers one question from the memory of its group."""
    open_store = partial(restored_store, snapshot, question.group, folder)
    open_store()  # a damaged snapshot is refused before the model is asked
    return memory_agent(open_store, question.group.partition("/")[2], asked.query)


def read_conversations(
    folder: Path, scenario: str
) -> tuple[tuple[tuple[ChatMessage, ...], ...], ...]:
    """Return what the user says in each turn of each earlier conversation of a scenario.

    Raises:
        DataError: the file is missing, damaged or empty.
    """
    path = folder / f"memory_prereq_conversation/memory_{scenario}.json"
    conversations = tuple(_turns(row, place) for place, row in read_places(path))
    if not conversations:
        raise DataError(f"{path} holds no conversation; give the official file")
    return conversations


def _read_questions(folder: Path) -> dict[str, _Found]:
    golds_by_id: dict[str, tuple[str, ...]] = {}
    for place, row in read_places(folder / _ANSWERS):
        golds_by_id[text_of(row, "id", place)] = texts_of(row, "ground_truth", place)
    found: dict[str, _Found] = {}
    for place, row in read_places(folder / _QUESTIONS):
        row_id, scenario = text_of(row, "id", place), text_of(row, "scenario", place)
        if not golds_by_id.get(row_id):
            raise DataError(
                f"{describe(place)}: question {row_id!r} has no answer in {folder / _ANSWERS}; "
                "take both files from one version of bfcl_eval"
            )
        if scenario not in SCENARIOS:
            raise DataError(
                f"{describe(place)}: scenario {scenario!r} is unknown; expected one of "
                f"{', '.join(SCENARIOS)}; give the official file"
            )
        if row_id in found:
            raise DataError(f"{describe(place)}: question {row_id!r} is there twice")
        _turns(row, place)
        found[row_id] = _Found(scenario=scenario, golds=golds_by_id[row_id], place=place)
    return found


def _turns(row: Row, place: RowPlace) -> tuple[tuple[ChatMessage, ...], ...]:
    """Return the messages of every turn of a row; each turn has one of the user at its end."""
    stated = row.get("question")
    turns = stated if isinstance(stated, list) else []
    if not turns or not all(isinstance(turn, list) and turn for turn in turns):
        raise _bad_turns(place)
    return tuple(tuple(_message(one, place) for one in turn) for turn in turns)


def _message(stated: object, place: RowPlace) -> ChatMessage:
    if not isinstance(stated, dict) or stated.get("role") != "user":
        raise _bad_turns(place)
    content = stated.get("content")
    if not isinstance(content, str):
        raise _bad_turns(place)
    return ChatMessage(role="user", content=content)


def _bad_turns(place: RowPlace) -> DataError:
    return DataError(
        f"{describe(place)}: field 'question' is no list of turns with messages of the user; give "
        "the official file"
    )


def _question_id(row_id: str, backend: str) -> str:
    """Return the id as bfcl_eval makes it: `memory_kv_30-healthcare-0`."""
    return row_id.replace("memory", f"memory_{backend}", 1)


def _notes(folder: Path, found: Iterable[_Found]) -> list[str]:
    counts = Counter(one.scenario for one in found)
    notes = ["prompts are ours, in the official order and with the official forms"]
    notes += [
        f"scenario {scenario}: {counts[scenario]} of {num_official} questions"
        for scenario, num_official in SCENARIOS.items()
        if counts[scenario] != num_official
    ]
    return notes if has_embedder(folder) else [*notes, _NO_EMBEDDER]


BENCHMARK = Benchmark(
    name="bfcl-memory",
    title="BFCL v4 memory",
    measure="mean of the accuracies with three memories",
    source=Source(
        files=(_QUESTIONS, _ANSWERS, "memory_prereq_conversation/memory_*.json"),
        address="https://github.com/ShishirPatil/gorilla, "
        "berkeley-function-call-leaderboard/bfcl_eval/data",
        licence="Apache-2.0",
        num_questions=len(BACKENDS) * sum(SCENARIOS.values()),
        optional_files=(f"{EMBEDDER_FOLDER}/config.json",),
    ),
    read=read_bfcl_memory,
    score=lambda question, text: score_bfcl_memory(text, question.golds),
    facets=("backend", "scenario"),
    mean_over="backend",
    prepare=prepare_memory,
    agent=make_agent,
)
