"""A child without any server: a batch that starts and ends together, and nothing but the model.

    python bare_loop.py FOLDER SCENARIOS_JSON ROUND RESULT_JSON

transformers' model with its growing cache, one token of every row a step, drawn at temperature 1.
Prompts are of equal length, so nothing is padded. It is the most that a server could reach whose
model is no faster.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from grpo_steps.process_memory import MemoryMeter

from serving_runs.scenarios import WARMING, Scenario, prompt_text


class BareLoop:
    """A model and a loop."""

    def __init__(self, folder: Path) -> None:
        """Load the model."""
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self._model = AutoModelForCausalLM.from_pretrained(folder).eval()
        self._tokenizer = AutoTokenizer.from_pretrained(folder)

    @torch.inference_mode()
    def answer(self, scenario: Scenario, round_number: int) -> int:
        """Answer all requests of a scenario, the clients in one batch; return their tokens."""
        num_tokens = 0
        for turn in range(scenario.num_requests):
            texts = [
                prompt_text(scenario, client, turn, round_number=round_number)
                for client in range(scenario.num_clients)
            ]
            token_ids = torch.tensor([self._rendered(text) for text in texts])
            cache = None
            for _ in range(scenario.answer_tokens):
                output = self._model(
                    token_ids, past_key_values=cache, use_cache=True, logits_to_keep=1
                )
                cache = output.past_key_values
                token_ids = output.logits[:, -1].float().softmax(-1).multinomial(1)
                num_tokens += len(token_ids)
        return num_tokens

    def _rendered(self, text: str) -> list[int]:
        chat = [{"role": "user", "content": text}]
        rendered = self._tokenizer.apply_chat_template(
            chat, add_generation_prompt=True, tokenize=False
        )
        token_ids: list[int] = self._tokenizer(rendered, add_special_tokens=False)["input_ids"]
        return token_ids


def measured(loop: BareLoop, scenario: Scenario, round_number: int) -> dict[str, Any]:
    """Return wall and CPU seconds and the tokens of a scenario."""
    wall, cpu = time.perf_counter(), time.process_time()
    num_tokens = loop.answer(scenario, round_number)
    return {
        "wall_seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "num_tokens": num_tokens,
    }


def main() -> None:
    """Run the scenarios and write what they took."""
    folder, names, round_number, result = sys.argv[1:]
    torch.set_num_threads(1)
    scenarios = [Scenario(**fields) for fields in json.loads(names)]
    loop = BareLoop(Path(folder))
    meter = MemoryMeter("cpu")
    loop.answer(WARMING, int(round_number))
    found = {each.name: measured(loop, each, int(round_number)) for each in scenarios}
    Path(result).write_text(json.dumps({"scenarios": found, **meter.figures()}), "utf-8")


if __name__ == "__main__":
    main()
