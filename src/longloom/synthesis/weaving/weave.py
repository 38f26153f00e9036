"""Weave one shard: a run of contexts of one collection, with their questions."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random

from longloom.executor import Beat
from longloom.records import Context, Example, Split, TaskType
from longloom.runlog import atomic_write_text
from longloom.synthesis.checks.second_opinion import SecondOpinion
from longloom.synthesis.config import SynthesisConfig
from longloom.synthesis.corpus_files import read_documents, read_facts
from longloom.synthesis.curation.decisions import read_decisions
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.mixes import MIXES
from longloom.synthesis.prompt_length import user_message
from longloom.synthesis.steps import ShardTask
from longloom.synthesis.storage import write_examples
from longloom.synthesis.weaving.assembly import assemble
from longloom.synthesis.weaving.collection import Collection, CollectionDocument
from longloom.synthesis.weaving.mixes import draw_length
from longloom.synthesis.weaving.questions import Asked, Tally, ask
from longloom.synthesis.weaving.splits import split_by_title
from longloom.text.token_counts import TokenCounter, load_counter

WEAVING_VERSION = 3
"""Raised when the same inputs give other questions."""

_CHAT_TOKENS = 12
"""What a chat template adds around one message, about."""
_ANSWER_RESERVE = 300
"""Tokens of a prompt kept for question and template beside the context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionSource:
    """Where a collection lies; picklable and hashable."""

    documents: tuple[Path, ...]
    """Shards of documents."""
    facts: tuple[Path, ...]
    """Shards of facts, beside them."""
    decisions: Path
    """JSON: what curation decided (`curation/decisions.py`)."""
    genres: tuple[str, ...]
    """The genres that make up the collection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeaveContent:
    """What a shard is woven from."""

    source: CollectionSource
    """The collection."""
    config: SynthesisConfig
    """The settings."""
    counter_name: str
    """`estimate`, or a model folder whose tokenizer counts."""
    split: Split
    """Split of all its contexts."""
    genre: str
    """Genre of the documents its contexts are about."""
    numbers: tuple[int, int]
    """First context, and one past the last."""


def weave(task: ShardTask, beat: Beat) -> None:
    """Write the shard: a folder of examples, contexts and counts of what was refused."""
    content: WeaveContent = task.content
    beat(f"loading {content.genre}")
    collection, counter = _load(content.source, content.config, content.counter_name)
    fixed = fixed_tokens(counter, content.config.template)
    tally = Tally(max_shape_fraction=content.config.max_shape_fraction)
    mix = MIXES[content.config.mix]
    weights = mix.weights_for(content.genre, content.config.task_weights)
    usage: Counter[str] = Counter()
    examples: list[Example] = []
    contexts: dict[str, Context] = {}
    with SecondOpinion() as opinion:
        for number in range(*content.numbers):
            beat(f"context {number} of {content.genre}")
            rng = Random(f"{content.config.seed}/{content.split}/{content.genre}/{number}")
            asked = _context(content, collection, counter, fixed, usage, rng)
            if asked is None:
                continue
            made = ask(
                asked,
                opinion,
                num_questions=content.config.questions_per_context,
                weights=weights,
                counter=counter,
                tally=tally,
                rng=rng,
            )
            examples += made
            if made:
                contexts[asked.assembled.context.context_id] = asked.assembled.context
    folder = task.target.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    summary = {"refused": dict(sorted(tally.refused.items()))}
    write_examples(folder, examples, contexts, summary, template=content.config.template)
    atomic_write_text(task.target, "done\n")


def _context(
    content: WeaveContent,
    collection: Collection,
    counter: TokenCounter,
    fixed: Mapping[TaskType, int],
    usage: Counter[str],
    rng: Random,
) -> Asked | None:
    config = content.config
    seeds = [
        entry
        for entry in collection.entries
        if entry.document.genre == content.genre and entry.split is content.split
    ]
    if not seeds:
        return None
    # Folder first: a folder of fifty tables alike counts as much as one with a single table.
    folder = rng.choice(sorted({_folder(entry) for entry in seeds}))
    seeds = [entry for entry in seeds if _folder(entry) == folder]
    tried = rng.sample(seeds, min(4, len(seeds)))
    seed = min(tried, key=lambda entry: usage[entry.doc_id])
    length = draw_length(
        config.mix, rng, min_tokens=config.min_context_tokens, max_tokens=config.max_context_tokens
    )
    assembled = assemble(
        collection,
        counter,
        seed_id=seed.doc_id,
        split=content.split,
        max_tokens=max(config.min_context_tokens, length - _ANSWER_RESERVE),
        usage=usage,
        rng=rng,
    )
    if assembled is None:
        return None
    held_out = {
        placed.entry.doc_id for placed in assembled.placed if placed.entry.split is Split.HELD_OUT
    }
    return Asked(
        assembled=assembled,
        split=content.split,
        held_out=frozenset(held_out),
        num_fixed_tokens=fixed,
    )


def _folder(entry: CollectionDocument) -> str:
    return entry.document.source.rpartition("/")[0]


def fixed_tokens(counter: TokenCounter, template: str) -> dict[TaskType, int]:
    """Return the tokens of a prompt without context and question, by task."""
    return {
        task: _CHAT_TOKENS
        + int(counter.measure(user_message(template, task, context="", question="")))
        for task in TaskType
    }


@lru_cache(maxsize=1)
def _load(
    source: CollectionSource, config: SynthesisConfig, counter_name: str
) -> tuple[Collection, TokenCounter]:
    """Load a collection; a worker keeps the last one, because shards of one come in a row."""
    return load_collection(source, config), load_counter(counter_name)


def load_collection(source: CollectionSource, config: SynthesisConfig) -> Collection:
    """Return the documents of the collection's genres with their facts."""
    near_copies = read_decisions(source.decisions).near_copies
    facts_by_document: dict[str, list[Fact]] = {}
    for path in source.facts:
        for fact in read_facts(path):
            facts_by_document.setdefault(fact.doc_id, []).append(fact)
    stored = [
        entry
        for path in source.documents
        for entry in read_documents(path)
        if entry.document.genre in source.genres
    ]
    stored.sort(key=lambda entry: (entry.document.title, entry.document.doc_id))
    splits = split_by_title([entry.document.title for entry in stored], config.held_out_fraction)
    return Collection(
        [
            CollectionDocument(
                document=entry.document,
                block_tokens=entry.block_tokens,
                facts=tuple(facts_by_document.get(entry.document.doc_id, ())),
                split=splits[entry.document.title],
                near_copies=near_copies.get(entry.document.doc_id, frozenset()),
            )
            for entry in stored
        ]
    )
