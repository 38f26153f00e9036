"""What of a synthesis runs on a Ray cluster, and the check that the cluster can do it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from longloom.engines.ray.cluster import joined_cluster
from longloom.engines.ray.executor import RayExecutor
from longloom.engines.ray.model import RayModel
from longloom.engines.ray.nodes import check_nodes
from longloom.executor import Executor
from longloom.models.endpoint.opening import OpenModel
from longloom.synthesis.config import SynthesisConfig
from longloom.synthesis.documents.files import find_files
from longloom.text.token_counts import ESTIMATE


@contextmanager
def synthesis_on_ray(
    address: str,
    config: SynthesisConfig,
    output: Path,
    counter_name: str,
    num_workers: int | None,
    notify: Callable[[str], None],
) -> Iterator[tuple[Executor, OpenModel]]:
    """Join a cluster and give what works on it: tasks for shards, actors for models.

    Args:
        address: see `joined_cluster`.
        config: the settings.
        output: the output folder; it must exist.
        counter_name: `estimate`, or the model folder whose tokenizer counts.
        num_workers: tasks at a time; as many as the cluster has CPUs if not given.
        notify: is told where the work is done.

    Raises:
        EngineError: the cluster cannot be joined, or a node does not see what it needs.
        MissingDependencyError: Ray is not installed.
    """
    files = [file for source in config.documents for file in find_files(source)]
    sources = [Path(name) for name in config.decontaminate_against]
    if counter_name != ESTIMATE:
        sources.append(Path(counter_name))
    if any(not path.is_absolute() for path in (output, *sources, *(file.path for file in files))):
        sources.append(Path.cwd())  # which relative paths are below
    executor = RayExecutor(num_workers)
    with joined_cluster(address, num_cpus=num_workers) as cluster:
        num_nodes = check_nodes(output, sources, [(file.path, file.num_bytes) for file in files])
        nodes = f"{num_nodes} node{'s' if num_nodes > 1 else ''}"
        notify(f"Ray: {nodes} of the cluster at {cluster}")
        yield executor, RayModel
