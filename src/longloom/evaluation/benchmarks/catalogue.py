"""Every benchmark by name: the one list of them."""

from collections.abc import Mapping

from longloom.errors import ConfigError
from longloom.evaluation.benchmark import Benchmark
from longloom.evaluation.benchmarks import (
    corpusqa,
    docmath,
    frames,
    hotpotqa,
    leval,
    longbench_v1,
    longbench_v2,
    mrcr,
    tatqa,
)

_LISTED: tuple[Benchmark, ...] = (
    *corpusqa.BENCHMARKS,
    docmath.BENCHMARK,
    docmath.L1_BENCHMARK,
    frames.BENCHMARK,
    hotpotqa.BENCHMARK,
    leval.BENCHMARK,
    longbench_v1.BENCHMARK,
    longbench_v1.EVEN_BENCHMARK,
    *longbench_v1.QA_BENCHMARKS,
    longbench_v2.BENCHMARK,
    longbench_v2.L1_BENCHMARK,
    *mrcr.BENCHMARKS,
    tatqa.BENCHMARK,
)

BENCHMARKS: Mapping[str, Benchmark] = {
    benchmark.name: benchmark for benchmark in sorted(_LISTED, key=lambda one: one.name)
}
"""By name, in alphabetical order."""


def find_benchmark(name: str) -> Benchmark:
    """Return a benchmark.

    Raises:
        ConfigError: there is none of this name.
    """
    if name not in BENCHMARKS:
        raise ConfigError(f"benchmark {name!r} is unknown; expected one of {', '.join(BENCHMARKS)}")
    return BENCHMARKS[name]
