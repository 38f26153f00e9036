"""Requests and replies as OpenAI-compatible servers write them.

A body is what a stranger sent: every field is checked, and whatever is not a reply raises
`UnusableBodyError` so that the call is made again.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypedDict

from longloom.models.endpoint.config import EndpointConfig
from longloom.models.endpoint.messages import ChatReply, ChatRequest
from longloom.text.lone_surrogates import without_lone_surrogates

_KEY_VERSION = "longloom.endpoint/1"
_CHARACTERS_PER_TOKEN = 3
"""On the low side: an estimate that is too high only starts calls a little later."""


class UnusableBodyError(ValueError):
    """A body that is no reply: cut off, garbage, or of another shape."""


def request_body(config: EndpointConfig, request: ChatRequest) -> dict[str, Any]:
    """Return the JSON that is posted."""
    body: dict[str, Any] = {
        "model": config.model,
        "messages": [
            {"role": message.role, "content": message.content} for message in request.messages
        ],
        config.limit_field: request.max_new_tokens,
    }
    if config.sends_sampling:
        body |= {"temperature": request.temperature, "top_p": request.top_p}
    if config.sends_seed:
        body["seed"] = request.seed + request.sample_index
    if request.stop:
        body["stop"] = list(request.stop)
    if request.is_json and config.sends_json_mode:
        body["response_format"] = {"type": "json_object"}
    return {**body, **config.extra_body}


def cache_key(config: EndpointConfig, request: ChatRequest, body: Mapping[str, Any]) -> str:
    """Return the digest of everything that shapes the reply; the key is no part of it."""
    content = {
        "version": _KEY_VERSION,
        "identity": config.cache_identity,
        "body": body,
        "seed": request.seed,
        "sample_index": request.sample_index,
        "is_json": request.is_json,
    }
    plain = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode("ascii")).hexdigest()


def estimated_tokens(request: ChatRequest) -> int:
    """Return about how many tokens a call takes, the reply at a quarter of its limit."""
    num_characters = sum(len(message.content) for message in request.messages)
    return num_characters // _CHARACTERS_PER_TOKEN + request.max_new_tokens // 4


def parse_reply(body: bytes) -> ChatReply:
    """Read a reply.

    Raises:
        UnusableBodyError: the body is not a chat completion with one choice.
    """
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnusableBodyError(f"body of {len(body)} bytes is not JSON: {error}") from None
    choices = parsed.get("choices") if isinstance(parsed, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else None
    if not isinstance(first, dict) or not isinstance(message, dict):
        raise UnusableBodyError("body holds no choices[0].message")
    content = message.get("content")
    if not isinstance(content, str | None):
        raise UnusableBodyError(f"content is of type {type(content).__name__}; expected text")
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    return ChatReply(
        text=without_lone_surrogates(content or ""),
        reasoning=without_lone_surrogates(reasoning) if isinstance(reasoning, str) else "",
        finish_reason=stated_code(first.get("finish_reason")),
        **reply_counts(parsed.get("usage")),
    )


class ReplyCounts(TypedDict):
    """The fields of `ChatReply` that count tokens."""

    num_prompt_tokens: int
    num_cached_tokens: int
    num_completion_tokens: int


def reply_counts(usage: object) -> ReplyCounts:
    """Return the counts in a `usage`, 0 where it has none."""
    counts = usage if isinstance(usage, dict) else {}
    details = counts.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    return {
        "num_prompt_tokens": _count(counts.get("prompt_tokens")),
        "num_cached_tokens": _count(cached),
        "num_completion_tokens": _count(counts.get("completion_tokens")),
    }


def stated_code(value: object) -> str:
    """Return a short code such as a finish reason; empty if there is none."""
    return value[:100] if isinstance(value, str) else ""


def error_of(body: bytes) -> tuple[str, str]:
    """Return code and message of an error body, as far as it has them; both on one line."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        parsed = None
    stated = parsed.get("error", parsed) if isinstance(parsed, dict) else None
    if isinstance(stated, dict):
        code, message = stated.get("code") or stated.get("type") or "", stated.get("message") or ""
    else:
        code, message = (
            "",
            stated if isinstance(stated, str) else body[:200].decode("utf-8", "replace"),
        )
    return _one_line(str(code)), _one_line(str(message))


def has_error(body: bytes) -> bool:
    """Whether a body with status 200 is an error all the same, as some gateways send."""
    if b'"error"' not in body or b'"choices"' in body:
        return False
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(parsed, dict) and bool(parsed.get("error"))


def retry_after_seconds(value: str | None, *, now: datetime | None = None) -> float | None:
    """Return the wait that a Retry-After header asks for: seconds or a date; None if neither."""
    if not value:
        return None
    stripped = value.strip()[:64]
    if stripped.replace(".", "", 1).isascii() and stripped.replace(".", "", 1).isdigit():
        return float(stripped)
    try:
        moment = parsedate_to_datetime(stripped)
    except (ValueError, TypeError, OverflowError):
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - (now or datetime.now(UTC))).total_seconds())


def _count(value: object) -> int:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**40
    return value if is_count and isinstance(value, int) else 0


def _one_line(text: str) -> str:
    return " ".join(without_lone_surrogates(text[:1_000]).split())[:300]
