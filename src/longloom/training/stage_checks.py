"""What a stage would be refused for, found before it, or any stage before it, is trained.

Batches, shares and validation are made once from the examples as they are and thrown away. What
selection by difficulty will leave is not known yet.
"""

from collections.abc import Sequence

from longloom.records import Example
from longloom.training.sampling import make_sampler
from longloom.training.selection import LengthBand, own_and_earlier
from longloom.training.stage import TrainingConfig
from longloom.training.validation import validation_examples


def check_stage(
    config: TrainingConfig,
    examples: Sequence[Example],
    validation: Sequence[Example],
    *,
    seed: int,
) -> None:
    """Refuse a stage whose examples do not do for it.

    Args:
        config: The stage's settings.
        examples: Training examples of any length.
        validation: Held-out examples.
        seed: As the stage will have it.

    Raises:
        DataError: no example is of the stage's lengths, a batch asks for more than there are, or
            validation is on and no held-out example fits.
        ConfigError: a weight is of a task or category without examples, or missing.
    """
    band = LengthBand(lower_tokens=config.min_prompt_tokens, upper_tokens=config.max_prompt_tokens)
    own, earlier = own_and_earlier(config.selection, examples, band)
    make_sampler(
        config.sampling,
        task_types=[example.task_type for example in (*own, *earlier)],
        abilities=[example.ability for example in (*own, *earlier)],
        seed=seed,
    )
    validation_examples(
        config.validation, validation, max_prompt_tokens=config.max_prompt_tokens, seed=seed
    )
