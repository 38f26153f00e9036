"""Requests that wait for room in the caches.

Requests with equal prompts form a group. Groups are taken in sets of like sizes, since the caches
of a set are padded to its longest prompt and its largest group; the largest come first.
"""

from collections import defaultdict
from collections.abc import Sequence

from longloom.records import SampleRequest

_LIKE_FRACTION = 0.75
"""A prompt or group joins a set if it has this much of the size of the largest."""
_PADDING_TOKENS = 128
"""So much padding is never too much: attending to it costs less than another set."""


class WaitingGroups:
    """Groups of requests; a request is named by its index."""

    def __init__(self, requests: Sequence[SampleRequest]) -> None:
        self._requests = requests
        self._groups: list[list[int]] = []
        self.put(range(len(requests)))

    def __bool__(self) -> bool:
        """Whether any request waits."""
        return bool(self._groups)

    def put(self, indices: Sequence[int]) -> None:
        """Let these requests wait."""
        indices_by_prompt: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for index in indices:
            indices_by_prompt[self._requests[index].prompt_ids].append(index)
        self._groups.extend(indices_by_prompt.values())
        self._groups.sort(key=lambda group: (len(group), self._num_prompt(group)), reverse=True)

    def take(self, room_tokens: int, *, own_tokens: int, must_take: bool) -> list[list[int]]:
        """Remove and return groups of like sizes whose caches fit the room; none if none fits.

        Args:
            room_tokens: tokens there is room for, a group's prompt counted once.
            own_tokens: own tokens that a row is expected to need, if its limit is not smaller.
            must_take: take one request at least, whatever it needs.
        """
        first, *others = self._groups
        num_prompt, limit = self._num_prompt(first), self._limit(first)
        row_tokens = max(min(limit, own_tokens), 1)
        num_fitting = (room_tokens - num_prompt) // row_tokens
        if num_fitting < len(first):
            if not must_take:
                return []
            taken, left = first[: max(num_fitting, 1)], first[max(num_fitting, 1) :]
            self._groups = [left, *others] if left else others
            return [taken]
        taken_groups, left_groups = [first], []
        for group in others:
            wider = max(limit, self._limit(group))
            group_tokens = num_prompt + len(first) * min(wider, own_tokens)
            is_like = (
                self._num_prompt(group) + _PADDING_TOKENS >= _LIKE_FRACTION * num_prompt
                and self._num_prompt(group) <= num_prompt
                and len(group) >= _LIKE_FRACTION * len(first)
            )
            if is_like and (len(taken_groups) + 1) * group_tokens <= room_tokens:
                taken_groups.append(group)
                limit = wider
            else:
                left_groups.append(group)
        self._groups = left_groups
        return taken_groups

    def _num_prompt(self, group: Sequence[int]) -> int:
        return len(self._requests[group[0]].prompt_ids)

    def _limit(self, group: Sequence[int]) -> int:
        """Return the own tokens of the group's longest answer; the last drawn one is not kept."""
        return max(self._requests[index].params.max_new_tokens for index in group) - 1
