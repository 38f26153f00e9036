"""Every benchmark by name: the one list of them."""

from collections.abc import Mapping

from longloom.errors import ConfigError
from longloom.evaluation.benchmark import Benchmark
from longloom.evaluation.benchmarks import (
    aime,
    gpqa,
    longbench_v2,
    longmemeval,
    mmlu_pro,
    ruler_hqa,
)
from longloom.evaluation.benchmarks.bfcl_memory import benchmark as bfcl_memory
from longloom.evaluation.benchmarks.ruler import benchmark as ruler

BENCHMARKS: Mapping[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        *aime.BENCHMARKS.values(),
        bfcl_memory.BENCHMARK,
        gpqa.BENCHMARK,
        longbench_v2.BENCHMARK,
        *longmemeval.BENCHMARKS.values(),
        mmlu_pro.BENCHMARK,
        *ruler.BENCHMARKS.values(),
        *ruler_hqa.BENCHMARKS.values(),
    )
}
"""In alphabetical order of their files; sizes of one benchmark from small to large."""


def find_benchmark(name: str) -> Benchmark:
    """Return a benchmark.

    Raises:
        ConfigError: there is none of this name.
    """
    if name not in BENCHMARKS:
        raise ConfigError(f"benchmark {name!r} is unknown; expected one of {', '.join(BENCHMARKS)}")
    return BENCHMARKS[name]
