"""Compare two models on the same held-out questions, with a paired interval.

python examples/evaluate_checkpoint.py questions tiny-base training/checkpoints/stage-1/final
"""

import sys
from pathlib import Path

import longloom


def main(questions: str, before: str, after: str, num_samples: str = "2", into: str = ".") -> None:
    folders = [Path(into) / name for name in ("scores_before", "scores_after")]
    for model, folder in zip((before, after), folders, strict=True):
        longloom.evaluate(questions, model=model, num_samples=int(num_samples), output=folder)
    for benchmark in longloom.compare(*folders).paired:
        change = benchmark.difference
        before_and_after = f"{benchmark.baseline.value:.1%} -> {benchmark.candidate.value:.1%}"
        print(f"{benchmark.title}: {before_and_after}")
        print(f"difference {change.value:+.1%} (95%: {change.low:+.1%} to {change.high:+.1%})")


if __name__ == "__main__":
    main(*sys.argv[1:])
