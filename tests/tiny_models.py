"""Real models and tokenizers small enough to build for a test session.

Two layers of width 32 and 272 tokens: one per byte, the chat marks and the tags of the prompts.
transformers makes the folders, so what it writes is what our own network must read.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

MARKS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TAGS = ("<think>", "</think>", "<memory>", "</memory>", "<plan>", "</plan>")
VOCABULARY_SIZE = 272
WINDOW_TOKENS = 1_024
CHAT_TEMPLATE = (
    "{%- for message in messages -%}\n"
    "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' -}}\n"
    "{%- endfor -%}\n"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}\n"
)


@dataclass(frozen=True)
class TinyShape:
    """What differs between the tiny models."""

    num_key_value_heads: int = 2
    tied: bool = True
    seed: int = 7
    num_layers: int = 2


def write_tokenizer(folder: Path) -> None:
    """Write a tokenizer with one token per byte."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({piece: i for i, piece in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(mark, normalized=False) for mark in MARKS])
    tokenizer.add_tokens([AddedToken(tag, normalized=False) for tag in TAGS])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"eos_token": "<|im_end|>", "tokenizer_class": "PreTrainedTokenizerFast"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE, "utf-8")


def write_model(folder: Path, shape: TinyShape) -> None:
    """Write a random model as transformers does; its logits are spread enough to have opinions."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        vocab_size=VOCABULARY_SIZE,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=shape.num_layers,
        num_attention_heads=4,
        num_key_value_heads=shape.num_key_value_heads,
        head_dim=8,
        max_position_embeddings=WINDOW_TOKENS,
        tie_word_embeddings=shape.tied,
        initializer_range=0.3,
        eos_token_id=258,
        pad_token_id=256,
    )
    torch.manual_seed(shape.seed)
    model = Qwen3ForCausalLM(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("norm.weight"):
                parameter.uniform_(0.5, 1.5)
    model.save_pretrained(folder)
    write_tokenizer(folder)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model folder: grouped queries, tied embeddings."""
    folder = tmp_path_factory.mktemp("tiny") / "model"
    write_model(folder, TinyShape())
    return folder


@pytest.fixture(
    scope="session", params=["grouped-tied", "grouped-untied", "plain-tied", "one-layer"]
)
def any_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return model folders of every kind the local engine reads."""
    shape = {
        "grouped-tied": TinyShape(),
        "grouped-untied": TinyShape(tied=False, seed=8),
        "one-layer": replace(TinyShape(), num_layers=1, seed=9),
        "plain-tied": TinyShape(num_key_value_heads=4, seed=10),
    }[request.param]
    folder = tmp_path_factory.mktemp("tiny") / request.param
    write_model(folder, shape)
    return folder
