"""Continuous batching: requests join and leave between any two steps.

    submit -> waiting -> filling (prompt, piece by piece) -> running (a row of a shelf) -> ended

A step computes a piece of the prompts and one token of every running row. Requests are admitted in
order while the caches have room. An answer is admitted for what it needs now, not for its limit;
when the caches are full, the newest row gives its place back and waits, and goes on later where it
was: what it has drawn is then part of its prompt. What a request draws depends on its key alone.

What it leaves out: threads and event loops (see `sampler`); it is used from one thread. Groups
that share one copy of a long prompt are the business of `generate`, which trains; here an equal
prompt is computed once and copied.
"""

import time
from collections import Counter, deque
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import torch

from longloom.errors import ContextLengthError, ModelError
from longloom.models.live.filling import Filling, shared_out
from longloom.models.live.pace import Pace
from longloom.models.live.prefix_cache import PrefixCache
from longloom.models.live.records import LiveFigures, LiveRow, RowEvent
from longloom.models.live.running_rows import RunningRows
from longloom.models.live.shelves import row_cache, shelf_step
from longloom.models.network import SampledNetwork
from longloom.models.prefill import run_pieces
from longloom.models.sampled_rows import draw_next, settings_of
from longloom.models.weight_layout import head_for_sampling
from longloom.records import SampleRequest


class LiveEngine:
    """Requests that wait, prompts that are filled and rows that run."""

    def __init__(
        self,
        network: SampledNetwork,
        *,
        end_ids: AbstractSet[int],
        max_cache_tokens: int,
        prefix_cache_tokens: int,
    ) -> None:
        """Answer with a network.

        Args:
            network: what is sampled.
            end_ids: tokens any of which ends an answer.
            max_cache_tokens: tokens there may be room for in the caches of all rows together; for a
                moment a row that moves is held twice.
            prefix_cache_tokens: tokens of earlier prompts and answers that are kept beside them.
        """
        self._network, self._end_ids = network, end_ids
        self._max_cache_tokens = max_cache_tokens
        self._head = head_for_sampling(network.head_weight)
        self._prefixes = PrefixCache(prefix_cache_tokens)
        self._pace = Pace()
        self._waiting: deque[LiveRow] = deque()
        self._filling: list[Filling] = []
        self._running = RunningRows(network, max_cache_tokens)
        self._admitted: list[LiveRow] = []
        """Rows that fill or run, the oldest first."""
        self._counts: Counter[str] = Counter()

    @property
    def is_idle(self) -> bool:
        """Whether no request waits or runs."""
        return not (self._waiting or self._admitted)

    def figures(self) -> LiveFigures:
        """Return what has been done and what is held."""
        filling = sum(len(each.sequence) for each in self._filling)
        return LiveFigures(
            num_waiting=len(self._waiting),
            num_filling=len(self._admitted) - len(self._running),
            num_running=len(self._running),
            num_cache_tokens=filling + self._running.num_tokens,
            num_prefix_tokens=self._prefixes.num_tokens,
            **self._counts,
        )

    def check(self, request: SampleRequest) -> None:
        """Refuse what can never be answered; safe in any thread.

        Raises:
            ModelError: prompt or answer are empty.
            ContextLengthError: together they do not fit the window, or the caches.
        """
        num_prompt, num_new = len(request.prompt_ids), request.params.max_new_tokens
        if num_prompt < 1 or num_new < 1:
            raise ModelError(
                f"prompt of {num_prompt} tokens and answer of up to {num_new}; expected at least 1 "
                "of each"
            )
        window_tokens = self._network.sizes.window_tokens
        if num_prompt + num_new > min(window_tokens, self._max_cache_tokens):
            raise ContextLengthError(
                f"prompt of {num_prompt} tokens and answer of up to {num_new} do not fit the "
                f"window of {window_tokens} and the caches of {self._max_cache_tokens}; shorten "
                "the prompt or the answer limit"
            )

    def submit(self, request: SampleRequest) -> LiveRow:
        """Let a request wait for its turn; see `check` for what is refused."""
        self.check(request)
        row = LiveRow(request)
        self._waiting.append(row)
        return row

    @torch.inference_mode()
    def cancel(self, row: LiveRow) -> None:
        """Forget a request, wherever it is; nothing happens if it has ended."""
        if row in self._waiting:
            self._waiting.remove(row)
        elif row in self._admitted:
            self._release(row)

    @torch.inference_mode()
    def step(self) -> list[RowEvent]:
        """Compute one token of every running row and a piece of the prompts.

        A failure of the network ends the requests it was running for, and is told as their event.
        """
        events: list[RowEvent] = []
        rows = list(self._running)
        try:
            events += self._decode()
        except Exception as error:  # the boundary to the network: every caller is told
            events += self._failed(rows, error)
        rows = []
        try:
            self._admit()
            rows = [row for each in self._filling for row in each.rows]
            events += self._fill()
        except Exception as error:  # as above
            events += self._failed(rows or list(self._admitted), error)
        return events

    def _admit(self) -> None:
        """Start waiting requests, in order, while the caches have room."""
        while self._waiting:
            row = self._waiting[0]
            sequence = row.sequence
            lengths = [*self._filling_lengths(), len(sequence)]
            if self._admitted and self._running.tokens_with(lengths) > self._max_cache_tokens:
                return
            self._waiting.popleft()
            self._admitted.append(row)
            twin = next((each for each in self._filling if each.is_for(row)), None)
            if twin is None:
                cache = row_cache(self._network, len(sequence))
                num_kept = self._prefixes.fill(sequence, cache, salt=row.cache_salt)
                self._filling.append(Filling([row], sequence, cache, num_kept, row.cache_salt))
            else:
                num_kept = len(sequence)
                twin.rows.append(row)
            self._counts["num_reused_tokens"] += num_kept
            if not row.tokens:
                row.num_cached_tokens = num_kept

    def _filling_lengths(self) -> list[int]:
        return [len(each.sequence) for each in self._filling for _ in each.rows]

    def _fill(self) -> list[RowEvent]:
        """Compute a piece of the prompts; draw the first token of those that are complete."""
        num_tokens = self._pace.num_tokens(has_streams=len(self._running) > 0)
        shares = shared_out(self._filling, num_tokens)
        if not shares:
            return []
        begin = time.perf_counter()
        states = run_pieces(self._network, [filling.piece(share) for filling, share in shares])
        num_filled = sum(share for _, share in shares)
        self._pace.note(num_filled, time.perf_counter() - begin)
        self._counts["num_filled_tokens"] += num_filled
        rows: list[LiveRow] = []
        places: list[int] = []
        for place, (filling, share) in enumerate(shares):
            filling.num_done += share
            if filling.num_left == 0:
                rows += filling.rows
                places += [place] * len(filling.rows)
                self._start(filling)
        if not rows:
            return []
        states = states[torch.tensor(places, device=states.device)]
        draw_next(self._head, states, rows, settings_of(rows, states.device))
        return self._drawn(rows)

    def _start(self, filling: Filling) -> None:
        """Let the rows of a complete prompt run."""
        self._filling.remove(filling)
        self._prefixes.keep(filling.sequence, filling.cache, salt=filling.cache_salt)
        for row in filling.rows:
            self._running.add(row, filling.cache, len(filling.sequence))

    def _decode(self) -> list[RowEvent]:
        """Feed the last token of every running row and draw the next one."""
        self._make_room()
        if not len(self._running):
            return []
        layout = self._running.layout()
        attend = shelf_step(layout.shelves)
        fed = torch.tensor([row.tokens[-1] for row in layout.rows], device=self._network.device)
        positions = [shelf.positions() for shelf in layout.shelves]
        states = self._network.hidden(fed, torch.cat(positions), attend)
        for shelf in layout.shelves:
            shelf.end_step()
        draw_next(self._head, states, layout.rows, layout.settings)
        self._counts["num_steps"] += 1
        return self._drawn(layout.rows)

    def _make_room(self) -> None:
        """Move rows whose place is full; where there is no room, the newest rows must wait."""
        for row in self._running.full():
            while row in self._running:
                lengths = [*self._filling_lengths(), len(row.sequence) - 1]
                needed = self._running.tokens_with(lengths, without=row)
                if needed <= self._max_cache_tokens or len(self._admitted) == 1:
                    self._running.move(row)
                    break
                newest = self._admitted[-1]
                self._release(newest)
                self._waiting.appendleft(newest)
                self._counts["num_sent_back"] += 1

    def _drawn(self, rows: Sequence[LiveRow]) -> list[RowEvent]:
        """Return what was drawn, and free the places of rows that have ended."""
        self._counts["num_drawn_tokens"] += len(rows)
        events = [RowEvent(row, row.finish_reason(self._end_ids)) for row in rows]
        for event in events:
            if event.finish_reason is not None:
                self._release(event.row)
        return events

    def _failed(self, rows: Sequence[LiveRow], error: Exception) -> list[RowEvent]:
        """End these rows with an error; nothing that was computed is trusted any more.

        Those that were sent back before it are spared.
        """
        rows = [row for row in rows if row not in self._waiting]
        for row in rows:
            if row in self._admitted:
                self._release(row, is_trusted=False)
        self._prefixes.clear()
        self._counts["num_failed"] += len(rows)
        return [RowEvent(row, error=_told(error)) for row in rows]

    def _release(self, row: LiveRow, *, is_trusted: bool = True) -> None:
        """Free what a row holds; keep its keys and values for requests that begin like it."""
        self._admitted.remove(row)
        if row in self._running:
            if is_trusted:
                cache, length = self._running.cache(row)
                self._prefixes.keep(row.sequence[:length], cache, salt=row.cache_salt)
            self._running.remove(row)
            return
        filling = next((each for each in self._filling if row in each.rows), None)
        if filling is None:  # its caches could not be made
            return
        filling.rows.remove(row)
        if not filling.rows:
            self._filling.remove(filling)
            if is_trusted:
                done = filling.sequence[: filling.num_done]
                self._prefixes.keep(done, filling.cache, salt=filling.cache_salt)


def _told(error: Exception) -> ModelError:
    """Return what the caller of a failed request sees."""
    if isinstance(error, ModelError):
        return error
    told = ModelError(f"the model failed: {type(error).__name__}: {error}")
    told.__cause__ = error
    return told
