"""How many clients ask for what; the model that answers; prompts of about a wanted length."""

from dataclasses import dataclass
from random import Random

from grpo_steps.made_model import WORDS, ModelSizes

MODEL = ModelSizes(
    hidden_size=384,
    intermediate_size=1_408,
    num_hidden_layers=6,
    num_attention_heads=6,
    num_key_value_heads=2,
    head_dim=64,
    max_position_embeddings=16_384,
)
"""12.5M parameters; its answers have exactly as many tokens as they may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What a number of clients do at once."""

    name: str
    """Names it in the results."""
    num_clients: int
    """Clients that run at the same time."""
    num_requests: int
    """Requests of each, one after the other."""
    prompt_words: int
    """Words of each prompt; a word is one token, the chat's marks come on top."""
    answer_tokens: int
    """Tokens of each answer."""

    @property
    def num_answer_tokens(self) -> int:
        """Tokens of all answers together."""
        return self.num_clients * self.num_requests * self.answer_tokens


SCENARIOS = (
    Scenario(name="1", num_clients=1, num_requests=6, prompt_words=24, answer_tokens=64),
    Scenario(name="8", num_clients=8, num_requests=3, prompt_words=24, answer_tokens=64),
    Scenario(name="32", num_clients=32, num_requests=2, prompt_words=24, answer_tokens=64),
    Scenario(name="long", num_clients=4, num_requests=1, prompt_words=4_800, answer_tokens=64),
)
WARMING = Scenario(name="warming", num_clients=2, num_requests=1, prompt_words=24, answer_tokens=8)
"""What every side does before it is measured."""


def prompt_text(scenario: Scenario, client: int, number: int, *, round_number: int) -> str:
    """Return a message that no other client, request or round has."""
    rng = Random(f"{scenario.name}/{round_number}/{client}/{number}")
    return " " + " ".join(rng.choice(WORDS) for _ in range(scenario.prompt_words))
