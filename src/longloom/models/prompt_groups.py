"""Which prompts are computed once, and which beginnings of different prompts are.

Sequences with equal prompts share all of it. Prompts that differ may still begin alike: the calls
of a memory agent that reads the section first, questions about one document. One level of such
beginnings is taken, not a whole tree: what else a group's calls share, the head of a template and a
question, is too little to be worth another pass of attention (`benchmarks/memory_training.py`).
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

LEAST_TOKENS = 64
"""A shorter beginning is not shared: it saves less than it costs."""
LEAST_FRACTION = 0.25
"""Nor is one of less than this part of a context that would share it."""

Prompt = tuple[int, ...]
"""Token ids; all but the last are its *context* (see `shared_prefix`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptCluster:
    """Prompts with a common beginning, or a single one."""

    beginning_tokens: int
    """Tokens that all contexts begin with; 0 if nothing is shared."""
    groups: tuple[tuple[int, ...], ...]
    """For each different prompt the indices of the sequences that have it."""


def cluster_prompts(prompts: Sequence[Prompt]) -> list[PromptCluster]:
    """Return clusters that together hold every index once and leave the fewest tokens to compute.

    Clusters are runs of prompts in lexical order, so two that share a beginning are never apart.
    Those that share one come first, the others in the order in which they were first met. No
    subset of the sequences needs more tokens than they do among all of them.
    """
    indices_by_prompt: dict[Prompt, list[int]] = defaultdict(list)
    for index, prompt in enumerate(prompts):
        indices_by_prompt[prompt].append(index)
    shared: list[PromptCluster] = []
    alone = dict.fromkeys(indices_by_prompt)
    ordered = sorted(prompt for prompt in indices_by_prompt if len(prompt) > LEAST_TOKENS)
    for start, stop, beginning_tokens in _runs(ordered):
        groups = tuple(tuple(indices_by_prompt[prompt]) for prompt in ordered[start:stop])
        shared.append(PromptCluster(beginning_tokens=beginning_tokens, groups=groups))
        for prompt in ordered[start:stop]:
            del alone[prompt]
    single = (
        PromptCluster(beginning_tokens=0, groups=(tuple(indices_by_prompt[prompt]),))
        for prompt in alone
    )
    return [*shared, *single]


def _runs(ordered: Sequence[Prompt]) -> Iterator[tuple[int, int, int]]:
    """Yield start, stop and common tokens of the runs that save the most tokens together.

    The best way to cut the first `stop` prompts is the best over their last run. A run is not
    extended to where it shares too little, for a longer one shares no more.
    """
    common = [_common_tokens(*pair) for pair in pairwise(ordered)]
    saved = [0] * (len(ordered) + 1)
    last_run = [(0, 0)] * (len(ordered) + 1)
    for stop in range(1, len(ordered) + 1):
        saved[stop], last_run[stop] = saved[stop - 1], (stop - 1, 0)
        longest = len(ordered[stop - 1]) - 1
        shared = longest
        for start in range(stop - 2, -1, -1):
            shared = min(shared, common[start])
            longest = max(longest, len(ordered[start]) - 1)
            if shared < max(LEAST_TOKENS, LEAST_FRACTION * longest):
                break
            found = saved[start] + (stop - start - 1) * shared
            if found > saved[stop]:
                saved[stop], last_run[stop] = found, (start, shared)
    runs = []
    stop = len(ordered)
    while stop:
        start, shared = last_run[stop]
        if shared:
            runs.append((start, stop, shared))
        stop = start
    yield from reversed(runs)


def _common_tokens(first: Prompt, second: Prompt) -> int:
    """Return how many tokens both contexts begin with."""
    limit = min(len(first), len(second)) - 1
    if first[:LEAST_TOKENS] != second[:LEAST_TOKENS]:
        return 0  # too few to matter
    for place in range(LEAST_TOKENS, limit):
        if first[place] != second[place]:
            return place
    return limit
