"""Every benchmark by name: the one list of them."""

from collections.abc import Mapping

from longloom.errors import ConfigError
from longloom.evaluation.benchmark import Benchmark
from longloom.evaluation.benchmarks import longbench_v2

BENCHMARKS: Mapping[str, Benchmark] = {
    benchmark.name: benchmark for benchmark in (longbench_v2.BENCHMARK,)
}
"""In alphabetical order."""


def find_benchmark(name: str) -> Benchmark:
    """Return a benchmark.

    Raises:
        ConfigError: there is none of this name.
    """
    if name not in BENCHMARKS:
        raise ConfigError(f"benchmark {name!r} is unknown; expected one of {', '.join(BENCHMARKS)}")
    return BENCHMARKS[name]
