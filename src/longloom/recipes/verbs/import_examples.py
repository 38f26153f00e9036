"""Import somebody else's training file as a folder of examples."""

from pathlib import Path

from longloom.errors import ConfigError, DataError
from longloom.recipes.model_source import resolve_model
from longloom.records import Split
from longloom.runlog import atomic_folder
from longloom.synthesis.published import PublishedSet, import_published
from longloom.text.token_counts import ESTIMATE


def import_examples(
    source: Path | str,
    *,
    output: Path | str,
    model: Path | str = ESTIMATE,
    split: str | None = None,
    licence: str = "",
    keeps_usable: bool = False,
) -> PublishedSet:
    """Write the rows of a verl file, such as DocQA-RL-1.6K, as a folder of examples.

    Args:
        source: Parquet or JSON Lines in verl's columns.
        output: the new folder.
        model: whose tokens are counted: a model folder, or `estimate` for about Qwen3's.
        split: `train` or `held_out` for all rows; what each row states if not given, else train.
        licence: of the set, as its publisher states it.
        keeps_usable: leave out rows that cannot be used instead of refusing the file.

    Raises:
        ConfigError: `split` is unknown.
        DataError: the file or a row cannot be used, or the folder exists or cannot be written.
        ModelError: the model's tokenizer cannot be read.
    """
    if split is not None and split not in tuple(Split):
        raise ConfigError(f"split {split!r} is unknown; expected one of {', '.join(Split)}")
    counter_name = str(model) if str(model) == ESTIMATE else str(resolve_model(str(model)))
    with atomic_folder(Path(output), error_class=DataError) as partial:
        return import_published(
            Path(source),
            partial,
            counter_name=counter_name,
            split=None if split is None else Split(split),
            licence=licence,
            keeps_usable=keeps_usable,
        )
