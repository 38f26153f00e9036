"""A Qwen3 of random weights that never ends an answer, with a small tokenizer.

Both sides of a benchmark shall answer in exactly as many tokens as they may, without a setting that
one of them lacks. So the end token cannot be drawn: its row of the tied embedding holds -300 in the
first dimension, every other row 0.1 there, and no layer writes to that dimension. The final norm
makes it about 1 or more, so the end token's logit lies 300 below all others and its probability is
0 in any float type. Everything else is as transformers draws it.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

END = "<|endoftext|>"
SPECIALS = ("<|pad|>", END, "<|im_start|>", "<|im_end|>")
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
WORDS = (
    "the", "answer", "is", "document", "table", "number", "city", "river", "king", "of", "in",
    "and", "was", "born", "revenue", "year", "memory", "plan", "chunk", "question",
)  # fmt: skip
"""What prompts are made of; each is one token."""
END_LOGIT_WEIGHT = -300.0
OTHER_LOGIT_WEIGHT = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSizes:
    """The sizes of a dense Qwen3 with tied embeddings."""

    vocab_size: int = 1_024
    """V."""
    hidden_size: int = 128
    """D."""
    intermediate_size: int = 384
    """Width of the gated MLP."""
    num_hidden_layers: int = 4
    """Layers."""
    num_attention_heads: int = 4
    """Query heads."""
    num_key_value_heads: int = 2
    """Key and value heads."""
    head_dim: int = 32
    """Width of one head."""
    max_position_embeddings: int = 8_192
    """The window in tokens."""


TINY = ModelSizes()
"""0.92M parameters."""
QWEN3_600M = ModelSizes(
    vocab_size=151_936,
    hidden_size=1_024,
    intermediate_size=3_072,
    num_hidden_layers=28,
    num_attention_heads=16,
    num_key_value_heads=8,
    head_dim=128,
    max_position_embeddings=131_072,
)
"""The shape of Qwen3-0.6B."""


def write_model(folder: Path, sizes: ModelSizes, *, dtype: str = "float32", seed: int = 0) -> None:
    """Write the model folder, unless it is there already.

    The configuration is written last, so a folder with one is complete.
    """
    if (folder / "config.json").is_file():
        return
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    folder.mkdir(parents=True, exist_ok=True)
    write_tokenizer(folder)
    end_id = SPECIALS.index(END)
    config = Qwen3Config(
        **asdict(sizes),
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=end_id,
        pad_token_id=0,
    )
    torch.manual_seed(seed)
    model = Qwen3ForCausalLM(config)
    with torch.no_grad():
        embedding = model.get_input_embeddings().weight
        embedding[:, 0] = OTHER_LOGIT_WEIGHT
        embedding[end_id, 0] = END_LOGIT_WEIGHT
        for name, parameter in model.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                parameter[0] = 0
    model.to(getattr(torch, dtype)).save_pretrained(folder / "written")
    for path in sorted((folder / "written").iterdir(), key=lambda path: path.name == "config.json"):
        path.replace(folder / path.name)
    (folder / "written").rmdir()


def write_tokenizer(folder: Path) -> None:
    """Write a byte-level tokenizer in which each of `WORDS` is one token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=TINY.vocab_size,
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    numbers = [str(number) for number in range(2_000)]
    tokenizer.train_from_iterator([" " + " ".join(WORDS)] * 50 + numbers, trainer)
    if tokenizer.get_vocab_size() != TINY.vocab_size:
        raise RuntimeError(
            f"the tokenizer has {tokenizer.get_vocab_size()} tokens; expected {TINY.vocab_size}"
        )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": END,
        "pad_token": SPECIALS[0],
        "chat_template": CHAT_TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1), "utf-8")
