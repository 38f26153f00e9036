"""Weave documents into verified long-context questions, and verify such a folder."""

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path

from longloom.config import apply_overrides, parse_config
from longloom.errors import ConfigError
from longloom.executor import Executor, ProcessExecutor
from longloom.models.endpoint.opening import CachedClient, OpenModel
from longloom.recipes.model_source import resolve_model
from longloom.recipes.verbs.ray_synthesis import synthesis_on_ray
from longloom.runlog import RunFolder
from longloom.synthesis.config import SynthesisConfig
from longloom.synthesis.corpus_steps import STEPS_FOLDER
from longloom.synthesis.documents.files import find_files
from longloom.synthesis.endpoint.plan import WITHOUT_ENDPOINT
from longloom.synthesis.endpoint.session import EndpointSession
from longloom.synthesis.pipeline import synthesize_corpus
from longloom.synthesis.selection.writing import Selected
from longloom.synthesis.verification import VerificationReport, verify_folder
from longloom.text.token_counts import ESTIMATE

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""
Notify = Callable[[str], None]
"""Told what a person should read, in whole lines."""


def synthesize(
    documents: Path | str | Sequence[Path | str] = "builtin",
    *,
    output: Path | str,
    model: Path | str = ESTIMATE,
    num_examples: int | None = None,
    mix: str | None = None,
    endpoint: str | None = None,
    model_name: str | None = None,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    num_workers: int | None = None,
    ray_address: str | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    notify: Notify = lambda message: None,
) -> Selected:
    """Make verified questions over long contexts; continue what the folder holds.

    Args:
        documents: folders and files, or `builtin`.
        output: the folder to write or to continue.
        model: whose tokens are counted: a model folder, or `estimate` for about Qwen3's.
        num_examples: questions at most; as many as the mix has if not given.
        mix: `qwenlong-l15`, `docqa-rl` or `uniform`.
        endpoint: OpenAI-compatible address of a model that may be asked; none is without it. Its
            key is read from the environment (`LONGLOOM_API_KEY`, `OPENAI_API_KEY`).
        model_name: the model's name as the server knows it.
        overrides: changed settings as `a.b=c`.
        seed: everything random is drawn from it.
        num_workers: worker processes; as many as there are cores if not given. On Ray, tasks at a
            time; as many as the cluster has CPUs if not given.
        ray_address: Ray cluster to work on, `auto` or as `ray start` printed it; empty for that of
            RAY_ADDRESS, and where there is none for one started on this machine. None for no Ray.
        executor: where the work is done instead of in worker processes.
        progress: is told how far the work is.
        notify: is told what is left out or sent where, and what calls cost.

    Raises:
        ConfigError: a setting is refused.
        DataError: the documents cannot be used or the folder cannot be written.
        EngineError: the cluster cannot be joined, or a node of it cannot do the work.
        ModelError: the model's tokenizer cannot be read, or the endpoint gives no replies; what
            it replied is kept, and the same call goes on.
    """
    config = synthesis_config(
        documents, num_examples, mix, overrides, seed, endpoint=endpoint, model_name=model_name
    )
    counter_name = str(model) if str(model) == ESTIMATE else str(resolve_model(str(model)))
    for source in config.documents:
        find_files(source)  # what is missing is said before anything is written
    if ray_address is not None and executor is not None:
        raise ConfigError(
            f"ray_address is {ray_address!r} and an executor is given; expected one of them"
        )
    workers = ProcessExecutor((os.cpu_count() or 1) if num_workers is None else num_workers)
    folder = RunFolder(Path(output))
    folder.create()
    if config.endpoint is None:
        notify(f"plan: {WITHOUT_ENDPOINT}")
    with ExitStack() as during:
        during.enter_context(folder.lock())
        open_model: OpenModel = CachedClient
        if ray_address is not None:
            on_ray = synthesis_on_ray(
                ray_address, config, folder.path, counter_name, num_workers, notify
            )
            executor, open_model = during.enter_context(on_ray)
        session = during.enter_context(_session(config, folder.path, notify, open_model))
        return synthesize_corpus(
            config,
            folder=folder.path,
            executor=executor or workers,
            counter_name=counter_name,
            progress=progress,
            session=session,
        )


def _session(
    config: SynthesisConfig, folder: Path, notify: Notify, open_model: OpenModel
) -> AbstractContextManager[EndpointSession | None]:
    if config.endpoint is None:
        return nullcontext()
    return EndpointSession(
        config.endpoint, folder / STEPS_FOLDER, notify=notify, open_model=open_model
    )


def synthesis_config(
    documents: Path | str | Sequence[Path | str],
    num_examples: int | None,
    mix: str | None,
    overrides: Sequence[str],
    seed: int | None,
    endpoint: str | None = None,
    model_name: str | None = None,
) -> SynthesisConfig:
    """Return the settings of `synthesize`.

    Raises:
        ConfigError: a setting is unknown or out of range.
    """
    sources = [documents] if isinstance(documents, str | Path) else list(documents)
    if not sources:
        raise ConfigError("no documents given; expected folders, files or `builtin`")
    given = {"num_examples": num_examples, "mix": mix, "seed": seed}
    if (endpoint is None) != (model_name is None):
        raise ConfigError(
            f"endpoint is {endpoint!r} and the model name {model_name!r}; expected both or "
            "neither (--endpoint URL --model-name NAME)"
        )
    connection = {"url": endpoint, "model": model_name}
    config = SynthesisConfig().replace(
        documents=tuple(str(source) for source in sources),
        endpoint={"connection": connection} if endpoint is not None else None,
        **{name: value for name, value in given.items() if value is not None},
    )
    settings = apply_overrides(config.model_dump(mode="json"), overrides)
    if num_examples is None and not any(name.startswith("num_examples=") for name in overrides):
        del settings["num_examples"]  # then the mix says how many
    return parse_config(SynthesisConfig, settings)


def verify(folder: Path | str, progress: Progress | None = None) -> VerificationReport:
    """Execute every example of a folder again, from its files alone.

    Raises:
        DataError: the folder cannot be read.
    """
    return verify_folder(Path(folder), progress)
