"""The whole of synthesis: files in, a folder of verified examples out.

    find files -> read -> decide -> (refine) -> settle -> collections -> weave -> (ask, check)
               -> select -> write

What stands in brackets asks a model and is left out without one (`endpoint/`).

Every step keeps its shards in the output folder, named by what they are made of: the same command
continues a killed run, and a changed setting redoes only what follows from it. Memory is bounded
by a collection of documents, not by the corpus.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pyarrow.parquet as pq

from longloom.errors import DataError
from longloom.executor import Executor
from longloom.records import Split
from longloom.synthesis.config import SynthesisConfig
from longloom.synthesis.curation.decisions import read_decisions, write_decisions
from longloom.synthesis.curation.decontamination import load_benchmarks
from longloom.synthesis.documents.files import FoundFile, find_files
from longloom.synthesis.endpoint.corpus_uses import CorpusShards, refine_corpus
from longloom.synthesis.endpoint.question_uses import (
    VOTES_PREFIX,
    WovenCorpus,
    add_to_summary,
    ask_and_check,
)
from longloom.synthesis.endpoint.self_play_questions import ClusterSource
from longloom.synthesis.endpoint.session import EndpointSession
from longloom.synthesis.mixes import MIXES
from longloom.synthesis.reading import (
    READING_VERSION,
    ReadContent,
    read_shard,
    shards_of,
    without_the_file,
)
from longloom.synthesis.selection.writing import Selected, write_selected
from longloom.synthesis.settling import SETTLING_VERSION, SettleContent, decide, settle_shard
from longloom.synthesis.steps import Step, digest_of
from longloom.synthesis.steps.shards import Progress
from longloom.synthesis.twinning import write_twins
from longloom.synthesis.verification import DOCUMENTS_FOLDER, FACTS_FOLDER
from longloom.synthesis.weaving.shares import contexts_by_genre
from longloom.synthesis.weaving.splits import split_by_title
from longloom.synthesis.weaving.weave import (
    WEAVING_VERSION,
    CollectionSource,
    WeaveContent,
    weave,
)
from longloom.text.token_counts import ESTIMATE, load_counter

logger = logging.getLogger(__name__)

STEPS_FOLDER = "steps"
_COLLECTION_TOKENS = 6_000_000
_CONTEXTS_PER_SHARD = 30
_NOT_WOVEN = {"curation", "decontaminate_against", "documents", "endpoint", "twin_fraction"}
"""Settings that change nothing about what is woven from the same settled documents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Corpus:
    """The settled corpus."""

    documents: tuple[Path, ...]
    facts: tuple[Path, ...]
    decisions: Path
    digest: str
    num_tokens: Mapping[tuple[str, Split], float]
    """Tokens by genre and split."""


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
    read = _read(config, folder, executor, counter_name, progress)
    if session is not None:
        read = refine_corpus(session, read, folder / STEPS_FOLDER, progress)
    corpus = _settle(config, read, folder, executor, progress)
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
    _remove_others([*corpus.facts, *votes], keeps_votes=False)
    if config.twin_fraction:
        write_twins(
            folder,
            config.twin_fraction,
            counter=load_counter(counter_name),
            seed=config.seed,
            template=config.template,
        )
    return add_to_summary(session, folder, selected, counts) if session is not None else selected


def _woven(corpus: _Corpus, shards: Sequence[Path]) -> WovenCorpus:
    """Return what models are told of the corpus and of the contexts woven from it."""
    clusters = [
        ClusterSource(
            source=_source(corpus, genres),
            split=split,
            num_tokens=sum(corpus.num_tokens.get((genre, split), 0.0) for genre in genres),
        )
        for genres in _collections(corpus)
        for split in Split
    ]
    return WovenCorpus(
        documents=corpus.documents,
        facts=corpus.facts,
        digest=corpus.digest,
        clusters=tuple(clusters),
        shards=tuple(shards),
    )


def _read(
    config: SynthesisConfig,
    folder: Path,
    executor: Executor,
    counter_name: str,
    progress: Progress | None,
) -> CorpusShards:
    """Read the files and decide, by rules alone, what is kept."""
    steps = folder / STEPS_FOLDER
    files = [file for source in config.documents for file in find_files(source)]
    if not files:
        raise DataError(f"documents {', '.join(config.documents)} hold no files")
    contents = [
        _read_content(shard, config, counter_name, steps / "read") for shard in shards_of(files)
    ]
    read = Step(
        name="read", folder=steps / "read", make=read_shard, make_after_failure=without_the_file
    )
    documents = read.run(
        read.tasks(contents), executor, progress=progress, silent_seconds=config.file_seconds
    )
    facts = [path.with_name(f"{path.stem}.facts.parquet") for path in documents]
    digest = digest_of(SETTLING_VERSION, [path.stem for path in documents])
    decisions = steps / f"decisions-{digest}.json"
    if not decisions.exists():
        write_decisions(decisions, decide(documents, facts, config.curation))
    return CorpusShards(
        documents=tuple(documents),
        facts=tuple(facts),
        decisions=decisions,
        digest=digest,
        counts={},
    )


def _read_content(
    shard: tuple[FoundFile, ...], config: SynthesisConfig, counter_name: str, folder: Path
) -> tuple[str, ReadContent]:
    key = digest_of(
        READING_VERSION,
        config.curation.model_dump(mode="json"),
        counter_name,
        config.max_file_bytes,
        load_benchmarks(config.decontaminate_against).digest
        if config.decontaminate_against
        else "",
        [(file.name, _file_digest(file), file.licence, file.may_be_altered) for file in shard],
    )
    content = ReadContent(
        files=shard,
        facts_target=folder / f"{key}.facts.parquet",
        curation=config.curation,
        counter_name=counter_name,
        max_file_bytes=config.max_file_bytes,
        benchmarks=config.decontaminate_against,
    )
    return key, content


def _settle(
    config: SynthesisConfig,
    read: CorpusShards,
    folder: Path,
    executor: Executor,
    progress: Progress | None,
) -> _Corpus:
    settle = Step(name="settle", folder=folder / DOCUMENTS_FOLDER, make=settle_shard)
    settled = settle.run(
        settle.tasks(
            [
                (
                    key := digest_of(read.digest, path.stem),
                    SettleContent(
                        documents=path,
                        facts=fact_path,
                        decisions=read.decisions,
                        facts_target=folder / FACTS_FOLDER / f"{key}.parquet",
                    ),
                )
                for path, fact_path in zip(read.documents, read.facts, strict=True)
            ]
        ),
        executor,
        progress=progress,
    )
    _remove_others(settled)
    settled_facts = [folder / FACTS_FOLDER / path.name for path in settled]
    _remove_others(settled_facts)
    return _Corpus(
        documents=tuple(settled),
        facts=tuple(settled_facts),
        decisions=read.decisions,
        digest=read.digest,
        num_tokens=_tokens_by_genre(settled, config.held_out_fraction),
    )


def _remove_others(paths: Sequence[Path], *, keeps_votes: bool = True) -> None:
    """Remove the shards of an earlier corpus, which verification would read too.

    Records of votes are kept until there are new examples: they belong to those that are there.
    """
    wanted = set(paths)
    for path in paths[0].parent.glob("*.parquet") if paths else ():
        is_vote = path.name.startswith(VOTES_PREFIX)
        if path not in wanted and not (is_vote and keeps_votes):
            path.unlink()


def _file_digest(file: FoundFile) -> str:
    digest = sha256()
    try:
        with file.path.open("rb") as stream:
            while piece := stream.read(1 << 20):
                digest.update(piece)
    except OSError:
        return "unreadable"
    return digest.hexdigest()


def _tokens_by_genre(
    shards: Sequence[Path], held_out_fraction: float
) -> dict[tuple[str, Split], float]:
    totals: dict[tuple[str, Split], float] = {}
    for path in shards:
        table = pq.read_table(path, columns=["title", "genre", "block_tokens"])
        titles = table.column("title").to_pylist()
        splits = split_by_title(titles, held_out_fraction)
        for title, genre, tokens in zip(
            titles,
            table.column("genre").to_pylist(),
            table.column("block_tokens").to_pylist(),
            strict=True,
        ):
            key = (genre, splits[title])
            totals[key] = totals.get(key, 0.0) + sum(tokens)
    return totals


def _collections(corpus: _Corpus) -> list[tuple[str, ...]]:
    """Return the genres of each collection: small genres together, up to a size."""
    by_genre: Counter[str] = Counter()
    for (genre, _), tokens in corpus.num_tokens.items():
        by_genre[genre] += int(tokens)
    groups: list[tuple[str, ...]] = []
    group: list[str] = []
    size = 0
    for genre in sorted(by_genre):
        if group and size + by_genre[genre] > _COLLECTION_TOKENS:
            groups.append(tuple(group))
            group, size = [], 0
        group.append(genre)
        size += by_genre[genre]
    return [*groups, tuple(group)] if group else groups


def _source(corpus: _Corpus, genres: tuple[str, ...]) -> CollectionSource:
    return CollectionSource(
        documents=corpus.documents,
        facts=corpus.facts,
        decisions=corpus.decisions,
        genres=genres,
    )


def _weave(
    config: SynthesisConfig,
    corpus: _Corpus,
    folder: Path,
    executor: Executor,
    counter_name: str,
    progress: Progress | None,
) -> list[Path]:
    contents = []
    num_contexts = contexts_by_genre(
        MIXES[config.mix],
        corpus.num_tokens,
        num_examples=config.num_examples,
        questions_per_context=config.questions_per_context,
        weights=config.task_weights,
        held_out_fraction=config.held_out_fraction,
    )
    for genres in _collections(corpus):
        source = _source(corpus, genres)
        for genre in genres:
            for split in Split:
                number = num_contexts.get((genre, split), 0)
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


def _weave_key(content: WeaveContent, corpus: _Corpus) -> str:
    settings = content.config.model_dump(mode="json", exclude=_NOT_WOVEN)
    return digest_of(
        WEAVING_VERSION,
        corpus.digest,
        settings,
        content.counter_name,
        content.source.genres,
        content.split,
        content.genre,
        content.numbers,
    )
