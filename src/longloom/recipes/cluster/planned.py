"""verl's files of a run, without running anything: what `--dry-run` prints."""

from pathlib import Path

from longloom.engines.model_sizes import ModelSizes
from longloom.engines.verl.stage_file import sft_file
from longloom.errors import ConfigError, EngineError
from longloom.recipes.cluster.fine_tuning import sft_stage_of
from longloom.recipes.cluster.stages import ClusterStage, file_of, refuse_unsupported
from longloom.recipes.planning.known_models import model_sizes
from longloom.recipes.run_config import RunConfig, StageConfig

_WHEN_KNOWN = "FOLDER-OF-THE-STAGE"


def planned_files(config: RunConfig) -> list[tuple[str, str]]:
    """Return each stage that verl trains with its file, or why there is none.

    Folders stand for those that are known when the stage begins.

    Raises:
        ModelError: the model is neither a folder nor known by name.
    """
    sizes = model_sizes(config.model)
    stages = [stage for stage in config.stages if stage.merge is None]
    return [(stage.name, _text(config, stage, sizes)) for stage in stages]


def _text(config: RunConfig, stage: StageConfig, sizes: ModelSizes) -> str:
    start = Path(config.model if stage.start == "base" else f"checkpoints/{stage.start}/final")
    one = ClusterStage(
        config=config,
        stage=stage,
        start=start,
        examples=Path("synthesis"),
        folder=Path(_WHEN_KNOWN),
    )
    try:
        refuse_unsupported(config, stage)
        if stage.sft is None:
            return file_of(one, sizes).text
        # As many rows as fill one batch: their number is known when they have been read.
        told = sft_stage_of(one, stage.sft.batch_size)
        return sft_file(told, one.cluster, sizes, optimizer=config.engine.optimizer).text
    except (ConfigError, EngineError) as error:
        return f"# stage {stage.name} does not run so: {error}\n"
