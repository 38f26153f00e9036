"""A sampler for servers: one engine thread, and requests of event loops that come and go.

    event loop:     sample, stream -> Ticket --.              .--> tokens, completion
    engine thread:                             '-> LiveEngine -'    once per step and loop

A request that is cancelled, or whose stream is closed, is forgotten at the next step. The network
is used by the engine thread alone.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass

from longloom.errors import ModelError
from longloom.models.live.engine import LiveEngine
from longloom.models.live.records import LiveRow, RowEvent
from longloom.models.network import SampledNetwork
from longloom.records import Completion, FinishReason, SampleRequest
from longloom.runlog.closing import ClosesOnExit
from longloom.text.tokenizer import Tokenizer

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedToken:
    """One token of a completion, as soon as it is drawn."""

    token_id: int
    """The token; the end token too."""
    logprob: float
    """Its log-probability under the sampling temperature, before top-p."""
    finish_reason: FinishReason | None
    """Why the completion has ended; None if more tokens follow."""
    num_cached_tokens: int
    """Tokens of the prompt that did not have to be computed."""


_Arrival = StreamedToken | Completion | ModelError


class _Ticket:
    """A request and the event loop that waits for it."""

    __slots__ = ("arrivals", "is_streamed", "loop", "request")

    def __init__(self, request: SampleRequest, *, is_streamed: bool) -> None:
        self.request = request
        self.is_streamed = is_streamed
        """Whether every token is wanted, or the completion alone."""
        self.loop = asyncio.get_running_loop()
        self.arrivals: asyncio.Queue[_Arrival] = asyncio.Queue()


@dataclass(frozen=True, slots=True)
class _Forget:
    """The order to forget a request."""

    ticket: _Ticket
    """Its ticket."""


_Order = _Ticket | _Forget | None
"""What the engine thread is told: a new request, one to forget, or to end."""


class LiveSampler(ClosesOnExit):
    """Continuous batching behind the protocol of samplers (see `models.protocols.Sampler`).

    Safe for any number of tasks of any number of event loops. Close it: its thread lives until
    then.
    """

    def __init__(
        self,
        network: SampledNetwork,
        tokenizer: Tokenizer,
        *,
        max_cache_tokens: int = 65_536,
        prefix_cache_tokens: int = 32_768,
    ) -> None:
        """Start the engine thread.

        Args:
            network: what is sampled (`fused_qwen3.network_for_sampling` makes a faster one).
            tokenizer: its tokenizer.
            max_cache_tokens: bounds the memory of running requests; a larger one is refused.
            prefix_cache_tokens: bounds the memory of earlier prompts that are kept beside them.
        """
        self._tokenizer = tokenizer
        self._engine = LiveEngine(
            network,
            end_ids=tokenizer.end_ids,
            max_cache_tokens=max_cache_tokens,
            prefix_cache_tokens=prefix_cache_tokens,
        )
        self._window_tokens = min(network.sizes.window_tokens, max_cache_tokens)
        self._figures = self._engine.figures()
        self._orders: queue.SimpleQueue[_Order] = queue.SimpleQueue()
        self._rows: dict[_Ticket, LiveRow] = {}
        self._tickets: dict[LiveRow, _Ticket] = {}
        self._lock = threading.Lock()
        """Held where orders are given, so that none is given after the last."""
        self._is_closed = False
        # A daemon: who forgets to close it shall not hang at the end of the program.
        self._thread = threading.Thread(target=self._run, name="live-engine", daemon=True)
        self._thread.start()

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the model."""
        return self._tokenizer

    @property
    def window_tokens(self) -> int:
        """Prompt and completion together must fit in this many tokens: window and caches."""
        return self._window_tokens

    def figures(self) -> Mapping[str, float]:
        """Return what `LiveFigures` names, as of the engine's last step."""
        return {name: float(figure) for name, figure in asdict(self._figures).items()}

    def check(self, request: SampleRequest) -> None:
        """Refuse what can never be answered, before a stream of it is begun.

        Raises:
            ModelError: prompt or answer are empty.
            ContextLengthError: together they do not fit the window, or the caches.
        """
        self._engine.check(request)

    async def sample(self, request: SampleRequest) -> Completion:
        """Return one completion; see `models.protocols.Sampler`."""
        ticket = self._begin(request, is_streamed=False)
        try:
            arrival = await ticket.arrivals.get()
        finally:
            self._give(_Forget(ticket))
        if isinstance(arrival, ModelError):
            raise arrival
        assert isinstance(arrival, Completion)
        return arrival

    async def stream(self, request: SampleRequest) -> AsyncIterator[StreamedToken]:
        """Yield the tokens of one completion as they are drawn.

        Closing the iterator early frees what the request holds.

        Raises:
            ContextLengthError: prompt and answer do not fit.
            ModelError: the model failed, or the sampler was closed.
        """
        ticket = self._begin(request, is_streamed=True)
        try:
            while True:
                arrival = await ticket.arrivals.get()
                if isinstance(arrival, ModelError):
                    raise arrival
                assert isinstance(arrival, StreamedToken)
                yield arrival
                if arrival.finish_reason is not None:
                    return
        finally:
            self._give(_Forget(ticket))

    def close(self) -> None:
        """End the thread after its present step; requests that wait or run fail."""
        self._give(None)
        with self._lock:
            self._is_closed = True
        self._thread.join()

    def _begin(self, request: SampleRequest, *, is_streamed: bool) -> _Ticket:
        self._engine.check(request)
        ticket = _Ticket(request, is_streamed=is_streamed)
        if not self._give(ticket):
            raise _closed()
        return ticket

    def _give(self, order: _Order) -> bool:
        """Give the engine thread an order; False if it has ended."""
        with self._lock:
            if not self._is_closed:
                self._orders.put(order)
            return not self._is_closed

    # What follows runs in the engine thread.

    def _run(self) -> None:
        reason = _closed()
        try:
            while self._follow_orders():
                if not self._engine.is_idle:
                    events = self._engine.step()
                    self._figures = self._engine.figures()
                    self._deliver(events)
        except Exception as error:  # the boundary of the thread: nobody shall wait for ever
            logger.exception("the live engine ended")
            reason = ModelError(f"the live engine ended: {type(error).__name__}: {error}")
        with self._lock:
            self._is_closed = True
        while not self._orders.empty():
            order = self._orders.get()
            if isinstance(order, _Ticket):
                self._rows[order] = row = LiveRow(order.request)
                self._tickets[row] = order
        self._deliver([RowEvent(row, error=reason) for row in self._tickets])

    def _follow_orders(self) -> bool:
        """Follow all orders that were given, and wait for one if there is nothing to do.

        Returns:
            Whether to go on.
        """
        while not self._orders.empty() or self._engine.is_idle:
            order = self._orders.get()
            if order is None:
                return False
            if isinstance(order, _Forget):
                row = self._rows.pop(order.ticket, None)
                if row is not None:
                    del self._tickets[row]
                    self._engine.cancel(row)
                    self._figures = self._engine.figures()
            else:
                row = self._engine.submit(order.request)
                self._rows[order] = row
                self._tickets[row] = order
        return True

    def _deliver(self, events: list[RowEvent]) -> None:
        """Pass on what a step gave, in one call for each event loop."""
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Ticket, _Arrival]]] = {}
        for event in events:
            ticket = self._tickets[event.row]
            arrival = _arrival(event, is_streamed=ticket.is_streamed)
            if arrival is not None:
                by_loop.setdefault(ticket.loop, []).append((ticket, arrival))
        for event in events:
            if event.error is not None or event.finish_reason is not None:
                del self._rows[self._tickets.pop(event.row)]
        for loop, arrivals in by_loop.items():
            try:
                loop.call_soon_threadsafe(_hand_out, arrivals)
            except RuntimeError:  # the loop was closed: nobody waits there any more
                for ticket, _ in arrivals:
                    self._orders.put(_Forget(ticket))


def _arrival(event: RowEvent, *, is_streamed: bool) -> _Arrival | None:
    """Return what the caller is told of an event; None if nothing yet."""
    row = event.row
    if event.error is not None:
        return event.error
    if is_streamed:
        return StreamedToken(
            token_id=row.tokens[-1],
            logprob=row.logprobs[-1],
            finish_reason=event.finish_reason,
            num_cached_tokens=row.num_cached_tokens,
        )
    return None if event.finish_reason is None else row.completion(event.finish_reason)


def _hand_out(arrivals: list[tuple[_Ticket, _Arrival]]) -> None:
    for ticket, arrival in arrivals:
        ticket.arrivals.put_nowait(arrival)


def _closed() -> ModelError:
    return ModelError("the sampler was closed; make another one to go on")
