"""The whole of synthesis: documents in, verified examples out.

    read_corpus -> CorpusIndex -> View per split -> drafts per task -> written, checked examples
                                                  -> second opinion on numbers -> result

Deterministic: every random choice comes from (seed, split, band, task), and nothing depends on
the order of a set or of a hash.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from longloom.errors import DataError
from longloom.records import Context, Example, Split, TaskType
from longloom.synthesis.miniature.checks import Refusal
from longloom.synthesis.miniature.config import MiniatureConfig
from longloom.synthesis.miniature.documents import Corpus, Progress, read_corpus
from longloom.synthesis.miniature.generators import GENERATORS
from longloom.synthesis.miniature.index import CorpusIndex, View
from longloom.synthesis.miniature.programs import Difference, Maximum, Sum
from longloom.synthesis.miniature.second_opinion import NumericClaim, disagreements
from longloom.synthesis.miniature.writer import ExampleWriter, LengthRange, Written
from longloom.synthesis.prompt_length import PromptMeter, check_template_fits
from longloom.synthesis.task_weights import task_quotas
from longloom.text.tokenizer import Tokenizer

logger = logging.getLogger(__name__)

_MAX_ATTEMPTS_PER_EXAMPLE = 40
_MIN_ATTEMPTS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class MiniatureSummary:
    """What was read, made and refused."""

    num_documents: int
    """Documents of the corpus."""
    num_held_out_documents: int
    """Documents whose facts are asked in the held-out split only."""
    num_facts: int
    """Facts of the corpus."""
    skipped_files: Mapping[str, int]
    """Files left out, by reason."""
    wanted: Mapping[str, int]
    """Examples asked for, by `split/limit/task`."""
    written: Mapping[str, int]
    """Examples made, by `split/limit/task`."""
    refused: Mapping[str, int]
    """Drafts refused, by `task/reason`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MiniatureResult:
    """Verified examples with their contexts."""

    train: tuple[Example, ...]
    """Training examples, shortest band first."""
    held_out: tuple[Example, ...]
    """Held-out examples, shortest band first."""
    contexts: Mapping[str, Context]
    """Contexts by id."""
    summary: MiniatureSummary
    """Counts."""


def synthesize(
    config: MiniatureConfig,
    *,
    tokenizer: Tokenizer,
    corpus: Corpus | None = None,
    progress: Progress | None = None,
) -> MiniatureResult:
    """Make training and held-out examples of every task and length band.

    Raises:
        ConfigError: the shortest band has no room for a document.
        DataError: the documents cannot be read, or no question can be made from them.
    """
    check_template_fits(config.template, config.length_bands[0], tokenizer)
    corpus = corpus or read_corpus(config.documents, progress=progress)
    index = CorpusIndex(corpus, config, tokenizer=tokenizer)
    meter = PromptMeter(tokenizer, config.template)
    counts = _Counts()
    written: dict[Split, list[Written]] = {}
    for split, num_examples in (
        (Split.TRAIN, config.num_train_examples),
        (Split.HELD_OUT, config.num_held_out_examples),
    ):
        writer = ExampleWriter(View(index, split), meter, counts_context_alone=False)
        written[split] = _write_split(writer, split, num_examples, config, counts, progress)
    if not any(written.values()) and config.num_train_examples + config.num_held_out_examples:
        raise DataError(
            f"no question could be made from {config.documents!r} ({len(corpus.documents)} "
            f"documents, {index.num_facts} facts); expected code, tables or linked documents "
            "(set synthesis.documents, or raise synthesis.max_name_tokens and max_block_tokens)"
        )
    return MiniatureResult(
        train=tuple(entry.example for entry in written[Split.TRAIN]),
        held_out=tuple(entry.example for entry in written[Split.HELD_OUT]),
        contexts={
            entry.context.context_id: entry.context
            for entries in written.values()
            for entry in entries
        },
        summary=counts.summary(corpus, index),
    )


class _Counts:
    """Counts what happens on the way."""

    def __init__(self) -> None:
        self.wanted: Counter[str] = Counter()
        self.written: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    def summary(self, corpus: Corpus, index: CorpusIndex) -> MiniatureSummary:
        return MiniatureSummary(
            num_documents=len(corpus.documents),
            num_held_out_documents=index.num_documents_of(Split.HELD_OUT),
            num_facts=index.num_facts,
            skipped_files=dict(corpus.skipped),
            wanted=dict(self.wanted),
            written=dict(self.written),
            refused=dict(sorted(self.refused.items())),
        )


def _write_split(
    writer: ExampleWriter,
    split: Split,
    num_examples: int,
    config: MiniatureConfig,
    counts: _Counts,
    progress: Progress | None,
) -> list[Written]:
    entries: list[Written] = []
    quotas = task_quotas(num_examples, config.task_weights)
    shorter = 0
    total = num_examples * len(config.length_bands)
    for band in config.length_bands:
        floor = max(shorter, int(band * config.min_filled_fraction))
        lengths = LengthRange(min_tokens=floor, max_tokens=band)
        for task, quota in quotas.items():
            key = f"{split}/{band}/{task}"
            made = write_examples_of(
                writer, task, quota, lengths, Random(f"{config.seed}/{key}"), counts.refused
            )
            counts.wanted[key] = quota
            counts.written[key] = len(made)
            entries += made
            if len(made) < quota:
                logger.warning("%s: %d of %d examples could be made", key, len(made), quota)
            if progress is not None:
                progress(f"writing {split} questions", len(entries), total)
        shorter = band
    return entries


def write_examples_of(
    writer: ExampleWriter,
    task: TaskType,
    quota: int,
    lengths: LengthRange,
    rng: Random,
    refused: Counter[str],
) -> list[Written]:
    """Return up to `quota` examples of one task, fewer if the documents give no more."""
    if quota == 0:
        return []
    made: dict[str, Written] = {}
    attempts_left = max(_MIN_ATTEMPTS, quota * _MAX_ATTEMPTS_PER_EXAMPLE)
    for draft in GENERATORS[task](writer.view, rng):
        written = writer.write(draft, lengths, rng)
        if isinstance(written, Refusal):
            refused[f"{task}/{written}"] += 1
        elif written.example.example_id in made:
            refused[f"{task}/{Refusal.REPEATED}"] += 1
        else:
            made[written.example.example_id] = written
        attempts_left -= 1
        if len(made) == quota or attempts_left == 0:
            break
    for example_id in _contradicted(list(made.values())):
        del made[example_id]
        refused[f"{task}/{Refusal.SQL_DISAGREES}"] += 1
    return list(made.values())


def _contradicted(entries: Sequence[Written]) -> list[str]:
    claims = [
        NumericClaim(
            example_id=entry.example.example_id,
            program=entry.draft.program,
            answer=entry.example.answer,
            facts=entry.facts,
        )
        for entry in entries
        if isinstance(entry.draft.program, Difference | Maximum | Sum)
    ]
    return sorted(disagreements(claims))
