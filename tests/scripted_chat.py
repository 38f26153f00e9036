"""A chat sampler that replies by a function, and words as its tokens."""

import re

import numpy as np

from longloom.errors import ContextLengthError
from longloom.records import Delta, FinishReason, Reply, TokenUsage

_WORD = re.compile(r"\S+")


class WordTokens:
    """Every run of characters that are no white space is one token."""

    name = "words"

    def __init__(self, *, is_exact=True):
        self.is_exact = is_exact

    def count(self, text):
        return len(_WORD.findall(text))

    def starts(self, text):
        yield np.array([match.start() for match in _WORD.finditer(text)], dtype=np.int64)


class ScriptedChat:
    """Replies with what `reply_to(request)` returns: a text, a `Reply`, or an error to raise.

    Prompts and replies that exceed the window are refused, as a server would.
    """

    name = "scripted"

    def __init__(self, reply_to, *, window_tokens=100_000, tokens=None):
        self._reply_to = reply_to
        self.window_tokens = window_tokens
        self.tokens = tokens or WordTokens()
        self.requests = []

    def num_prompt_tokens(self, message):
        return self.tokens.count(message)

    async def reply(self, request):
        self.requests.append(request)
        num_prompt = WordTokens().count(request.message)
        if num_prompt + request.params.max_new_tokens > self.window_tokens:
            raise ContextLengthError(f"{num_prompt} tokens are too many")
        reply = self._reply_to(request)
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, str):
            reply = Reply(
                text=reply,
                finish_reason=FinishReason.STOP,
                usage=TokenUsage(
                    num_prompt_tokens=num_prompt,
                    num_response_tokens=self.tokens.count(reply),
                    num_calls=1,
                ),
            )
        if request.on_delta is not None:
            request.on_delta(Delta(text=reply.text))
        return reply

    def purposes(self):
        return [str(request.purpose) for request in self.requests]

    def messages(self, purpose=None):
        return [r.message for r in self.requests if purpose is None or r.purpose == purpose]


def cut_reply(text, *, num_tokens=1):
    """Return a reply that reached its limit."""
    return Reply(
        text=text,
        finish_reason=FinishReason.LENGTH,
        usage=TokenUsage(num_response_tokens=num_tokens, num_calls=1),
    )


def between(text, opening, closing):
    return text.partition(opening)[2].partition(closing)[0].strip()


def section_of(message):
    return between(message, "<section>", "</section>")


def memory_of(message):
    return between(between(message, "<previous_memory>", "</previous_memory>"), "<memory>", "</mem")


def note(memory, plan="p"):
    return f"<memory>{memory}</memory><plan>{plan}</plan>"


def collecting(request):
    """Reply as a reader that notes the first word of every section, and answers with its notes."""
    message = request.message
    if "<section>" in message:
        kept = memory_of(message).removeprefix("none")
        first = section_of(message).split()[0] if section_of(message) else ""
        return note(f"{kept} {first}".strip() or "nothing")
    return between(message, "<memory>", "</memory>")
