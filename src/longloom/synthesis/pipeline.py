"""The whole of synthesis: files in, a folder of verified examples out.

    find files -> read -> decide -> (refine) -> settle -> collections -> weave -> (ask, check)
               -> select -> write

What stands in brackets asks a model and is left out without one (`endpoint/`).

Every step keeps its shards in the output folder, named by what they are made of: the same command
continues a killed run, and a changed setting redoes only what follows from it. Memory is bounded
by a collection of documents, not by the corpus.
"""

import logging
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from longloom.errors import DataError
from longloom.executor import Executor
from longloom.records import Split
from longloom.synthesis.config import SynthesisConfig
from longloom.synthesis.corpus_steps import (
    STEPS_FOLDER,
    SettledCorpus,
    read_files,
    remove_others,
    settle,
)
from longloom.synthesis.curation.decisions import read_decisions
from longloom.synthesis.endpoint.corpus_uses import refine_corpus
from longloom.synthesis.endpoint.question_uses import WovenCorpus, add_to_summary, ask_and_check
from longloom.synthesis.endpoint.self_play_questions import ClusterSource
from longloom.synthesis.endpoint.session import EndpointSession
from longloom.synthesis.mixes import MIXES
from longloom.synthesis.selection.writing import Selected, write_selected
from longloom.synthesis.steps import Step, digest_of
from longloom.synthesis.steps.shards import Progress
from longloom.synthesis.twinning import write_twins
from longloom.synthesis.weaving.collections import plan_collections, tokens_of
from longloom.synthesis.weaving.shares import contexts_by_genre
from longloom.synthesis.weaving.weave import WEAVING_VERSION, WeaveContent, weave
from longloom.text.token_counts import ESTIMATE, load_counter

logger = logging.getLogger(__name__)

_CONTEXTS_PER_SHARD = 30
_MIN_CONTEXTS, _TOKENS_PER_CONTEXT = 10, 1_000
"""A genre gets at most one context for so many of its tokens, however many questions are wanted."""
_NOT_WOVEN = {"curation", "decontaminate_against", "documents", "endpoint", "twin_fraction"}
"""Settings that change nothing about what is woven from the same settled documents."""


def synthesize_corpus(
    config: SynthesisConfig,
    *,
    folder: Path,
    executor: Executor,
    counter_name: str = ESTIMATE,
    progress: Progress | None = None,
    session: EndpointSession | None = None,
) -> Selected:
    """Make verified examples and write them into `folder`; continue what is there.

    Args:
        config: the settings; what they say about an endpoint is the session's.
        folder: the folder to write or to continue.
        executor: where the work without a model is done.
        counter_name: whose tokens are counted.
        progress: is told how far the work is.
        session: the models that may be asked; none is asked without it.

    Raises:
        DataError: documents cannot be read, no question can be made, or the folder cannot be
            written.
        ModelError: a model cannot be reached; what was answered is kept.
    """
    config = config.replace(endpoint=None)  # shards without a model are the same with one
    read = read_files(config, folder, executor, counter_name, progress)
    if session is not None:
        read = refine_corpus(session, read, folder / STEPS_FOLDER, progress)
    corpus = settle(config, read, folder, executor, progress)
    shards = _weave(config, corpus, folder, executor, counter_name, progress)
    counts = dict(read.counts)
    votes: list[Path] = []
    if session is not None:
        asked = ask_and_check(
            session,
            config,
            _woven(corpus, shards),
            folder / STEPS_FOLDER,
            counter_name=counter_name,
            progress=progress,
        )
        shards = list(asked.shards)
        votes = [asked.votes] if asked.votes is not None else []
        counts |= asked.counts
    decisions = read_decisions(corpus.decisions)
    selected = write_selected(
        folder, shards, config, counter_name=counter_name, decisions=decisions
    )
    if not selected.num_examples:
        raise DataError(
            f"no question could be made from {', '.join(config.documents)}: "
            f"{len(decisions.kept)} documents were kept; expected several "
            "that state facts about the same things (tables, code, filings, dialogues, articles, "
            "linked pages)"
        )
    remove_others([*corpus.facts, *votes], keeps_votes=False)
    if config.twin_fraction:
        write_twins(
            folder,
            config.twin_fraction,
            counter=load_counter(counter_name),
            seed=config.seed,
            template=config.template,
        )
    return add_to_summary(session, folder, selected, counts) if session is not None else selected


def _woven(corpus: SettledCorpus, shards: Sequence[Path]) -> WovenCorpus:
    """Return what models are told of the corpus and of the contexts woven from it."""
    clusters = [
        ClusterSource(
            source=source,
            split=split,
            num_tokens=sum(tokens_of(corpus, source, genre, split) for genre in source.genres),
        )
        for source in plan_collections(corpus)
        for split in Split
    ]
    return WovenCorpus(
        documents=corpus.documents,
        facts=corpus.facts,
        digest=corpus.digest,
        clusters=tuple(clusters),
        shards=tuple(shards),
    )


def _weave(
    config: SynthesisConfig,
    corpus: SettledCorpus,
    folder: Path,
    executor: Executor,
    counter_name: str,
    progress: Progress | None,
) -> list[Path]:
    num_tokens = corpus.num_tokens
    num_contexts = contexts_by_genre(
        MIXES[config.mix],
        num_tokens,
        num_examples=config.num_examples,
        questions_per_context=config.questions_per_context,
        weights=config.task_weights,
        held_out_fraction=config.held_out_fraction,
    )
    contents = []
    for source in plan_collections(corpus):
        for genre, split in product(source.genres, Split):
            own_tokens = tokens_of(corpus, source, genre, split)
            share = own_tokens / num_tokens.get((genre, split), 1.0)
            # More contexts of the same documents would ask the same again.
            most = max(_MIN_CONTEXTS, int(own_tokens / _TOKENS_PER_CONTEXT))
            number = min(most, round(num_contexts.get((genre, split), 0) * share))
            for first in range(0, number, _CONTEXTS_PER_SHARD):
                content = WeaveContent(
                    source=source,
                    config=config,
                    counter_name=counter_name,
                    split=split,
                    genre=genre,
                    numbers=(first, min(first + _CONTEXTS_PER_SHARD, number)),
                )
                contents.append((_weave_key(content, corpus), content))
    step = Step(name="weave", folder=folder / STEPS_FOLDER / "weave", make=weave)
    done = step.run(step.tasks(contents, suffix=".done"), executor, progress=progress)
    return [path.with_suffix("") for path in done]


def _weave_key(content: WeaveContent, corpus: SettledCorpus) -> str:
    settings = content.config.model_dump(mode="json", exclude=_NOT_WOVEN)
    return digest_of(
        WEAVING_VERSION,
        corpus.digest,
        settings,
        content.counter_name,
        [path.stem for path in content.source.documents],
        content.source.genres,
        content.split,
        content.genre,
        content.numbers,
    )
