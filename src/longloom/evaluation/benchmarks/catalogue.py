"""Every benchmark by name: the one list of them."""

from collections.abc import Mapping

from longloom.errors import ConfigError
from longloom.evaluation.benchmark import Benchmark
from longloom.evaluation.benchmarks import (
    aime,
    corpusqa,
    docmath,
    frames,
    gpqa,
    hotpotqa,
    leval,
    longbench_v1,
    longbench_v2,
    longmemeval,
    mmlu_pro,
    mrcr,
    ruler_hqa,
    tatqa,
)
from longloom.evaluation.benchmarks.bfcl_memory import benchmark as bfcl_memory
from longloom.evaluation.benchmarks.ruler import benchmark as ruler

_LISTED: tuple[Benchmark, ...] = (
    *aime.BENCHMARKS.values(),
    bfcl_memory.BENCHMARK,
    *corpusqa.BENCHMARKS,
    docmath.BENCHMARK,
    docmath.L1_BENCHMARK,
    frames.BENCHMARK,
    gpqa.BENCHMARK,
    hotpotqa.BENCHMARK,
    leval.BENCHMARK,
    longbench_v1.BENCHMARK,
    longbench_v1.EVEN_BENCHMARK,
    *longbench_v1.QA_BENCHMARKS,
    longbench_v2.BENCHMARK,
    longbench_v2.L1_BENCHMARK,
    *longmemeval.BENCHMARKS.values(),
    mmlu_pro.BENCHMARK,
    *mrcr.BENCHMARKS,
    *ruler.BENCHMARKS.values(),
    *ruler_hqa.BENCHMARKS.values(),
    tatqa.BENCHMARK,
)

BENCHMARKS: Mapping[str, Benchmark] = {benchmark.name: benchmark for benchmark in _LISTED}
"""By name, in the order of their files; sizes of one benchmark from small to large."""


def find_benchmark(name: str) -> Benchmark:
    """Return a benchmark.

    Raises:
        ConfigError: there is none of this name.
    """
    if name not in BENCHMARKS:
        raise ConfigError(f"benchmark {name!r} is unknown; expected one of {', '.join(BENCHMARKS)}")
    return BENCHMARKS[name]
