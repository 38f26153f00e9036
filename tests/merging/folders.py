"""Small model folders to merge."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from longloom.merging.blocks import BLOCK_ELEMENTS

Weights = dict[str, Tensor]
SETTINGS = {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": 4}
TOKENIZER = {"model": {"vocab": {"a": 0}}, "added_tokens": [{"content": "<end>", "id": 1}]}


def random_weights(seed: int) -> Weights:
    """Return tensors of several shapes; the first is longer than two blocks."""
    generator = torch.Generator().manual_seed(seed)
    return {
        "model.embed_tokens.weight": torch.randn(BLOCK_ELEMENTS // 2 + 3, 4, generator=generator),
        "model.norm.weight": torch.randn(4, generator=generator),
        "model.empty": torch.empty(0, 4),
        "model.scalar": torch.randn((), generator=generator),
    }


def write_model(folder: Path, weights: Weights, **settings: object) -> Path:
    """Write a folder as transformers does."""
    folder.mkdir()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps({**SETTINGS, **settings}))
    (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER))
    return folder


def read_all(folder: Path) -> Weights:
    """Return all tensors of a folder."""
    return {
        name: tensor
        for file in sorted(folder.glob("*.safetensors"))
        for name, tensor in load_file(file).items()
    }
