"""Merge two models that were trained from the same one, and see how each counted.

python examples/merge_models.py merged tiny-base FIRST_MODEL SECOND_MODEL
"""

import sys

import longloom


def main(output: str, pivot: str, *models: str) -> None:
    merged = longloom.merge(pivot, models, output=output, method="sce")
    for model, weight in zip(merged.models, merged.coefficients, strict=True):
        print(f"{weight:.3f}  {model}")
    print(f"opposite directions at {merged.sign_conflict_fraction:.1%} of the positions")


if __name__ == "__main__":
    main(*sys.argv[1:])
