"""Verify a folder of examples from its files alone.

Every context is rebuilt from its documents, every program executed on the facts of those
documents, every answer and every span compared. Nothing of what made them is trusted.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq

from longloom.errors import DataError
from longloom.records import Context, ContextPart, Document, Example, TaskType
from longloom.synthesis.corpus_files import read_documents, read_facts
from longloom.synthesis.documents.building import document_id
from longloom.synthesis.facts.fact import Fact, facts_within
from longloom.synthesis.facts.showing import shows_value
from longloom.synthesis.programs.catalogue import read_program
from longloom.synthesis.programs.choice import LETTERS, Choice
from longloom.synthesis.programs.codec import shape_of
from longloom.synthesis.programs.world import World
from longloom.synthesis.prompt_length import CONTEXT_SLOT, user_message
from longloom.synthesis.published.data_sources import NO_PROGRAM
from longloom.synthesis.storage import EXAMPLES_FILE, example_id_of, read_examples
from longloom.text.prompts import prompt_version

DOCUMENTS_FOLDER = "documents"
FACTS_FOLDER = "facts"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something wrong with an example."""

    example_id: str
    """The example."""
    problem: str
    """What is wrong: what was found and what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationReport:
    """What verification saw."""

    num_examples: int
    """Examples executed."""
    num_spans: int
    """Evidence spans compared."""
    findings: tuple[Finding, ...]
    """What is wrong, in the order of the examples."""
    num_without_program: int = 0
    """Imported examples: nothing of them can be executed, so they are counted apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusView:
    """The documents and facts of a folder."""

    documents: Mapping[str, Document]
    """Documents by id."""
    facts_by_document: Mapping[str, Sequence[Fact]]
    """Facts by document."""


def read_corpus_view(folder: Path) -> CorpusView:
    """Read the documents and facts beside the examples of a folder.

    Raises:
        DataError: they are missing or damaged.
    """
    document_paths = sorted((folder / DOCUMENTS_FOLDER).glob("*.parquet"))
    if not document_paths:
        raise DataError(
            f"{folder / DOCUMENTS_FOLDER} holds no documents; expected a folder written by "
            "`longloom synthesize` (the miniature keeps no documents and cannot be verified)"
        )
    documents = {
        stored.document.doc_id: stored.document
        for path in document_paths
        for stored in read_documents(path)
        if not stored.drop_reason
    }
    facts: dict[str, list[Fact]] = defaultdict(list)
    for path in sorted((folder / FACTS_FOLDER).glob("*.parquet")):
        for fact in read_facts(path):
            facts[fact.doc_id].append(fact)
    return CorpusView(documents=documents, facts_by_document=facts)


def verify_folder(folder: Path, progress: Progress | None = None) -> VerificationReport:
    """Execute every example of a folder again.

    Raises:
        DataError: the folder cannot be read at all.
    """
    examples, contexts = read_examples(folder)
    wrong_prompts = _wrong_prompts(folder)
    if all(example.program == NO_PROGRAM for example in examples):
        corpus = CorpusView(documents={}, facts_by_document={})  # an imported set keeps none
    else:
        corpus = read_corpus_view(folder)
    report = verify_examples(examples, contexts, corpus, progress)
    if not wrong_prompts:
        return report
    return replace(report, findings=(*report.findings, *wrong_prompts))


def _wrong_prompts(folder: Path) -> tuple[Finding, ...]:
    """Compare the stored prompts with the template they name, filled with the questions."""
    columns = ["data_source", "prompt", "extra_info"]
    findings = []
    for row in pq.read_table(folder / EXAMPLES_FILE, columns=columns).to_pylist():
        extra = row["extra_info"]
        if extra["prompt_version"] != prompt_version() or extra["program"] == NO_PROGRAM:
            continue  # worded by another version of the prompt file, or by somebody else
        wanted = user_message(
            extra["template"],
            TaskType(row["data_source"]),
            context=CONTEXT_SLOT,
            question=extra["question"],
        )
        if [message["content"] for message in row["prompt"]] != [wanted]:
            findings.append(
                Finding(
                    example_id=extra["example_id"],
                    problem=f"prompt is not template {extra['template']!r} with the question",
                )
            )
    return tuple(findings)


def verify_examples(
    examples: Sequence[Example],
    contexts: Mapping[str, Context],
    corpus: CorpusView,
    progress: Progress | None = None,
) -> VerificationReport:
    """Execute examples again, context by context."""
    by_context: dict[str, list[Example]] = defaultdict(list)
    executable = [example for example in examples if example.program != NO_PROGRAM]
    for example in executable:
        by_context[example.context_id].append(example)
    problems: dict[str, str] = {}
    for number, (context_id, asked) in enumerate(by_context.items(), start=1):
        context = contexts[context_id]
        broken = _context_problem(context, corpus.documents)
        world = World({}) if broken else context_world(context.parts, corpus.facts_by_document)
        for example in asked:
            problem = broken or example_problem(example, context, world, corpus.documents)
            if problem:
                problems[example.example_id] = problem
        if progress is not None:
            progress("verifying contexts", number, len(by_context))
    for example_id, times in Counter(example.example_id for example in examples).items():
        if times > 1:
            problems[example_id] = f"example_id stands {times} times; expected once"
    return VerificationReport(
        num_examples=len(executable),
        num_without_program=len(examples) - len(executable),
        num_spans=sum(len(example.evidence) for example in examples),
        findings=tuple(
            Finding(example_id=example.example_id, problem=problems[example.example_id])
            for example in examples
            if example.example_id in problems
        ),
    )


def _context_problem(context: Context, documents: Mapping[str, Document]) -> str:
    """Say what is wrong with a context; its hash was compared when it was read."""
    for part in context.parts:
        document = documents.get(part.doc_id)
        if document is None:
            return f"document {part.doc_id} of the context is not among the documents"
        if document_id(document.title, document.text) != part.doc_id:
            return f"the text of document {document.title!r} is not the one its id stands for"
        shown = document.text[part.doc_start : part.doc_end]
        start = part.context_start
        if context.text[start : start + len(shown)] != shown:
            return f"the context does not show {document.title!r} from {part.doc_start} on"
    return ""


def context_world(
    parts: Iterable[ContextPart], facts_by_document: Mapping[str, Sequence[Fact]]
) -> World:
    """Return what a context states: the facts of its documents whose spans it shows."""
    spans: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for part in parts:
        spans[part.doc_id].append((part.doc_start, part.doc_end))
    return World(
        {
            doc_id: facts_within(facts_by_document.get(doc_id, ()), shown)
            for doc_id, shown in spans.items()
        }
    )


def example_problem(
    example: Example, context: Context, world: World, documents: Mapping[str, Document]
) -> str:
    """Say what is wrong with an example; empty if nothing is."""
    try:
        program = read_program(example.program)
    except DataError as error:
        return str(error)
    execution = program.execute(world)
    if execution.only_answer != example.answer:
        given = sorted(execution.answers)[:3]
        return f"answer is {example.answer[:80]!r}, but the program gives {given}"
    problem = _recorded_problem(example, context, execution.evidence, documents)
    if problem:
        return problem
    if isinstance(program, Choice):
        lettered = [
            f"{letter}. {option}" for letter, option in zip(LETTERS, program.options, strict=False)
        ]
        if example.question.split("\n")[-len(lettered) :] != lettered:
            return f"options are not those of the program: {lettered}"
    if shape_of(program) != example.shape:
        return f"shape is {example.shape[:80]!r}; expected {shape_of(program)[:80]!r}"
    stated = [(span.doc_id, span.doc_start, span.doc_end) for span in example.evidence]
    used = [(fact.doc_id, fact.start, fact.end) for fact in execution.evidence]
    if stated != used:
        return f"evidence is {stated[:3]}, but the program rests on {used[:3]}"
    for span, fact in zip(example.evidence, execution.evidence, strict=True):
        shown = documents[span.doc_id].text[span.doc_start : span.doc_end]
        if not shows_value(fact, shown):
            return f"evidence {shown[:60]!r} does not show {fact.value[:60]!r}"
        if not shown.strip() or context.text[span.context_start : span.context_end] != shown:
            return f"evidence at {span.context_start} of the context does not show {shown[:60]!r}"
    return ""


def _recorded_problem(
    example: Example,
    context: Context,
    evidence: Sequence[Fact],
    documents: Mapping[str, Document],
) -> str:
    """Compare what an example records of itself with what its files say."""
    gold = [documents[doc_id] for doc_id in dict.fromkeys(fact.doc_id for fact in evidence)]
    shown = [documents[doc_id] for doc_id in dict.fromkeys(p.doc_id for p in context.parts)]
    length = max(1, len(context.text))
    expected: dict[str, object] = {
        "example_id": example_id_of(example.context_id, example.question, example.answer),
        "genres": tuple(dict.fromkeys(document.genre for document in gold)),
        "licences": tuple(dict.fromkeys(document.licence for document in shown)),
        "provenance": tuple(dict.fromkeys(document.source for document in shown)),
        "depths": tuple(round(span.context_start / length, 4) for span in example.evidence),
    }
    for name, value in expected.items():
        if getattr(example, name) != value:
            return f"{name} is {str(getattr(example, name))[:80]!r}; expected {str(value)[:80]!r}"
    titles = {document.title for document in gold}
    if not set(example.gold_documents) <= titles:
        return f"gold_documents are {example.gold_documents}; expected some of {sorted(titles)}"
    return ""


def as_json(report: VerificationReport) -> str:
    """Return the report as JSON."""
    return json.dumps(
        {
            "num_examples": report.num_examples,
            "num_without_program": report.num_without_program,
            "num_spans": report.num_spans,
            "findings": [
                {"example_id": finding.example_id, "problem": finding.problem}
                for finding in report.findings
            ],
        },
        indent=1,
    )
