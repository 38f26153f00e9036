"""Keys and values of recently used prompts, so that the next turn of a chat computes its end alone.

Tokens are kept in blocks. A block is named by a digest of all tokens up to its end, so equal
beginnings are kept once, however they go on; requests with another salt have blocks of their own.
The least recently used block leaves first, and a block never outlives those before it.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

BLOCK_TOKENS = 16
"""Tokens of a block; a beginning is found again in multiples of it."""


class PrefixCache:
    """Blocks of keys and values [L, 2, 1, K, BLOCK_TOKENS, d], a bounded number of tokens."""

    def __init__(self, max_tokens: int) -> None:
        """Keep at most so many tokens; 0 keeps none."""
        self._max_blocks = max_tokens // BLOCK_TOKENS
        self._blocks: OrderedDict[bytes, Tensor] = OrderedDict()

    @property
    def num_tokens(self) -> int:
        """Tokens that are kept."""
        return len(self._blocks) * BLOCK_TOKENS

    def fill(
        self, token_ids: Sequence[int], cache: Shaped[Tensor, "L 2 1 K T d"], *, salt: str = ""
    ) -> int:
        """Copy what is kept of the longest beginning under `salt` to `cache`; return its tokens.

        The last token is never among them: somebody needs its output.
        """
        found: list[bytes] = []
        if self._blocks:
            for name in _names(token_ids, (len(token_ids) - 1) // BLOCK_TOKENS, salt):
                if name not in self._blocks:
                    break
                found.append(name)
        if not found:
            return 0
        num_tokens = len(found) * BLOCK_TOKENS
        torch.cat([self._blocks[name] for name in found], dim=4, out=cache[..., :num_tokens, :])
        self._touch(found)
        return num_tokens

    def keep(
        self, token_ids: Sequence[int], cache: Shaped[Tensor, "L 2 1 K T d"], *, salt: str = ""
    ) -> None:
        """Keep the whole blocks of these tokens, whose keys and values `cache` begins with."""
        num_blocks = min(len(token_ids) // BLOCK_TOKENS, self._max_blocks)
        names = list(_names(token_ids, num_blocks, salt))
        for place, name in enumerate(names):
            if name not in self._blocks:
                start = place * BLOCK_TOKENS
                self._blocks[name] = cache[..., start : start + BLOCK_TOKENS, :].clone()
        self._touch(names)
        while len(self._blocks) > self._max_blocks:
            self._blocks.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self._blocks.clear()

    def _touch(self, names: Sequence[bytes]) -> None:
        """Note a use. The first block is the newest then, so the end of a prompt leaves first."""
        for name in reversed(names):
            self._blocks.move_to_end(name)


def _names(token_ids: Sequence[int], num_blocks: int, salt: str) -> Iterator[bytes]:
    """Yield the names of the first blocks: digests of all tokens up to the end of each."""
    key = hashlib.blake2b(salt.encode(), digest_size=16).digest() if salt else b""
    digest = hashlib.blake2b(digest_size=16, key=key)
    block_bytes = BLOCK_TOKENS * np.dtype(np.int64).itemsize
    tokens = np.asarray(token_ids[: num_blocks * BLOCK_TOKENS], dtype=np.int64).tobytes()
    for start in range(0, len(tokens), block_bytes):
        digest.update(tokens[start : start + block_bytes])
        yield digest.digest()
