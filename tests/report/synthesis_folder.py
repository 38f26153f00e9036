"""A small folder of questions, written by the writers that `longloom synthesize` uses."""

import hashlib
from pathlib import Path

from longloom.records import (
    Context,
    ContextPart,
    Document,
    DocumentKind,
    Evidence,
    Example,
    RewardRule,
    Split,
    TaskType,
)
from longloom.synthesis.corpus_files import StoredDocument, write_documents, write_facts
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.programs.codec import shape_of, to_json
from longloom.synthesis.programs.dates import YearsBetween
from longloom.synthesis.programs.graph import Follow, Named
from longloom.synthesis.storage import write_examples

HOSTILE = "</script><img src=x onerror=alert(1)>"

TEXTS = {
    "one": f"Notice one {HOSTILE}. It was issued on 1999-05-01 by the board.",
    "two": "Notice two. It was issued on 2004-02-03.",
    "other": "Nothing that anybody asked for.",
}
DATES = {"one": "1999-05-01", "two": "2004-02-03"}
TITLES = {"one": f"Notice one {HOSTILE}", "two": "Notice two", "other": f"Other {HOSTILE}"}

PROGRAM = YearsBetween(
    first=Follow(of=Named(entity="Notice one"), relation="notice.issued"),
    second=Follow(of=Named(entity="Notice two"), relation="notice.issued"),
)
"""1999 to 2004: 5."""


def make_context() -> tuple[Context, dict[str, int]]:
    """Put the documents one after another; `one` begins at 0."""
    starts: dict[str, int] = {}
    text = ""
    for doc_id, body in TEXTS.items():
        starts[doc_id] = len(text)
        text += body + "\n\n"
    parts = tuple(
        ContextPart(
            doc_id=doc_id, doc_start=0, doc_end=len(TEXTS[doc_id]), context_start=starts[doc_id]
        )
        for doc_id in TEXTS
    )
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    return Context(context_id=digest, text=text, parts=parts), starts


def make_examples(num_examples: int) -> tuple[list[Example], Context]:
    context, starts = make_context()
    evidence = []
    for doc_id, date in DATES.items():
        start = TEXTS[doc_id].index(date)
        end = start + len(date)
        evidence.append(
            Evidence(
                doc_id=doc_id,
                doc_start=start,
                doc_end=end,
                context_start=starts[doc_id] + start,
                context_end=starts[doc_id] + end,
            )
        )
    examples = [
        Example(
            example_id=f"e{number}",
            task_type=TaskType.MULTI_HOP if number % 2 else TaskType.NUMERICAL,
            ability="temporal",
            context_id=context.context_id,
            question=f"How many years lie between them? {HOSTILE}",
            answer="5",
            reward_rule=RewardRule.NUMERIC,
            program=to_json(PROGRAM),
            evidence=tuple(evidence),
            num_context_tokens=1_500,
            num_prompt_tokens=1_600,
            split=Split.TRAIN,
            licences=(f"MIT {HOSTILE}", "CC0-1.0"),
            provenance=("notices/one.txt", f"notices/{HOSTILE}"),
            num_hops=2,
            gold_documents=(TITLES["one"], TITLES["two"]),
            genres=("notice",),
            shape=shape_of(PROGRAM),
            depths=(0.05, 0.95),
        )
        for number in range(num_examples)
    ]
    return examples, context


def write_synthesis_folder(folder: Path, num_examples: int = 3) -> Path:
    """Write examples, contexts, documents, facts and a summary."""
    folder.mkdir(parents=True)
    (folder / "documents").mkdir()
    (folder / "facts").mkdir()
    documents = [
        StoredDocument(
            document=Document(
                doc_id=doc_id,
                title=TITLES[doc_id],
                kind=DocumentKind.GENERAL,
                source=f"notices/{doc_id}.txt {HOSTILE}",
                licence=f"MIT {HOSTILE}",
                text=text,
                blocks=(),
                genre="notice",
            ),
            block_tokens=(10.0,),
        )
        for doc_id, text in TEXTS.items()
    ]
    write_documents(folder / "documents" / "a.parquet", documents)
    facts = [
        Fact(
            subject=f"Notice {doc_id}",
            relation="notice.issued",
            value=date,
            value_kind="date",
            subject_kind="notice",
            doc_id=doc_id,
            start=TEXTS[doc_id].index(date),
            end=TEXTS[doc_id].index(date) + len(date),
            certainty=1,
        )
        for doc_id, date in DATES.items()
    ]
    write_facts(folder / "facts" / "a.parquet", facts)
    examples, context = make_examples(num_examples)
    summary = {
        "counted_with": f"words {HOSTILE}",
        "dropped_documents": {f"too short {HOSTILE}": 4},
        "refused": {"multi_hop/answer_in_question": 7, f"numerical/{HOSTILE}": 1},
        "left_out": {"numerical/over_its_share": 2},
    }
    write_examples(folder, examples, {context.context_id: context}, summary)
    return folder
