"""Whatever is changed in an answer or a span, verification says so."""

import shutil
from dataclasses import replace
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from longloom.errors import DataError
from longloom.executor import InlineExecutor
from longloom.records import Context, Evidence, Example
from longloom.synthesis.config import SynthesisConfig
from longloom.synthesis.pipeline import synthesize_corpus
from longloom.synthesis.storage import example_id_of, read_examples
from longloom.synthesis.verification import (
    CorpusView,
    read_corpus_view,
    verify_examples,
    verify_folder,
)
from synthesis.small_corpus import write_small_corpus

NUM_MUTATIONS = 1_000


@pytest.fixture(scope="module")
def woven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_small_corpus(tmp_path_factory.mktemp("corpus"))
    folder = tmp_path_factory.mktemp("woven")
    config = SynthesisConfig(
        documents=(str(root),),
        num_examples=150,
        min_context_tokens=1_500,
        max_context_tokens=4_000,
        held_out_fraction=0,
    )
    synthesize_corpus(config, folder=folder, executor=InlineExecutor())
    return folder


@pytest.fixture(scope="module")
def examples(woven: Path) -> tuple[Example, ...]:
    return read_examples(woven)[0]


@pytest.fixture(scope="module")
def contexts(woven: Path) -> dict[str, Context]:
    return read_examples(woven)[1]


@pytest.fixture(scope="module")
def corpus(woven: Path) -> CorpusView:
    return read_corpus_view(woven)


def _other_answer(example: Example, rng: Random) -> Example:
    wrong = {
        "digit": lambda text: text + str(rng.randrange(10)),
        "letter": lambda text: "ABCD"[("ABCD".index(text) + rng.randrange(1, 4)) % 4],
        "cut": lambda text: text[:-1] + ("x" if text[-1] != "x" else "y"),
    }
    kind = "letter" if example.answer in set("ABCD") else rng.choice(["digit", "cut"])
    return replace(example, answer=wrong[kind](example.answer))


def _moved(span: Evidence, rng: Random) -> Evidence:
    field = rng.choice(["doc_start", "doc_end", "context_start", "context_end"])
    return replace(span, **{field: getattr(span, field) + rng.choice([-2, -1, 1, 2])})


def _other_span(example: Example, rng: Random) -> Example:
    spans = list(example.evidence)
    place = rng.randrange(len(spans))
    if len(spans) > 1 and rng.random() < 0.2:
        del spans[place]
    elif rng.random() < 0.2:
        spans.append(spans[place])
    else:
        spans[place] = _moved(spans[place], rng)
    return replace(example, evidence=tuple(spans))


def test_every_one_of_a_thousand_mutations_is_caught(examples, contexts, corpus) -> None:
    rng = Random(5)
    missed = []
    for number in range(NUM_MUTATIONS):
        example = examples[number % len(examples)]
        mutate = _other_answer if number % 2 else _other_span
        changed = mutate(example, rng)
        report = verify_examples([changed], contexts, corpus)
        if not report.findings:
            missed.append((example, changed))
    assert missed == []


def test_unchanged_examples_pass(examples, contexts, corpus) -> None:
    report = verify_examples(examples, contexts, corpus)
    assert report.findings == ()
    assert report.num_examples == len(examples)
    assert report.num_spans == sum(len(example.evidence) for example in examples)


def test_another_program_is_caught(examples, contexts, corpus) -> None:
    first = examples[0]
    other = next(example for example in examples if example.shape != first.shape)
    changed = replace(first, program=other.program)
    assert len(verify_examples([changed], contexts, corpus).findings) == 1


def test_a_changed_document_is_caught(examples, contexts, corpus) -> None:
    example = examples[0]
    gold = example.evidence[0].doc_id
    text = corpus.documents[gold].text
    forged = {**corpus.documents, gold: replace(corpus.documents[gold], text=text + ".")}
    view = CorpusView(documents=forged, facts_by_document=corpus.facts_by_document)
    report = verify_examples([example], contexts, view)
    assert "is not the one its id stands for" in report.findings[0].problem


def test_a_forged_fact_is_caught(examples, contexts, corpus) -> None:
    example = examples[0]
    span = example.evidence[0]
    forged = [
        replace(fact, value="forged value")
        if (fact.start, fact.end) == (span.doc_start, span.doc_end)
        else fact
        for fact in corpus.facts_by_document[span.doc_id]
    ]
    view = CorpusView(
        documents=corpus.documents,
        facts_by_document={**corpus.facts_by_document, span.doc_id: forged},
    )
    assert verify_examples([example], contexts, view).findings


def test_a_repeated_example_is_caught(examples, contexts, corpus) -> None:
    report = verify_examples([examples[0], examples[0]], contexts, corpus)
    assert report.findings[0].problem == "example_id stands 2 times; expected once"


def test_a_folder_without_documents_is_refused(tmp_path: Path, woven: Path) -> None:
    for name in ("examples.parquet", "contexts.parquet"):
        (tmp_path / name).write_bytes((woven / name).read_bytes())
    with pytest.raises(DataError, match="holds no documents"):
        verify_folder(tmp_path)


@pytest.mark.parametrize("field", ["question", "genres", "licences", "provenance", "depths"])
def test_what_an_example_records_of_itself_is_compared(
    examples, contexts, corpus, field: str
) -> None:
    example = examples[0]
    value = getattr(example, field)
    other = value + "?" if isinstance(value, str) else (*value, value[-1])
    changed = replace(example, **{field: other})
    assert len(verify_examples([changed], contexts, corpus).findings) == 1


def test_exchanged_options_are_caught(examples, contexts, corpus) -> None:
    example = next(example for example in examples if example.answer in set("ABCD"))
    *asked, a, b, c, d = example.question.split("\n")
    question = "\n".join([*asked, f"A. {b[3:]}", f"B. {a[3:]}", c, d])
    forged = replace(
        example,
        question=question,
        example_id=example_id_of(example.context_id, question, example.answer),
    )
    report = verify_examples([forged], contexts, corpus)
    assert "options are not those of the program" in report.findings[0].problem


def test_a_changed_prompt_is_caught(woven: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(woven, folder)
    table = pq.read_table(folder / "examples.parquet")
    rows = table.to_pylist()
    rows[3]["prompt"][0]["content"] = "Say hello. {context}"
    changed = pa.Table.from_pylist(rows, schema=table.schema)
    pq.write_table(changed, folder / "examples.parquet")
    report = verify_folder(folder)
    assert [finding.example_id for finding in report.findings] == [
        rows[3]["extra_info"]["example_id"]
    ]
    assert "prompt is not template 'l1'" in report.findings[0].problem
