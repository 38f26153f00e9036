"""The attention plan of rollouts: one token at a time, a group's prompt kept once.

A *cohort* is a set of groups admitted together. The keys and values of a group's prompt are kept
once for all its rows; each row adds those of its own tokens. All rows of a cohort have drawn
equally many tokens, so nothing masks own tokens. Rows that end leave holes in the caches, which are
copied together when enough of them is empty.

What it leaves out: gradients (see `shared_prefix`), prompts (see `prefill`), pages of a fixed size.
"""

import math
from collections.abc import Sequence
from typing import Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor

from longloom.models.network import SampledNetwork

_FULL_FRACTION = 0.75
"""Caches are copied together when no more than this much of them is in use."""

Cache = tuple[Tensor, Tensor]
"""Keys and values of one layer."""


class Cohort:
    """The caches of P prompts with up to G rows each, and attention over them.

    Prompt caches are [P, K, T, d] and own caches [P, K, G, S, d], as each step multiplies by them.
    A row's slot is its place in the flattened [P, G]; rows are in the order of their slots.
    """

    def __init__(
        self,
        network: SampledNetwork,
        lengths: Sequence[int],
        group_sizes: Sequence[int],
        *,
        max_own: int,
        first_own: int,
    ) -> None:
        """Make room.

        Args:
            network: whose keys and values are kept.
            lengths: tokens of each prompt.
            group_sizes: rows of each prompt.
            max_own: most own tokens of a row.
            first_own: own tokens there is room for at first (see `grow`).
        """
        shape = network.sizes
        self._device, self._shape = network.device, shape
        self._max_own = max_own
        self._slots = _first_slots(group_sizes)
        self.lengths = tuple(lengths)
        self.num_own = 0
        self.prompt_caches = [
            self._new_cache((len(lengths), shape.num_key_heads, max(lengths)), network.dtype)
            for _ in range(shape.num_layers)
        ]
        own = (len(lengths), shape.num_key_heads, max(group_sizes), min(first_own, max_own))
        self._own_caches = [self._new_cache(own, network.dtype) for _ in range(shape.num_layers)]
        self._place_rows()

    @property
    def num_rows(self) -> int:
        """Rows that are running."""
        return len(self._slots)

    @property
    def capacity(self) -> int:
        """Own tokens of a row there is room for."""
        return self._own_caches[0][0].shape[3]

    @property
    def next_capacity(self) -> int:
        """Own tokens of a row there is room for after the next `grow`."""
        return min(max(2 * self.capacity, 1), self._max_own)

    @property
    def is_full(self) -> bool:
        """Whether there is no room for the next token."""
        return self.num_own == self.capacity

    def tokens_with(self, capacity: int) -> int:
        """Return the tokens of all caches if a row had room for `capacity` own tokens."""
        num_prompts, _, group_size = self._own_caches[0][0].shape[:3]
        longest = self.prompt_caches[0][0].shape[2]
        return num_prompts * (longest + group_size * min(capacity, self._max_own))

    def positions(self) -> Int[Tensor, " N"]:
        """Return where the next token of each row stands in its sequence."""
        group_size = self._own_caches[0][0].shape[2]
        starts = [self.lengths[slot // group_size] + self.num_own for slot in self._slots]
        return torch.tensor(starts, device=self._device)

    def attend(
        self,
        layer: int,
        query: Float[Tensor, "N H d"],
        key: Float[Tensor, "N K d"],
        value: Float[Tensor, "N K d"],
    ) -> Float[Tensor, "N H d"]:
        """Attend to the prompt and to own tokens, among them the new one of each row."""
        own_key, own_value = self._own_caches[layer]
        own_key[:, :, :, self.num_own] = self._spread(key).transpose(1, 2)
        own_value[:, :, :, self.num_own] = self._spread(value).transpose(1, 2)
        num_own = self.num_own + 1
        num_prompts, num_key_heads, group_size, _, head_dim = own_key.shape
        grouped = self._spread(query)  # [P, G, H, d]
        grouped = grouped.view(num_prompts, group_size, num_key_heads, -1, head_dim)
        grouped = grouped.transpose(1, 2).contiguous()  # [P, K, G, h, d]
        attended = _attend_in_two_parts(
            grouped,
            self.prompt_caches[layer],
            (own_key[..., :num_own, :], own_value[..., :num_own, :]),
            self._prompt_bias,
        )
        rows = attended.transpose(1, 2).reshape(num_prompts * group_size, -1, head_dim)
        return rows if self._slot_of_row is None else rows[self._slot_of_row]

    def count_token(self) -> None:
        """Note that all layers have attended to the new token of each row."""
        self.num_own += 1

    def grow(self) -> None:
        """Double the room for own tokens."""
        capacity = self.next_capacity
        for layer, cache in enumerate(self._own_caches):
            grown = self._new_cache((*cache[0].shape[:3], capacity), cache[0].dtype)
            for new, old in zip(grown, cache, strict=True):
                new[..., : self.num_own, :] = old[..., : self.num_own, :]
            self._own_caches[layer] = grown

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these of the present rows, in ascending order; there must be one."""
        self._slots = [self._slots[row] for row in rows]
        num_prompts, _, group_size = self._own_caches[0][0].shape[:3]
        slots_by_prompt: dict[int, list[int]] = {}
        for slot in self._slots:
            slots_by_prompt.setdefault(slot // group_size, []).append(slot % group_size)
        longest = max(len(columns) for columns in slots_by_prompt.values())
        if len(slots_by_prompt) * longest <= _FULL_FRACTION * num_prompts * group_size:
            self._pack(slots_by_prompt, longest)
        self._place_rows()

    def _pack(self, columns_by_prompt: dict[int, list[int]], group_size: int) -> None:
        """Copy the rows that are left together."""
        kept = list(columns_by_prompt)
        self._slots = _first_slots([len(columns_by_prompt[prompt]) for prompt in kept])
        prompts = torch.tensor(kept, device=self._device)
        columns = torch.tensor(
            [
                columns + [columns[0]] * (group_size - len(columns))
                for columns in columns_by_prompt.values()
            ],
            device=self._device,
        )
        if len(kept) < len(self.lengths):
            self.lengths = tuple(self.lengths[prompt] for prompt in kept)
            longest = max(self.lengths)
            for layer, (key, value) in enumerate(self.prompt_caches):
                self.prompt_caches[layer] = (key[prompts, :, :longest], value[prompts, :, :longest])
        for layer, (key, value) in enumerate(self._own_caches):
            self._own_caches[layer] = (
                _picked(key, prompts, columns),
                _picked(value, prompts, columns),
            )

    def _place_rows(self) -> None:
        """Note which row stands in which slot, and the padding of the prompts."""
        num_slots = self._own_caches[0][0].shape[0] * self._own_caches[0][0].shape[2]
        self._row_of_slot: Tensor | None = None
        self._slot_of_row: Tensor | None = None
        if len(self._slots) < num_slots:
            # An empty slot repeats row 0; nothing reads it.
            row_of_slot = [0] * num_slots
            for row, slot in enumerate(self._slots):
                row_of_slot[slot] = row
            self._row_of_slot = torch.tensor(row_of_slot, device=self._device)
            self._slot_of_row = torch.tensor(self._slots, device=self._device)
        longest = max(self.lengths)
        self._prompt_bias: Tensor | None = None
        if min(self.lengths) < longest:
            lengths = torch.tensor(self.lengths, device=self._device)
            is_padding = torch.arange(longest, device=self._device) >= lengths[:, None]
            bias = torch.zeros(is_padding.shape, device=self._device)
            self._prompt_bias = bias.masked_fill(is_padding, -math.inf)[:, None, None]

    def _spread(self, rows: Tensor) -> Tensor:
        """Return [N, heads, d] as [P, G, heads, d]."""
        if self._row_of_slot is not None:
            rows = rows[self._row_of_slot]
        return rows.view(len(self.lengths), -1, *rows.shape[1:])

    def _new_cache(self, sizes: tuple[int, ...], dtype: torch.dtype) -> Cache:
        # Zeros: padding is multiplied by weights of 0, so it must not hold a NaN.
        key, value = (
            torch.zeros((*sizes, self._shape.head_dim), dtype=dtype, device=self._device)
            for _ in range(2)
        )
        return key, value


def _first_slots(group_sizes: Sequence[int]) -> list[int]:
    longest = max(group_sizes)
    return [
        prompt * longest + column
        for prompt, group_size in enumerate(group_sizes)
        for column in range(group_size)
    ]


def _picked(cache: Tensor, prompts: Tensor, columns: Tensor) -> Tensor:
    """Return the rows of an own cache [P, K, G, S, d] in these columns of these prompts."""
    kept = cache[prompts]
    places = columns[:, None, :, None, None].expand(-1, kept.shape[1], -1, *kept.shape[3:])
    return kept.gather(2, places)


def _attend_in_two_parts(
    query: Tensor, prompt: Cache, own: Cache, prompt_bias: Tensor | None
) -> Tensor:
    """Attend over prompt keys [P, K, T, d] and own keys [P, K, G, S, d] as one softmax.

    query is [P, K, G, h, d] with h query heads of one key head; prompt_bias is [P, 1, 1, T], 0 or
    minus infinity. Returns the shape of query.
    """
    scores = _scores(query.flatten(2, 3), prompt[0])  # [P, K, G h, T]
    if prompt_bias is not None:
        scores += prompt_bias
    own_scores = _scores(query, own[0])  # [P, K, G, h, S]
    num_parts = [scores.shape[-1], own_scores.shape[-1]]
    weights = torch.cat([scores, own_scores.flatten(2, 3)], dim=-1).softmax(dim=-1)
    prompt_weights, own_weights = weights.to(query.dtype).split_with_sizes(num_parts, dim=-1)
    from_own = own_weights.reshape(own_scores.shape) @ own[1]
    return from_own.add_((prompt_weights @ prompt[1]).view(query.shape))


def _scores(query: Tensor, key: Tensor) -> Tensor:
    """Return query key^T / sqrt(d) in fp32, whatever the type of both.

    Scaled in fp32 too, as the kernels of training do: a scaled query would round in half types.
    """
    key, root = key.transpose(-1, -2), math.sqrt(query.shape[-1])
    if not query.is_cuda or query.dtype == torch.float32:
        return (query.float() / root) @ key.float()
    flat = torch.bmm(query.flatten(0, -3), key.flatten(0, -3), out_dtype=torch.float32)
    return flat.div_(root).view(*query.shape[:-1], -1)


class RowCaches(Protocol):
    """Keys and values of some rows that decode together."""

    @property
    def num_rows(self) -> int:
        """Rows that are running."""

    def attend(
        self,
        layer: int,
        query: Float[Tensor, "n H d"],
        key: Float[Tensor, "n K d"],
        value: Float[Tensor, "n K d"],
    ) -> Float[Tensor, "n H d"]:
        """Keep the new token of each row and attend to all that it has kept."""


class DecodingStep:
    """Attention of one step over the rows of several caches (see `network.Attend`)."""

    def __init__(self, caches: Sequence[RowCaches]) -> None:
        """Attend with the rows of these caches, one after the other."""
        self.caches = tuple(caches)
        self._num_rows = [each.num_rows for each in caches]

    def __call__(
        self,
        layer: int,
        query: Float[Tensor, "Q H d"],
        key: Float[Tensor, "N K d"],
        value: Float[Tensor, "N K d"],
    ) -> Float[Tensor, "Q H d"]:
        """Attend; there is one token for each row."""
        if len(self.caches) == 1:
            return self.caches[0].attend(layer, query, key, value)
        parts = zip(
            *(part.split_with_sizes(self._num_rows) for part in (query, key, value)), strict=True
        )
        return torch.cat(
            [each.attend(layer, *part) for each, part in zip(self.caches, parts, strict=True)]
        )
