"""The first steps: files are read, and what is decided about all of them is settled on disk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pyarrow.parquet as pq

from longloom.errors import DataError
from longloom.executor import Executor
from longloom.records import Split
from longloom.synthesis.config import SynthesisConfig
from longloom.synthesis.curation.decisions import write_decisions
from longloom.synthesis.curation.decontamination import load_benchmarks
from longloom.synthesis.documents.files import FoundFile, find_files
from longloom.synthesis.endpoint.corpus_uses import CorpusShards
from longloom.synthesis.endpoint.question_uses import VOTES_PREFIX
from longloom.synthesis.reading import (
    READING_VERSION,
    ReadContent,
    read_shard,
    shards_of,
    without_the_file,
)
from longloom.synthesis.settling import SETTLING_VERSION, SettleContent, decide, settle_shard
from longloom.synthesis.steps import Step, digest_of
from longloom.synthesis.steps.shards import Progress
from longloom.synthesis.verification import DOCUMENTS_FOLDER, FACTS_FOLDER
from longloom.synthesis.weaving.splits import split_by_title

STEPS_FOLDER = "steps"
"""Where the shards of the steps lie, in the output folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledCorpus:
    """The documents kept, with their facts, as questions are made from them."""

    documents: tuple[Path, ...]
    """Shards of documents."""
    facts: tuple[Path, ...]
    """Shards of their facts, in the same order."""
    decisions: Path
    """What was decided (`curation/decisions.py`)."""
    digest: str
    """Stands for all of it."""
    tokens_by_shard: tuple[Mapping[tuple[str, Split], float], ...]
    """Tokens by genre and split, for each shard."""

    @property
    def num_tokens(self) -> dict[tuple[str, Split], float]:
        """Tokens by genre and split."""
        totals: dict[tuple[str, Split], float] = {}
        for tokens in self.tokens_by_shard:
            for key, number in tokens.items():
                totals[key] = totals.get(key, 0.0) + number
        return totals


def read_files(
    config: SynthesisConfig,
    folder: Path,
    executor: Executor,
    counter_name: str,
    progress: Progress | None,
) -> CorpusShards:
    """Read the files and decide, by rules alone, what is kept.

    Raises:
        DataError: there are no files, or a shard is damaged.
    """
    steps = folder / STEPS_FOLDER
    files = [
        file
        for source in config.documents
        for file in find_files(source)
        if not file.path.resolve().is_relative_to(folder.resolve())  # our own output
    ]
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


def settle(
    config: SynthesisConfig,
    read: CorpusShards,
    folder: Path,
    executor: Executor,
    progress: Progress | None,
) -> SettledCorpus:
    """Write the corpus as it was decided about, and remove that of an earlier decision."""
    step = Step(name="settle", folder=folder / DOCUMENTS_FOLDER, make=settle_shard)
    settled = step.run(
        step.tasks(
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
    remove_others(settled)
    settled_facts = [folder / FACTS_FOLDER / path.name for path in settled]
    remove_others(settled_facts)
    return SettledCorpus(
        documents=tuple(settled),
        facts=tuple(settled_facts),
        decisions=read.decisions,
        digest=read.digest,
        tokens_by_shard=tuple(_tokens_by_genre(path, config.held_out_fraction) for path in settled),
    )


def remove_others(paths: Sequence[Path], *, keeps_votes: bool = True) -> None:
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


def _tokens_by_genre(path: Path, held_out_fraction: float) -> dict[tuple[str, Split], float]:
    totals: dict[tuple[str, Split], float] = {}
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
