"""What makes vectors of texts: a sentence transformer in a folder, or counts of letter triples.

bfcl_eval embeds with all-MiniLM-L6-v2. Where its folder is given, it is read by transformers: the
mean of the last layer over the tokens, made as long as one. Without a folder the triples of
letters of a text are hashed into 1,024 places: deterministic and free, but blind to words of one
meaning, so figures with it are not comparable to published ones.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from longloom.errors import DataError

Embed = Callable[[Sequence[str]], np.ndarray]
"""Makes one vector of length 1 of each text: [N, width], float32."""

NUM_PLACES = 1_024
"""Width of the vectors of `embed_triples`."""
_MAX_TOKENS = 256
"""Of all-MiniLM-L6-v2; taken where the folder does not say."""


def embed_triples(texts: Sequence[str]) -> np.ndarray:
    """Embed by the letter triples of each text, its white space made single: [N, 1024].

    The square root of a triple's count, so that no frequent one outweighs the rest.
    """
    vectors = np.zeros((len(texts), NUM_PLACES), dtype=np.float32)
    for row, text in zip(vectors, texts, strict=True):
        padded = f" {' '.join(text.lower().split())} "
        for start in range(len(padded) - 2):
            row[_place(padded[start : start + 3])] += 1
    vectors = np.sqrt(vectors)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    norms[norms == 0] = 1  # a text without letters stays nothing
    unit: np.ndarray = vectors / norms
    return unit


@lru_cache(maxsize=1)
def load_embedder(folder: Path) -> Embed:
    """Return the embedding of a sentence transformer's folder.

    Raises:
        DataError: transformers cannot load it.
    """
    import torch
    from transformers import AutoModel, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
    except (ImportError, KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise DataError(
            f"{folder} holds no model that embeds: {str(error).strip().splitlines()[0]}; put the "
            "folder of all-MiniLM-L6-v2 there, or remove it"
        ) from None
    model.eval()
    max_tokens = _max_tokens(folder)

    def embed(texts: Sequence[str]) -> np.ndarray:
        batch = tokenizer(
            list(texts), padding=True, truncation=True, max_length=max_tokens, return_tensors="pt"
        )
        with torch.no_grad():
            hidden = model(**batch).last_hidden_state  # [N, T, D]
        counts = batch["attention_mask"].unsqueeze(-1).to(hidden.dtype)  # [N, T, 1]
        mean = (hidden * counts).sum(1) / counts.sum(1).clamp(min=1)
        vectors: np.ndarray = torch.nn.functional.normalize(mean, dim=1).numpy()
        return vectors

    return embed


@lru_cache(maxsize=1 << 16)
def _place(triple: str) -> int:
    digest = hashlib.blake2b(triple.encode("utf-8", "surrogatepass"), digest_size=4).digest()
    return int.from_bytes(digest, "big") % NUM_PLACES


def _max_tokens(folder: Path) -> int:
    path = folder / "sentence_bert_config.json"
    try:
        stated = json.loads(path.read_text("utf-8")).get("max_seq_length")
    except (OSError, ValueError, AttributeError):
        return _MAX_TOKENS
    return stated if isinstance(stated, int) and stated > 0 else _MAX_TOKENS
