"""What happens to a memory that has grown beyond its limit."""

from longloom.errors import ContextLengthError
from longloom.memory.budget import TokenCounts
from longloom.memory.calls import Calls
from longloom.memory.config import MemoryConfig
from longloom.memory.messages import Messages
from longloom.memory.parsing import MemoryState, parse_update
from longloom.records import Purpose
from longloom.text.token_starts import TextTokens

_PLAN_SHARE = 4
"""Where memory and plan are cut, the plan keeps at most one part in so many."""

_SENTENCE_ENDS = (". ", "! ", "? ", ".\n", "!\n", "?\n", "\u3002", "\uff01", "\uff1f")


async def hold_within(
    state: MemoryState,
    config: MemoryConfig,
    *,
    calls: Calls,
    messages: Messages,
    counts: TokenCounts,
    key: str,
) -> tuple[MemoryState, str]:
    """Return a state of at most `memory_tokens`, and what was done to it; empty if nothing.

    Raises:
        ModelError: the model failed.
    """
    cap, taken = config.memory_tokens, counts.of(state.memory, state.plan)
    if config.overflow == "keep" or taken <= cap:
        return state, ""
    done = [f"memory and plan took {taken} tokens of at most {cap}"]
    if config.overflow == "compress":
        shorter = await _compressed(state, config, calls=calls, messages=messages, key=key)
        if shorter is None:
            done.append("the reply that was to shorten them could not be used")
        elif (taken := counts.of(shorter.memory, shorter.plan)) <= cap:
            return shorter, "; ".join([*done, f"shortened to {taken}"])
        else:
            state = shorter
            done.append(f"shortened to {taken}")
    plan = first_entries(state.plan, counts.tokens, max(1, cap // _PLAN_SHARE))
    memory = first_entries(state.memory, counts.tokens, max(1, cap - counts.of(plan)))
    cut = MemoryState(memory=memory, plan=plan)
    return cut, "; ".join([*done, f"cut to {counts.of(memory, plan)}"])


async def _compressed(
    state: MemoryState, config: MemoryConfig, *, calls: Calls, messages: Messages, key: str
) -> MemoryState | None:
    try:
        reply = await calls.ask(
            messages.compress(state, max_tokens=config.memory_tokens),
            key=key,
            purpose=Purpose.COMPRESS,
            max_new_tokens=config.update_tokens,
        )
    except ContextLengthError:
        return None
    return parse_update(
        reply.text,
        previous=state,
        finish_reason=reply.finish_reason,
        must_think=config.thinking_tokens > 0 and not reply.reasoning,
    )


def first_entries(text: str, tokens: TextTokens, max_tokens: int) -> str:
    """Return the first lines of `text` that take at most `max_tokens`, at least one character.

    Where the lines are so long that half of the room would stay empty, whole sentences are kept,
    else whole words.
    """
    num_tokens, end = 0, len(text)
    for starts in tokens.starts(text):
        if num_tokens + len(starts) > max_tokens:
            end = int(starts[max_tokens - num_tokens])
            break
        num_tokens += len(starts)
    if end == len(text):
        return text
    head = text[: max(1, end)]
    reached = text[: len(head) + 1]  # with the break that may follow
    last = max((reached.rfind(mark) + 1 for mark in _SENTENCE_ENDS), default=0)
    for boundary in (reached.rfind("\n"), last, reached.rfind(" ")):
        if boundary > len(head) // 2:
            return head[:boundary].rstrip()
    return head.rstrip() or head
