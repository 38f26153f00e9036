"""Compare two models on the same held-out questions, with a paired interval.

python examples/evaluate_checkpoint.py questions tiny-base training/checkpoints/stage-1/final
"""

import sys

import longloom
from longloom.recipes.api import accuracy_by_task
from longloom.report.estimates import difference


def main(questions: str, before: str, after: str, num_samples: str = "2") -> None:
    cells = [
        longloom.evaluate(questions, model=model, num_samples=int(num_samples))
        for model in (before, after)
    ]
    tables = [accuracy_by_task(cell) for cell in cells]
    for task, figure in tables[0].items():
        print(f"{task:<22} {figure.value:6.1%} -> {tables[1][task].value:6.1%}")
    change = difference(*cells)
    assert change is not None  # both were asked the same questions
    print(f"difference {change.value:+.1%} (95%: {change.low:+.1%} to {change.high:+.1%})")


if __name__ == "__main__":
    main(*sys.argv[1:])
