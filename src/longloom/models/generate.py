"""Sample completions in batches; a prompt asked for several times is computed once.

Groups (requests with equal prompts) wait until there is room in the caches, run, and leave row by
row as their answers end; others are admitted into the freed room. What a request draws depends on
its key alone (see `drawing`), so neither the batch nor the order changes an answer.

    waiting groups -> prefill -> Cohort -> one token per step and row -> Completion
"""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import torch
from torch import Tensor

from longloom.models.admission import WaitingGroups
from longloom.models.decoding import Cohort, DecodingStep
from longloom.models.drawing import DrawSettings, OutputHead
from longloom.models.network import SampledNetwork
from longloom.models.prefill import prefill
from longloom.models.sampled_rows import SampledRow, draw_next, settings_of
from longloom.records import Completion, SampleRequest

_FIRST_OWN_TOKENS = 64
"""Own tokens of a row there is room for at first; doubled when they are used up."""
_ADMITTED_BELOW_FRACTION = 0.75
"""Groups are admitted only when no more of the budget is used: few large cohorts run faster."""
_LIKE_FRACTION = 0.75
"""A cohort is padded to its longest prompt and largest group; this much of it must be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a call of `generate` has come."""

    num_requests: int
    """Requests of the call."""
    num_finished: int
    """Requests that have their completion."""
    num_tokens: int
    """Tokens of those completions."""


@torch.inference_mode()
def generate(
    network: SampledNetwork,
    requests: Sequence[SampleRequest],
    *,
    end_ids: AbstractSet[int],
    max_batch_tokens: int,
    on_progress: Callable[[Progress], None] | None = None,
) -> list[Completion]:
    """Return one completion per request, in order.

    Args:
        network: what is sampled.
        requests: what to draw; requests with equal prompts form a group that shares its prefill.
        end_ids: tokens any of which ends a completion.
        max_batch_tokens: tokens there may be room for in the caches, a group's prompt counted
            once. Raised to 5/4 of the longest prompt, so that its rows share it; a single request
            that needs still more runs alone.
        on_progress: called whenever requests have finished.
    """
    return _Rollouts(network, requests, end_ids, max_batch_tokens, on_progress).run()


class _Row(SampledRow):
    """One request of the call."""

    __slots__ = ("index",)

    def __init__(self, index: int, request: SampleRequest) -> None:
        super().__init__(request)
        self.index = index


@dataclass(slots=True, eq=False)
class _Running:
    """A cohort and the requests its rows answer."""

    cohort: Cohort
    """The caches."""
    rows: list[_Row]
    """The requests, in the order of the cohort's rows."""
    tokens: Tensor
    """The last drawn token of each row [N]."""

    def keep(self, kept: Sequence[int]) -> None:
        """Go on with these rows alone."""
        self.rows = [self.rows[row] for row in kept]
        if not kept:
            return
        self.cohort.keep(kept)
        self.tokens = self.tokens[torch.tensor(kept, device=self.tokens.device)]


@dataclass(slots=True, frozen=True)
class _Layout:
    """What stays the same from step to step while the same rows run."""

    rows: list[_Row]
    """All running rows, cohort after cohort."""
    positions: Tensor
    """Where their next tokens stand [N]; moved on in place."""
    settings: DrawSettings
    """How they are drawn."""
    attend: DecodingStep
    """How they attend."""


class _Rollouts:
    """The state of one call: requests that wait and cohorts that run, the oldest first."""

    def __init__(
        self,
        network: SampledNetwork,
        requests: Sequence[SampleRequest],
        end_ids: AbstractSet[int],
        max_batch_tokens: int,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self._network, self._requests = network, requests
        self._end_ids = end_ids
        longest = max((len(request.prompt_ids) for request in requests), default=0)
        self._max_batch_tokens = max(max_batch_tokens, longest * 5 // 4)
        self._on_progress = on_progress
        self._head = OutputHead(network.head_weight)
        self._waiting = WaitingGroups(requests)
        self._running: list[_Running] = []
        self._layout: _Layout | None = None
        self._completions: dict[int, Completion] = {}
        self._num_finished_tokens = 0
        self._own_tokens = 2 * _FIRST_OWN_TOKENS
        """Own tokens that a row is expected to need; learnt when rows had to leave."""
        self._is_crowded = False
        """Whether rows had to leave for want of room and none has ended since."""

    def run(self) -> list[Completion]:
        """Answer every request; return the completions in order."""
        while self._waiting or self._running:
            self._admit()
            if self._running:
                self._make_room()
                self._decode()
        return [self._completions[index] for index in range(len(self._requests))]

    def _admit(self) -> None:
        """Start waiting groups while there is room for them."""
        while self._waiting:
            used = sum(
                each.cohort.tokens_with(max(each.cohort.next_capacity, self._own_tokens))
                for each in self._running
            )
            is_full = used > _ADMITTED_BELOW_FRACTION * self._max_batch_tokens
            if self._running and (self._is_crowded or is_full):
                return
            groups = self._waiting.take(
                self._max_batch_tokens - used,
                own_tokens=self._own_tokens,
                must_take=not self._running,
            )
            if not groups:
                return
            self._start(groups)

    def _start(self, groups: Sequence[Sequence[int]]) -> None:
        """Compute the prompts of these groups and draw the first token of each request."""
        prompts = [self._requests[group[0]].prompt_ids for group in groups]
        rows = [_Row(index, self._requests[index]) for group in groups for index in group]
        cohort = Cohort(
            self._network,
            [len(prompt) for prompt in prompts],
            [len(group) for group in groups],
            max_own=max(row.request.params.max_new_tokens for row in rows) - 1,
            first_own=_FIRST_OWN_TOKENS,
        )
        states = prefill(self._network, prompts, cohort.prompt_caches)
        prompt_of_row = [prompt for prompt, group in enumerate(groups) for _ in group]
        states = states[torch.tensor(prompt_of_row, device=states.device)]
        settings = settings_of(rows, states.device)
        tokens = draw_next(self._head, states, rows, settings)
        self._running.append(_Running(cohort, rows, tokens))
        self._layout = None
        self._finish_ended()

    def _decode(self) -> None:
        """Feed the last token of every running row and draw the next one."""
        layout = self._layout or self._lay_out()
        cohorts = [each.cohort for each in self._running]
        fed = [each.tokens for each in self._running]
        states = self._network.hidden(
            fed[0] if len(fed) == 1 else torch.cat(fed), layout.positions, layout.attend
        )
        layout.positions.add_(1)
        drawn = draw_next(self._head, states, layout.rows, layout.settings)
        parts = drawn.split_with_sizes([cohort.num_rows for cohort in cohorts])
        for each, tokens in zip(self._running, parts, strict=True):
            each.cohort.count_token()
            each.tokens = tokens
        self._finish_ended()

    def _lay_out(self) -> _Layout:
        rows = [row for each in self._running for row in each.rows]
        self._layout = _Layout(
            rows,
            torch.cat([each.cohort.positions() for each in self._running]),
            settings_of(rows, self._network.device),
            DecodingStep([each.cohort for each in self._running]),
        )
        return self._layout

    def _finish_ended(self) -> None:
        """Complete the requests that have ended and free their room."""
        num_before = len(self._completions)
        for each in self._running:
            kept = []
            for place, row in enumerate(each.rows):
                finish_reason = row.finish_reason(self._end_ids)
                if finish_reason is None:
                    kept.append(place)
                else:
                    self._completions[row.index] = row.completion(finish_reason)
                    self._num_finished_tokens += len(row.tokens)
            self._keep(each, kept)
        if len(self._completions) > num_before:
            self._is_crowded = False
            self._running = [each for each in self._running if each.rows]
            if self._on_progress is not None:
                self._on_progress(
                    Progress(
                        num_requests=len(self._requests),
                        num_finished=len(self._completions),
                        num_tokens=self._num_finished_tokens,
                    )
                )

    def _keep(self, each: _Running, kept: Sequence[int]) -> None:
        if len(kept) < len(each.rows):
            each.keep(kept)
            self._layout = None

    def _make_room(self) -> None:
        """Let own caches grow; if they would exceed the budget, the newest rows must wait."""
        for each in self._running:
            while each.rows and each.cohort.is_full:
                used = sum(
                    other.cohort.tokens_with(
                        other.cohort.next_capacity if other is each else other.cohort.capacity
                    )
                    for other in self._running
                    if other.rows
                )
                if used <= self._max_batch_tokens or not self._send_back():
                    each.cohort.grow()
        self._running = [each for each in self._running if each.rows]

    def _send_back(self) -> bool:
        """Let half of the newest cohort's rows wait and start anew later; False if none can.

        Their draws depend on their keys alone, so they draw the same tokens again.
        """
        running = [each for each in self._running if each.rows]
        newest = running[-1]
        num_kept = len(newest.rows) // 2
        if len(running) == 1 and num_kept == 0:
            return False
        self._waiting.put([row.index for row in newest.rows[num_kept:]])
        self._own_tokens = max(self._own_tokens, newest.cohort.next_capacity)
        self._is_crowded = True
        self._keep(newest, range(num_kept))
        return True
