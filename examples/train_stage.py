"""Train one stage on the questions of `synthesize_documents.py`.

python examples/train_stage.py questions training
"""

import sys

import longloom
from longloom.recipes.api import SilentListener
from longloom.training.loop import StepResult


class RewardPrinter(SilentListener):
    """Prints the mean reward of every step."""

    def on_step(self, stage: str, num_steps: int, result: StepResult) -> None:
        print(f"{stage} {result.step}/{num_steps}  reward {result.metrics['reward/mean']:.3f}")


def main(questions: str, output: str, model: str = "tiny-base", *overrides: str) -> None:
    trained = longloom.train(
        questions,
        output=output,
        model=model,
        stage="stage-1",
        overrides=overrides or ("training.num_steps=8",),
        listener=RewardPrinter(),
    )
    print(f"trained model: {trained.model}")


if __name__ == "__main__":
    main(*sys.argv[1:])
