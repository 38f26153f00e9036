"""Random sequences to learn from, and updates over them."""

import itertools
import random

from longloom.records import TrainingSequence
from longloom.training.engine import Update
from longloom.training.loss_config import LossDenominators


def sequences_of(seed=0, *, prompts=(7, 1, 12), group_size=3, old=False):
    """Return random sequences; those of one prompt do not stand together."""
    rng = random.Random(seed)

    def ids(count):
        return tuple(rng.randrange(256) for _ in range(count))

    def nats(count):
        return tuple(-rng.uniform(4.0, 7.0) for _ in range(count))

    prompt_ids = [ids(count) for count in prompts]
    found = []
    for _, prompt in itertools.product(range(group_size), prompt_ids):
        count = rng.randint(1, 9)
        found.append(
            TrainingSequence(
                prompt_ids=prompt,
                response_ids=ids(count),
                rollout_logprobs=nats(count),
                advantages=tuple(rng.choice((-1.0, 0.0, 0.5, 2.0)) for _ in range(count)),
                old_logprobs=nats(count) if old else None,
            )
        )
    return found


def update_of(sequences, **changes):
    num_tokens = sum(len(sequence.response_ids) for sequence in sequences)
    settings = {
        "sequences": sequences,
        "denominators": LossDenominators(num_tokens=num_tokens, num_sequences=len(sequences)),
        "temperature": 0.8,
        "learning_rate": 0.01,
        "max_grad_norm": 0.5,
    }
    return Update(**{**settings, **changes})
