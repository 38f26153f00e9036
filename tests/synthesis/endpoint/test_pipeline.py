"""The whole of synthesis with a model behind a real server that fails and lies."""

import json
import re
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from longloom.errors import ModelError
from longloom.executor import InlineExecutor
from longloom.models.endpoint.cache import EndpointCache
from longloom.records import Example, RewardRule, TaskType
from longloom.synthesis.corpus_files import read_facts
from longloom.synthesis.corpus_steps import STEPS_FOLDER
from longloom.synthesis.endpoint.session import EndpointSession
from longloom.synthesis.pipeline import synthesize_corpus
from longloom.synthesis.programs.voted import QUOTE_RELATION
from longloom.synthesis.storage import read_examples
from longloom.synthesis.verification import read_corpus_view, verify_examples, verify_folder
from scripted_endpoint import Fault, ScriptedEndpoint, always_fails
from synthesis.endpoint.mill_corpus import (
    BUILDERS,
    MILLS,
    KnowingModel,
    builder_of,
    town_of,
    write_mill_corpus,
    year_of,
)
from synthesis.endpoint.mill_run import Run, digests, hard_times, run, settings

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mill_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def calm(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(corpus, tmp_path_factory.mktemp("calm"))


@pytest.fixture(scope="module")
def shaken(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(corpus, tmp_path_factory.mktemp("shaken"), hard_times)


@pytest.fixture(params=["calm", pytest.param("shaken", marks=pytest.mark.slow)])
def made(request: pytest.FixtureRequest) -> Run:
    """A run with a server that answers, and one with a server that fails and lies."""
    found: Run = request.getfixturevalue(request.param)
    return found


def voted(folder: Path) -> list[Example]:
    return [example for example in read_examples(folder)[0] if '"op":"voted"' in example.program]


TRUE_FACTS = (
    {(f"The {mill} Mill", "prose.builder", builder_of(mill)) for mill in MILLS}
    | {(f"The {mill} Mill", "prose.year_built", str(year_of(mill))) for mill in MILLS}
    | {(person, "prose.born_in", town_of(person)) for person in BUILDERS}
)


def prose_facts(folder: Path) -> set[tuple[str, str, str]]:
    return {
        (fact.subject, fact.relation, fact.value)
        for path in (folder / "facts").glob("*.parquet")
        for fact in read_facts(path)
        if fact.relation.startswith("prose.")
    }


def true_answer(example: Example) -> str:
    """Return the right answer of a question that was proposed, worked out from the corpus."""
    mill = example.question.partition(" Mill")[0].rpartition(" ")[2]
    town = town_of(builder_of(mill))
    if example.reward_rule is not RewardRule.CHOICE:
        return town
    return next(line[0] for line in example.question.splitlines() if line.endswith(f". {town}"))


def test_everything_that_was_made_can_be_executed_again(made: Run) -> None:
    report = verify_folder(made.folder)
    assert report.num_examples >= 50
    assert report.findings == ()
    assert made.model.unknown == []  # the model was asked nothing but what the run made


def test_documents_scored_low_are_dropped_with_their_reason(calm: Run) -> None:
    assert calm.selected.summary["dropped_documents"] == {"judge": 1}
    titles = {document.title for document in read_corpus_view(calm.folder).documents.values()}
    assert "corpus/mills/harrow.txt" not in titles
    (reason,) = {
        reason
        for path in calm.folder.glob("steps/decisions-*.json")
        for reason in json.loads(path.read_text("utf-8"))["drop_reasons"].values()
    }
    assert reason == "judge: judged too low in quality"


def test_facts_from_prose_are_those_that_quotes_show(calm: Run) -> None:
    harrow = {fact for fact in TRUE_FACTS if "Harrow" in fact[0]}
    assert prose_facts(calm.folder) == TRUE_FACTS - harrow
    triples = calm.outcomes["triples"]
    assert triples["quote not found"] == len(BUILDERS) + len(MILLS) - 1
    assert triples["value not in the quote"] == triples["not confirmed"] == len(MILLS) - 1


def made_of_prose(folder: Path) -> list[Example]:
    """Return every question on facts from prose that was made, selected or not."""
    found = {
        example.example_id: example
        for shard in (folder / STEPS_FOLDER).glob("*/*/examples.parquet")
        for example in read_examples(shard.parent)[0]
        if '"prose.' in example.program
    }
    return list(found.values())


def test_questions_rest_on_what_the_prose_states(calm: Run) -> None:
    assert any('"prose.' in example.program for example in read_examples(calm.folder)[0])
    questions = made_of_prose(calm.folder)
    assert {example.task_type for example in questions} == {
        TaskType.MULTI_HOP,
        TaskType.MULTIPLE_CHOICE,
        TaskType.READING_COMPREHENSION,
    }
    assert any("for the builder of The " in example.question for example in questions)


def test_chains_through_the_prose_end_where_it_says(made: Run) -> None:
    for example in made_of_prose(made.folder):
        if "for the builder of The " not in example.question:
            continue
        mill = example.question.partition("builder of The ")[2].split(" ")[0]
        assert town_of(builder_of(mill)) in (example.answer, option_of(example))
        assert len(example.gold_documents) == 2


def option_of(example: Example) -> str:
    """Return what stands behind the letter of the answer; nothing for other examples."""
    lines = [line for line in example.question.splitlines() if line[1:3] == ". "]
    return next((line[3:] for line in lines if line[0] == example.answer), "")


def test_what_was_not_shown_or_not_confirmed_is_never_asked(made: Run) -> None:
    programs = " ".join(example.program for example in made_of_prose(made.folder))
    assert "prose.builder" in programs
    assert "prose.born_in" in programs
    for lie in ("prose.patron", "prose.owned_by", "prose.built_near"):
        assert lie not in programs


def test_nothing_is_counted_by_what_a_model_read(calm: Run) -> None:
    for example in made_of_prose(calm.folder):
        assert not any(
            f'"op":"{op}"' in example.program for op in ("count", "exactly", "inverse", "same_as")
        )


def test_proposed_questions_carry_their_evidence(calm: Run) -> None:
    examples = voted(calm.folder)
    _, contexts = read_examples(calm.folder)
    assert {example.ability for example in examples} == {"multi_fact", "causal"}
    for example in examples:
        assert example.answer == true_answer(example)
        assert len(example.gold_documents) == 2
        shown = [
            contexts[example.context_id].text[span.context_start : span.context_end]
            for span in example.evidence
        ]
        assert any(text.startswith("built by ") for text in shown)
        assert any(text.startswith("was born in ") for text in shown)
        assert example.licences == ("CC0-1.0",)


def test_questions_over_tables_are_executed(calm: Run) -> None:
    examples = [e for e in read_examples(calm.folder)[0] if e.ability == "table_query"]
    kept = calm.outcomes["tables"]["kept"]
    assert kept > 0
    assert all("DELETE" not in example.program for example in examples)
    assert calm.outcomes["tables"]["SQL refused"] > 0


def test_changed_answers_and_spans_of_proposed_questions_are_caught(calm: Run) -> None:
    _, contexts = read_examples(calm.folder)
    corpus_view = read_corpus_view(calm.folder)
    mutated = []
    for example in voted(calm.folder):
        other = {"A": "B", "B": "C", "C": "D", "D": "A"}.get(example.answer, "Atlantis")
        first, *rest = example.evidence
        moved = replace(first, doc_start=first.doc_start + 1, context_start=first.context_start + 1)
        town = town_of(builder_of(example.question.partition(" Mill")[0].rpartition(" ")[2]))
        lying = example.program.replace(f'"answer":"{town}"', '"answer":"Atlantis"')
        mutated += [
            replace(example, example_id=f"{example.example_id}-a", answer=other),
            replace(example, example_id=f"{example.example_id}-b", evidence=(moved, *rest)),
            replace(example, example_id=f"{example.example_id}-c", program=lying),
            replace(
                example, example_id=f"{example.example_id}-d", program=lying, answer="Atlantis"
            ),
        ]
    report = verify_examples(mutated, contexts, corpus_view)
    assert len(mutated) >= 8
    assert {finding.example_id for finding in report.findings} == {
        example.example_id for example in mutated
    }


def test_places_are_named_before_the_first_call_and_costs_at_the_end(calm: Run) -> None:
    places, cost = calm.messages
    assert places.startswith("Documents will be sent to:")
    assert f"{calm.endpoint.url}/chat/completions, model scripted (this machine)" in places
    assert "45 documents" in places
    assert "  CC0-1.0: 45" in places
    num_calls, num_retries = (
        int(re.search(rf"([0-9]+) {word}", cost).group(1)) for word in ("calls", "retries")
    )
    # On a busy machine a call may time out and be sent again: each of those is one more request.
    num_requests = len(calm.endpoint.bodies)
    assert num_requests - num_retries <= num_calls <= num_requests


@pytest.mark.slow
def test_nothing_wrong_is_accepted_and_nothing_lost_when_a_server_fails_and_lies(
    calm: Run, shaken: Run
) -> None:
    assert prose_facts(shaken.folder) <= prose_facts(calm.folder)
    assert all(example.answer == true_answer(example) for example in voted(shaken.folder))
    judged, calmly = shaken.outcomes["judge"], calm.outcomes["judge"]
    assert judged["inputs"] == calmly["inputs"] == 45
    assert judged["kept"] + judged.get("reply of another form", 0) == calmly["kept"]
    checks = shaken.outcomes["checks"]
    refused = sum(number for reason, number in checks.items() if reason.startswith("robustness"))
    assert checks["checked"] == checks["kept"] + refused
    assert len(shaken.endpoint.bodies) >= 2 * num_stored(shaken.folder)
    assert shaken.messages[-1].endswith(" 0 failures")


def test_finished_run_asks_nothing_again(corpus: Path, calm: Run, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(calm.folder, folder)
    again = run(corpus, folder)
    assert again.endpoint.bodies == []
    assert digests(folder) == digests(calm.folder)


@pytest.mark.slow
def test_lost_shards_are_made_again_from_the_cache(corpus: Path, calm: Run, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(calm.folder, folder)
    for step in ("judge", "prose", "self_play", "tables", "checks"):
        shutil.rmtree(folder / STEPS_FOLDER / step)
    again = run(corpus, folder)
    assert again.endpoint.bodies == []
    assert digests(folder) == digests(calm.folder)


@pytest.mark.slow
def test_outage_ends_the_run_and_the_next_one_goes_on(
    corpus: Path, calm: Run, tmp_path: Path
) -> None:
    breaking = Counter[str]()

    def breaks_down(body: dict[str, Any], num_earlier: int) -> Fault | None:
        breaking["calls"] += 1
        return Fault.UNAVAILABLE if breaking["calls"] > 150 else None

    connection = {
        **settings(corpus, "http://127.0.0.1:9/v1").endpoint.model_dump()["connection"],  # type: ignore[union-attr]
        "max_retries": 1,
    }
    with pytest.raises(ModelError, match="no usable reply"):
        run_with_connection(corpus, tmp_path, breaks_down, connection)
    assert not (tmp_path / "examples.parquet").exists()
    num_kept = num_stored(tmp_path)
    assert num_kept >= 100
    again = run(corpus, tmp_path)
    assert len(again.endpoint.bodies) == num_stored(tmp_path) - num_kept
    assert digests(tmp_path) == digests(calm.folder)


def run_with_connection(
    corpus: Path, folder: Path, faults: Any, connection: dict[str, Any]
) -> None:
    with ScriptedEndpoint(KnowingModel(folder), faults=faults) as endpoint:
        config = settings(corpus, endpoint.url, connection={**connection, "url": endpoint.url})
        assert config.endpoint is not None
        with EndpointSession(config.endpoint, folder / STEPS_FOLDER) as session:
            synthesize_corpus(config, folder=folder, executor=InlineExecutor(), session=session)


def num_stored(folder: Path) -> int:
    cache = EndpointCache(folder / STEPS_FOLDER / "calls")
    try:
        return len(cache)
    finally:
        cache.close()


def test_server_that_refuses_the_key_ends_the_run_at_once(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="check the address, the model name and the key"):
        run(corpus, tmp_path, always_fails(Fault.UNAUTHORIZED))


@pytest.mark.slow
def test_without_an_endpoint_nothing_of_it_stays(corpus: Path, calm: Run, tmp_path: Path) -> None:
    folder, plain = tmp_path / "copy", tmp_path / "plain"
    shutil.copytree(calm.folder, folder)
    config = settings(corpus, "http://127.0.0.1:9/v1")
    for target in (folder, plain):
        target.mkdir(exist_ok=True)
        synthesize_corpus(config, folder=target, executor=InlineExecutor())
    assert digests(folder) == digests(plain)
    facts = {path.name for path in (folder / "facts").glob("*.parquet")}
    assert facts == {path.name for path in (plain / "facts").glob("*.parquet")}
    assert QUOTE_RELATION not in {
        fact.relation for name in facts for fact in read_facts(folder / "facts" / name)
    }


@pytest.mark.slow
def test_reworded_and_measured_questions_are_drawn_from_all_bins(
    corpus: Path, tmp_path: Path
) -> None:
    uses = {"rewriting": True, "difficulty": True, "tables": False, "judge_documents": False}
    made = run(
        corpus,
        tmp_path,
        uses=uses,
        difficulty={"num_samples": 2},
        rewriting={"solver": {"num_samples": 1}},
        limits={"max_clusters": 0, "max_checked_questions": 30, "max_triple_documents": 0},
    )
    assert verify_folder(tmp_path).findings == ()
    examples = read_examples(tmp_path)[0]
    assert 0 < len(examples) <= 30
    reworded = [e for e in examples if e.question.startswith("Tell me, please: ")]
    assert len(reworded) == made.outcomes["checks"]["reworded"]
    assert reworded
    assert made.outcomes["checks"]["checked"] == 30


@pytest.mark.slow
def test_documents_without_an_agreed_row_leave_the_table(corpus: Path, tmp_path: Path) -> None:
    genre = next(
        document.genre
        for document in read_corpus_view_of(corpus, tmp_path / "plain")
        if "mills" in document.title
    )
    only_table = dict.fromkeys(
        ("judge_documents", "extract_triples", "self_play", "tables", "closed_book", "robustness"),
        False,
    )
    made = run(
        corpus,
        tmp_path / "made",
        uses=only_table,
        table_genre=genre,
        table_fields={"year": "Year in which the mill was built", "builder": "Its builder"},
    )
    assert made.selected.summary["dropped_documents"] == {"table": len(BUILDERS)}
    view = read_corpus_view(tmp_path / "made")
    found = {
        (fact.relation, fact.value)
        for facts in view.facts_by_document.values()
        for fact in facts
        if fact.relation.startswith("schema.")
    }
    assert found == {("schema.year", str(year_of(mill))) for mill in MILLS} | {
        ("schema.builder", builder_of(mill)) for mill in MILLS
    }


def read_corpus_view_of(corpus: Path, folder: Path) -> list[Any]:
    folder.mkdir()
    config = settings(corpus, "http://127.0.0.1:9/v1")
    synthesize_corpus(config, folder=folder, executor=InlineExecutor())
    return list(read_corpus_view(folder).documents.values())
