"""Where an endpoint is and how hard it may be driven."""

import os
from collections.abc import Mapping
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, JsonValue, model_validator

from longloom.config import FrozenConfig

KEY_VARIABLES = ("LONGLOOM_API_KEY", "OPENAI_API_KEY")
"""Environment variables that may hold the key, in this order. A key is never written anywhere."""


class EndpointConfig(FrozenConfig):
    """One model behind an OpenAI-compatible address."""

    url: str
    """Base address, as in `http://127.0.0.1:8000/v1`; `/chat/completions` is added."""
    model: str = Field(min_length=1)
    """Model name as the server knows it."""
    identity: str = ""
    """Name under which replies are cached; empty for model and address together. Set it to keep
    the cache when a server moves."""
    concurrency: int = Field(default=32, ge=1)
    """Calls at a time."""
    requests_per_minute: int = Field(default=0, ge=0)
    """Limit of the server, kept from the start; 0 for none."""
    tokens_per_minute: int = Field(default=0, ge=0)
    """Limit over prompts and replies, kept by estimate and corrected by the server's counts; 0
    for none."""
    max_retries: int = Field(default=8, ge=0)
    """Further attempts after a failure that may pass."""
    first_backoff_seconds: float = Field(default=1.0, gt=0)
    """Wait before the first retry; doubled each time (QwenLong-L1's judge: 1 to 64 s)."""
    last_backoff_seconds: float = Field(default=64.0, gt=0)
    """Longest such wait."""
    max_retry_after_seconds: float = Field(default=600.0, gt=0)
    """A server that asks for a longer wait is asked again after this."""
    request_timeout_seconds: float = Field(default=900.0, gt=0)
    """A call that takes longer is given up and retried; long reasoning takes minutes. Where a
    reply comes piece by piece, the longest silence."""
    connect_timeout_seconds: float = Field(default=10.0, gt=0)
    """Time to reach the server."""
    max_reply_bytes: int = Field(default=16 * 1024 * 1024, ge=1024)
    """A longer body is refused."""
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """What the limit of a reply is called. All servers of open models know `max_tokens`, some know
    it alone; OpenAI's reasoning models refuse it and take `max_completion_tokens`."""
    sends_sampling: bool = True
    """Whether temperature and top-p are sent; OpenAI's reasoning models refuse them."""
    sends_stream_options: bool = True
    """Whether a server that streams is asked for its counts; some refuse the parameter."""
    sends_seed: bool = True
    """Whether the server is given seeds; some refuse the parameter."""
    sends_json_mode: bool = True
    """Whether the server is told when a reply must be JSON; some refuse the parameter."""
    extra_body: dict[str, JsonValue] = Field(default_factory=dict)
    """Further settings in every request (`top_k`, `chat_template_kwargs`)."""

    @model_validator(mode="after")
    def _address_is_plain(self) -> Self:
        try:
            parts = urlsplit(self.url)
            is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
            is_address = is_address and parts.port != 0
        except ValueError:  # a port that is none, half an IPv6 address
            is_address = False
        if not is_address or not self.url.isprintable() or " " in self.url:
            raise ValueError(
                f"url is {self.url!r}; expected an address such as http://127.0.0.1:8000/v1"
            )
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError(
                "url holds a user name, password, query or fragment; expected the address alone; "
                f"put the key into {KEY_VARIABLES[0]}"
            )
        return self

    @property
    def completions_url(self) -> str:
        """The address that requests are posted to."""
        return self.url.rstrip("/").removesuffix("/chat/completions") + "/chat/completions"

    @property
    def models_url(self) -> str:
        """The address that lists models."""
        return self.completions_url.removesuffix("/chat/completions") + "/models"

    @property
    def cache_identity(self) -> str:
        """What the cache key says about the model."""
        return self.identity or f"{self.model} at {self.completions_url}"

    @property
    def is_local(self) -> bool:
        """Whether the address is on this machine."""
        return urlsplit(self.url).hostname in ("127.0.0.1", "localhost", "::1")


def read_api_key(environment: Mapping[str, str] | None = None) -> str:
    """Return the key in the environment, or an empty string."""
    variables = os.environ if environment is None else environment
    stated = (variables.get(name, "").strip() for name in KEY_VARIABLES)
    return next((key for key in stated if key), "")
