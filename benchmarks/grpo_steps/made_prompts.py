"""Prompts of an exact length in tokens, as the single-pass agent renders them."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from grpo_steps.made_model import WORDS

QUESTION = "what is the answer ?"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepShape:
    """The lengths of one step."""

    prompt_tokens: int
    """Tokens of the prompt, chat marks included."""
    response_tokens: int
    """Tokens of every answer."""
    group_size: int
    """Answers to the prompt."""

    @property
    def name(self) -> str:
        """`prompt/answer/group`."""
        return f"{self.prompt_tokens}/{self.response_tokens}/{self.group_size}"

    @classmethod
    def parse(cls, name: str) -> "StepShape":
        """Return the shape that `name` gives as `prompt/answer/group`."""
        prompt, response, group = (int(part) for part in name.split("/"))
        return cls(prompt_tokens=prompt, response_tokens=response, group_size=group)


@dataclass(frozen=True, slots=True, kw_only=True)
class MadePrompt:
    """One prompt."""

    context: str
    """The document."""
    text: str
    """The whole prompt, chat marks included."""


def make_prompts(tokenizer_folder: Path, num_tokens: int, count: int) -> list[MadePrompt]:
    """Return `count` different prompts of exactly `num_tokens` tokens, the same at every call.

    Raises:
        ValueError: the template alone is longer.
    """
    from longloom.text.prompts import single_pass_prompt
    from longloom.text.tokenizer import FolderTokenizer

    tokenizer = FolderTokenizer(tokenizer_folder)

    def rendered(context: str) -> str:
        message = single_pass_prompt("plain", context=context, question=QUESTION)
        return tokenizer.render_chat([{"role": "user", "content": message}])

    num_words = num_tokens - len(tokenizer.encode(rendered("")))
    if num_words < 2:
        raise ValueError(f"a prompt of {num_tokens} tokens has no room for a document")
    prompts = []
    for index in range(count):
        rng = Random(f"prompt/{num_tokens}/{index}")
        context = "".join(f" {rng.choice(WORDS)}" for _ in range(num_words))
        text = rendered(context)
        if (found := len(tokenizer.encode(text))) != num_tokens:
            raise ValueError(f"the prompt has {found} tokens; expected {num_tokens}")
        prompts.append(MadePrompt(context=context, text=text))
    return prompts


def write_prompts(path: Path, prompts: Sequence[MadePrompt]) -> None:
    """Write prompts as JSON for the children."""
    path.write_text(json.dumps([asdict(prompt) for prompt in prompts]), "utf-8")


def read_prompts(path: Path) -> list[MadePrompt]:
    """Return the prompts that `write_prompts` wrote."""
    return [MadePrompt(**fields) for fields in json.loads(path.read_text("utf-8"))]


def fingerprint(token_ids: Sequence[int]) -> str:
    """Return a short digest, by which two sides show that they read the same tokens."""
    return hashlib.sha256(" ".join(map(str, token_ids)).encode()).hexdigest()[:12]
