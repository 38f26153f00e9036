"""Write pseudonymised twins of some examples beside them, as a folder of the same form.

    OUT/twins/    examples.parquet, contexts.parquet, documents/, facts/, summary.json

A twin asks the same of documents whose names, numbers and dates were replaced (`checks/twins.py`).
Who answers the original but not the twin did not read: without a model, this is the knowledge
grounding check of QwenLong-L1.5, section 3. What cannot be altered exactly has no twin, and the
summary says why. Memory holds the whole corpus, because any context may be chosen.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from longloom.records import Block, Context, ContextPart, Document, Example
from longloom.synthesis.checks.twins import AlteredWorld, Twin, TwinRefusal, make_twin
from longloom.synthesis.corpus_files import StoredDocument, write_documents, write_facts
from longloom.synthesis.documents.building import BLOCK_SEPARATOR, document_id
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.programs.catalogue import read_program
from longloom.synthesis.programs.codec import shape_of, to_json
from longloom.synthesis.programs.world import World
from longloom.synthesis.storage import example_id_of, read_examples, write_examples
from longloom.synthesis.verification import (
    DOCUMENTS_FOLDER,
    FACTS_FOLDER,
    CorpusView,
    read_corpus_view,
)
from longloom.synthesis.weaving.assembly import Placed, lay_out
from longloom.synthesis.weaving.collection import CollectionDocument
from longloom.synthesis.weaving.questions import place_evidence
from longloom.text.token_counts import TokenCounter, count_tokens

TWINS_FOLDER = "twins"
_SHARD = "twins.parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinSummary:
    """What became of the examples that were to have twins."""

    num_examples: int
    """Twins written."""
    num_telling: int
    """Twins whose answer differs from the original's."""
    refused: Mapping[str, int]
    """Examples without an exact twin, by reason."""


def write_twins(
    folder: Path, fraction: float, *, counter: TokenCounter, seed: int, template: str
) -> TwinSummary:
    """Write twins of the examples of a fraction of the contexts.

    Raises:
        DataError: the folder cannot be read or written.
    """
    examples, contexts = read_examples(folder)
    corpus = read_corpus_view(folder)
    asked: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        if _share(example.context_id) < fraction:
            asked[example.context_id].append(example)
    written = _Written()
    for context_id, group in asked.items():
        altered = _altered_world(contexts[context_id], corpus, f"{seed}/{context_id}")
        twins = list(_twins(group, altered, written.refused))
        if twins:
            written.add(twins, counter)
    target = folder / TWINS_FOLDER
    for name in (DOCUMENTS_FOLDER, FACTS_FOLDER):
        (target / name).mkdir(parents=True, exist_ok=True)
    write_facts(target / FACTS_FOLDER / _SHARD, list(written.facts))
    write_documents(target / DOCUMENTS_FOLDER / _SHARD, written.documents.values())
    summary = TwinSummary(
        num_examples=len(written.examples),
        num_telling=written.num_telling,
        refused=dict(sorted(written.refused.items())),
    )
    write_examples(target, written.examples, written.contexts, asdict(summary), template=template)
    return summary


class _Written:
    """The twins collected so far."""

    def __init__(self) -> None:
        self.examples: list[Example] = []
        self.contexts: dict[str, Context] = {}
        self.documents: dict[str, StoredDocument] = {}
        self.facts: dict[Fact, None] = {}
        self.refused: Counter[str] = Counter()
        self.num_telling = 0

    def add(self, twins: Sequence[tuple[Example, Twin]], counter: TokenCounter) -> None:
        """Add the twins of one context."""
        first = twins[0][1]
        context = lay_out([_placed(document) for document in first.documents.values()])
        num_tokens = count_tokens(counter, context.text)
        self.contexts[context.context_id] = context
        for document in first.documents.values():
            self.documents[document.doc_id] = StoredDocument(document=document)
        for facts in first.facts_by_document.values():
            self.facts |= dict.fromkeys(facts)
        world = World(first.facts_by_document)
        for example, twin in twins:
            self.examples.append(_example(example, twin, context, world, num_tokens))
            self.num_telling += twin.is_telling


def _share(context_id: str) -> float:
    digest = hashlib.sha256(f"longloom twins 1\0{context_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _altered_world(context: Context, corpus: CorpusView, seed: str) -> AlteredWorld:
    """Take each document as the context shows it, cut or whole, for a document of its own."""
    parts: dict[str, list[ContextPart]] = defaultdict(list)
    for part in context.parts:
        parts[part.doc_id].append(part)
    documents: dict[str, Document] = {}
    facts: dict[str, list[Fact]] = {}
    for doc_id, shown in parts.items():
        document, moved = _shown(
            corpus.documents[doc_id], corpus.facts_by_document.get(doc_id, ()), shown
        )
        documents[document.doc_id] = document
        facts[document.doc_id] = moved
    return AlteredWorld(documents=documents, world=World(facts), seed=seed)


def _shown(
    document: Document, facts: Sequence[Fact], parts: Sequence[ContextPart]
) -> tuple[Document, list[Fact]]:
    pieces = [document.text[part.doc_start : part.doc_end] for part in parts]
    text = BLOCK_SEPARATOR.join(pieces)
    doc_id = document_id(document.title, text)
    blocks: list[Block] = []
    moved: list[Fact] = []
    start = 0
    for part, piece in zip(parts, pieces, strict=True):
        shift = start - part.doc_start
        blocks += [
            replace(block, start=block.start + shift, end=block.end + shift)
            for block in document.blocks
            if part.doc_start <= block.start and block.end <= part.doc_end
        ]
        moved += [
            replace(fact, doc_id=doc_id, start=fact.start + shift, end=fact.end + shift)
            for fact in facts
            if part.doc_start <= fact.start and fact.end <= part.doc_end
        ]
        start += len(piece) + len(BLOCK_SEPARATOR)
    return replace(document, doc_id=doc_id, text=text, blocks=tuple(blocks)), moved


def _twins(
    examples: Sequence[Example], altered: AlteredWorld, refused: Counter[str]
) -> Iterator[tuple[Example, Twin]]:
    for example in examples:
        try:
            program = read_program(example.program)
            yield example, make_twin(altered, program, example.question, example.answer)
        except TwinRefusal as refusal:
            refused[str(refusal).partition(":")[0]] += 1


def _placed(document: Document) -> Placed:
    entry = CollectionDocument.of(document)
    return Placed(
        entry=entry,
        headings=(),
        first_block=0,
        last_block=len(document.blocks),
        num_tokens=0.0,
    )


def _example(
    example: Example, twin: Twin, context: Context, world: World, num_tokens: int
) -> Example:
    execution = twin.program.execute(world)
    evidence = place_evidence(context, execution.evidence)
    documents = {document.doc_id: document for document in twin.documents.values()}
    gold = dict.fromkeys(fact.doc_id for fact in execution.evidence)
    return replace(
        example,
        example_id=example_id_of(context.context_id, twin.question, twin.answer),
        context_id=context.context_id,
        question=twin.question,
        answer=twin.answer,
        program=to_json(twin.program),
        shape=shape_of(twin.program),
        evidence=evidence,
        num_context_tokens=num_tokens,
        num_prompt_tokens=example.num_prompt_tokens - example.num_context_tokens + num_tokens,
        licences=tuple(dict.fromkeys(document.licence for document in documents.values())),
        gold_documents=tuple(documents[doc_id].title for doc_id in gold),
        depths=tuple(round(span.context_start / len(context.text), 4) for span in evidence),
    )
