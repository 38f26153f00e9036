"""Lists of statements followed by the same statements in another order.

The dense form of look-up: every value of the repeated list is to be predicted from the first list.
Half of the subjects have two statements of different relations, so subject and relation must both
be matched. Names are random; the map from list to model is made later by `permute_names`.
"""

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from longloom.text.tokenizer import Tokenizer


class RepetitionLists:
    """Makes batches of repeated lists."""

    def __init__(self, tokenizer: Tokenizer, relation_words: tuple[str, ...], names: range) -> None:
        """Use the words with which statements begin, and the ids of names."""
        self._relations = torch.tensor([_single(tokenizer, word) for word in relation_words])
        self._newline = _single(tokenizer, "\n")
        self._names = names

    def batch(
        self, num_statements: int, *, max_tokens: int, generator: torch.Generator
    ) -> tuple[Int[Tensor, "B T"], Bool[Tensor, "B T"]]:
        """Return token ids and which of them are values of the repeated list."""
        num_rows = max(1, max_tokens // (8 * num_statements))
        order = torch.rand(num_rows, len(self._names), generator=generator).argsort(dim=1)
        chosen = order[:, : 2 * num_statements] + self._names.start
        subjects, values = chosen[:, :num_statements].clone(), chosen[:, num_statements:]
        relations = torch.randint(
            len(self._relations), (num_rows, num_statements), generator=generator
        )
        half = num_statements // 2
        is_shared = torch.rand(num_rows, half, generator=generator) < 0.5
        subjects[:, half : 2 * half] = torch.where(
            is_shared, subjects[:, :half], subjects[:, half : 2 * half]
        )
        other = torch.randint(1, len(self._relations), (num_rows, half), generator=generator)
        relations[:, half : 2 * half] = torch.where(
            is_shared,
            (relations[:, :half] + other) % len(self._relations),
            relations[:, half : 2 * half],
        )
        newline = torch.full_like(subjects, self._newline)
        statements = torch.stack([self._relations[relations], subjects, values, newline], dim=-1)
        lists = [self._shuffled(statements, generator) for _ in range(2)]
        token_ids = torch.cat(lists, dim=1)
        is_target = torch.zeros_like(token_ids, dtype=torch.bool)
        is_target[:, 4 * num_statements + 2 :: 4] = True
        return token_ids, is_target

    def _shuffled(self, statements: Tensor, generator: torch.Generator) -> Tensor:
        num_rows, num_statements, width = statements.shape
        order = torch.rand(num_rows, num_statements, generator=generator).argsort(dim=1)
        picked = statements.gather(1, order[..., None].expand(-1, -1, width))
        return picked.reshape(num_rows, -1)


def _single(tokenizer: Tokenizer, text: str) -> int:
    token_ids = tokenizer.encode(text)
    assert len(token_ids) == 1, f"{text!r} is {len(token_ids)} tokens"
    return token_ids[0]
