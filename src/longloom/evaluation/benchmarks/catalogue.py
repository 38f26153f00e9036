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

BENCHMARKS: Mapping[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        *corpusqa.BENCHMARKS,
        docmath.BENCHMARK,
        docmath.L1_BENCHMARK,
        frames.BENCHMARK,
        hotpotqa.BENCHMARK,
        leval.BENCHMARK,
        longbench_v1.EVEN_BENCHMARK,
        longbench_v1.BENCHMARK,
        longbench_v1.QA_BENCHMARK,
        longbench_v2.BENCHMARK,
        longbench_v2.L1_BENCHMARK,
        *mrcr.BENCHMARKS,
        tatqa.BENCHMARK,
    )
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
