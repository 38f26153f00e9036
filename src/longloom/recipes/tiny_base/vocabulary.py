"""The tokenizer of the tiny base model: whole words, with pieces and bytes for the rest.

A Unigram model over byte-level characters. Every common name and every word of the prompts is one
token; a rare name falls apart into known parts and, in the end, bytes, so any text round-trips.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tokenizers import AddedToken, Regex, decoders, models, pre_tokenizers
from tokenizers import Tokenizer as FastTokenizer

END_OF_TEXT = "<|endoftext|>"
TURN_START = "<|im_start|>"
TURN_END = "<|im_end|>"
MARKS = (
    *("<think>", "</think>", "<text>", "</text>", "<memory>", "</memory>", "<plan>", "</plan>"),
    *("<problem>", "</problem>", "<previous_memory>", "</previous_memory>"),
    *("<section>", "</section>"),
)
"""Tags of the prompt file that are one token each."""
NUM_NUMBERS = 100
NUM_PARTS = 320

CHAT_TEMPLATE = (
    "{%- for message in messages -%}\n"
    "{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' -}}\n"
    "{%- endfor -%}\n"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n<think>' -}}{%- endif -%}\n"
)
"""The assistant always starts inside its thinking, as with Qwen3's thinking models."""

# Option letters stay with their full stop; a word takes the space before it; dots join names.
_WORDS = r"(?<!\w)[A-D]\.(?= )|\n\n|\n| ?[\w.]*\w| ?[^\s\w]|\s"
_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|_+")


def build_tokenizer(
    wording: Iterable[str], name_counts: Counter[str], *, vocabulary_size: int
) -> tuple[FastTokenizer, range]:
    """Return the tokenizer and the range of ids that are names or parts of names.

    Args:
        wording: texts whose every word becomes one token (templates, questions, answers).
        name_counts: how often each name stands in the corpus; the most frequent become tokens.
        vocabulary_size: V, all tokens together.
    """
    splitter = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    pieces = [END_OF_TEXT, TURN_START, TURN_END, *MARKS]
    pieces += sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {piece for text in wording for piece, _ in splitter.pre_tokenize_str(_unmarked(text))}
    words |= {f"{lead}{number}" for lead in ("", "Ġ") for number in range(NUM_NUMBERS)}
    pieces += sorted(words - set(pieces))
    first_name = len(pieces)
    parts = Counter(
        part for name, count in name_counts.items() for part in _PARTS.findall(name) * count
    )
    known = set(pieces)
    for part, _ in sorted(parts.most_common(), key=lambda entry: (-entry[1], entry[0])):
        if len(pieces) >= first_name + NUM_PARTS:
            break
        pieces += [piece for piece in (part, f"Ġ{part}") if piece not in known]
        known = set(pieces)
    for name, _ in sorted(name_counts.items(), key=lambda entry: (-entry[1], entry[0])):
        pieces += [
            piece for piece, _ in splitter.pre_tokenize_str(f" {name}") if piece not in known
        ]
        known.update(pieces[-2:])
        if len(pieces) >= vocabulary_size:
            break
    pieces = pieces[:vocabulary_size]
    # Fewest pieces win; bytes are a last resort.
    scored = [(piece, -1.0 if len(piece) > 1 else -4.0) for piece in pieces]
    tokenizer = FastTokenizer(models.Unigram(scored, unk_id=0, byte_fallback=False))
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [AddedToken(mark, normalized=False) for mark in (END_OF_TEXT, TURN_START, TURN_END)]
    )
    tokenizer.add_tokens([AddedToken(mark, normalized=False) for mark in MARKS])
    return tokenizer, range(first_name, len(pieces))


def save_tokenizer(tokenizer: FastTokenizer, folder: Path, *, window_tokens: int) -> None:
    """Write the three tokenizer files of a Hugging Face folder."""
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    settings = {
        "clean_up_tokenization_spaces": False,
        "eos_token": TURN_END,
        "model_max_length": window_tokens,
        "pad_token": END_OF_TEXT,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n", "utf-8")
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE, "utf-8")


def _unmarked(text: str) -> str:
    for mark in (END_OF_TEXT, TURN_START, TURN_END, *MARKS):
        text = text.replace(mark, " ")
    return text
