"""Serve a model, or an endpoint, with the memory agent for what exceeds its window."""

import asyncio
import importlib.util
import ipaddress
import logging
import socket
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from longloom.config import apply_overrides, overrides_of, parse_config
from longloom.errors import ConfigError, MissingDependencyError
from longloom.memory import Journal, MemoryAgent, MemoryConfig, SpareableJournal
from longloom.memory.journal_file import JournalFile
from longloom.memory.work import in_thread
from longloom.models.endpoint.config import EndpointConfig
from longloom.recipes.model_source import TINY_BASE, identity_of, resolve_model
from longloom.recipes.run_config import RunConfig
from longloom.recipes.verbs.read_model import ReadModel, reading_memory
from longloom.serving import Backend, ServingConfig
from longloom.serving.keys import KEYS_VARIABLE, ApiKeys, read_keys

logger = logging.getLogger(__name__)

JOURNAL_FILE = "readings.sqlite"
_PACKAGES = ("fastapi", "uvicorn")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedAddress:
    """Where a server takes requests."""

    url: str
    """Base address for clients, as in `http://127.0.0.1:8000/v1`."""
    model: str
    """The model's name in requests."""
    window_tokens: int
    """Tokens of the model's own window."""
    max_document_tokens: int
    """Tokens of the longest request."""
    needs_key: bool
    """Whether requests need an API key."""
    is_local: bool
    """Whether only this machine can reach it."""


def serve(
    *,
    model: Path | str = TINY_BASE,
    endpoint: str | None = None,
    model_name: str | None = None,
    tokenizer: Path | str | None = None,
    window_tokens: int | None = None,
    yarn_factor: float | None = None,
    host: str = "127.0.0.1",
    port: int = 8000,
    keys_file: Path | str | None = None,
    journal: Path | str | None = None,
    recipe: str | None = None,
    overrides: Sequence[str] = (),
    on_ready: Callable[[ServedAddress], None] | None = None,
) -> bool:
    """Serve until SIGINT or SIGTERM; OpenAI-compatible, beyond the model's window.

    Args:
        model: a model folder or `tiny-base`, computed in this process.
        endpoint: an OpenAI-compatible address to use instead, as `http://127.0.0.1:8001/v1`.
        model_name: the model's name; at an endpoint, as it is known there.
        tokenizer: a folder with the endpoint's tokenizer; tokens are estimated without it.
        window_tokens: the model's window; its own, or what the endpoint says, if not given.
        yarn_factor: lengthen the model's own window so many times by YaRN.
        host: the address to listen at; others than this machine's own need API keys.
        port: the port; 0 takes a free one.
        keys_file: a file of API keys, one a line, beside those in LONGLOOM_SERVER_KEYS.
        journal: a folder that keeps what was read, so that readings go on where they stopped.
        recipe: whose memory settings are used; by default those that suit the model's window, as
            `longloom read` chooses them.
        overrides: changed settings as `memory.a=b`, `serving.a=b` and `endpoint.a=b`.
        on_ready: is told the address when requests are taken.

    Returns:
        Whether the server stopped in order; False if it was told twice to stop.

    Raises:
        ConfigError: a setting is refused, or the address cannot be used.
        MissingDependencyError: the extra `serve` is not installed.
        ModelError: the model cannot be loaded, or the endpoint does not answer.
    """
    _check_installed()
    wanted = ReadModel(
        model=str(model),
        endpoint=endpoint,
        model_name=model_name if endpoint is not None else None,
        tokenizer=str(tokenizer) if tokenizer is not None else None,
        window_tokens=window_tokens,
        yarn_factor=yarn_factor,
    )
    wanted.check()
    settings = _settings(wanted, recipe, overrides)
    keys = read_keys(Path(keys_file) if keys_file is not None else None)
    is_local = _is_loopback(host)
    if not is_local and not keys:
        logger.warning(
            "host %s can be reached from other machines and no API key is set: anybody there can "
            "use the model; set %s or give --keys FILE",
            *(host, KEYS_VARIABLE),
        )
    door = _Door(host=host, port=port, keys=keys, is_local=is_local)
    return asyncio.run(_serve(wanted, model_name, door, settings, journal, on_ready))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settings:
    """How requests are answered and read."""

    config: RunConfig
    """The recipe's settings."""
    stated: tuple[str, ...]
    """Those of them that the user stated."""
    serving: ServingConfig
    """The server's."""
    connection: EndpointConfig | None
    """How the endpoint is asked; None for a model in this process."""

    def memory(self, window_tokens: int) -> MemoryConfig:
        """Return how requests are read; the form of the answer is what the request asks for."""
        memory = reading_memory(self.config, self.stated, window_tokens)
        is_stated = any(override.startswith("memory.answer_form=") for override in self.stated)
        return memory if is_stated else memory.replace(answer_form="free")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Door:
    """Where requests come in, and whose."""

    host: str
    port: int
    keys: ApiKeys
    is_local: bool


async def _serve(
    wanted: ReadModel,
    name: str | None,
    door: _Door,
    settings: _Settings,
    journal: Path | str | None,
    on_ready: Callable[[ServedAddress], None] | None,
) -> bool:
    from longloom.serving.server import bind, serve_until_stopped
    from longloom.serving.service import Service

    serving = settings.serving
    async with AsyncExitStack() as opened:
        listening = opened.enter_context(closing(bind(door.host, door.port)))
        if settings.connection is not None:
            backend = await _remote(opened, wanted, settings.connection, serving)
        else:
            backend = _local(settings.config, wanted, name, serving)
        window_tokens = backend.chat.window_tokens
        memory, steps = settings.memory(window_tokens), _open_journal(opened, journal)

        def make_agent(holder: str) -> MemoryAgent:
            return MemoryAgent(memory, journal=steps, salt=holder, work=in_thread)

        service = Service(backend, make_agent, serving, keys=door.keys)
        address = ServedAddress(
            url=_url(door.host, listening),
            model=backend.name,
            window_tokens=window_tokens,
            max_document_tokens=serving.max_document_tokens,
            needs_key=bool(door.keys),
            is_local=door.is_local,
        )
        return await serve_until_stopped(
            service,
            listening,
            is_local=door.is_local,
            on_ready=lambda: on_ready(address) if on_ready else None,
        )


def _check_installed() -> None:
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingDependencyError(
            f"serving needs {' and '.join(missing)}; install the extra: "
            'pip install "longloom[serve]"'
        )


def _settings(wanted: ReadModel, recipe: str | None, overrides: Sequence[str]) -> _Settings:
    """Return settings of the recipe, of the server (`serving.`) and the endpoint (`endpoint.`)."""
    own, rest = overrides_of("serving", overrides)
    connecting, rest = overrides_of("endpoint", rest)
    changed = apply_overrides(ServingConfig().model_dump(), own)
    return _Settings(
        config=wanted.config(recipe, rest, None),
        stated=tuple(rest),
        serving=parse_config(ServingConfig, changed),
        connection=wanted.connection(connecting),
    )


def _local(
    config: RunConfig, wanted: ReadModel, name: str | None, serving: ServingConfig
) -> Backend:
    from longloom.recipes.sampler_source import open_live_sampler, prepare_torch  # loads torch
    from longloom.serving.local_backend import LocalBackend

    prepare_torch(config.num_threads, config.engine)
    folder = resolve_model(wanted.model)
    sampler = open_live_sampler(folder, yarn_factor=wanted.yarn_factor, config=config.engine)
    own, window_tokens = sampler.window_tokens, wanted.window_tokens
    if window_tokens is not None and not 1 <= window_tokens <= own:
        sampler.close()
        raise ConfigError(f"window is {window_tokens} tokens; expected 1 to {own}, the model's own")
    name = name or (TINY_BASE if wanted.model == TINY_BASE else folder.resolve().name)
    return LocalBackend(
        sampler,
        name=name,
        config=serving,
        window_tokens=window_tokens,
        identity=identity_of(folder, wanted.yarn_factor),
    )


async def _remote(
    opened: AsyncExitStack, wanted: ReadModel, connection: EndpointConfig, serving: ServingConfig
) -> Backend:
    from longloom.models.endpoint.chat import open_endpoint_chat
    from longloom.models.endpoint.config import read_api_key
    from longloom.serving.http_backend import HttpBackend
    from longloom.text.tokenizer import FolderTokenizer

    config = connection.replace(concurrency=serving.max_reading_calls)
    counting = FolderTokenizer(Path(wanted.tokenizer)) if wanted.tokenizer is not None else None
    chat = await opened.enter_async_context(
        open_endpoint_chat(config, window_tokens=wanted.window_tokens, tokenizer=counting)
    )
    return HttpBackend(config, chat, api_key=read_api_key(), serving=serving)


def _open_journal(opened: AsyncExitStack, folder: Path | str | None) -> Journal | None:
    if folder is None:
        return None
    path = Path(folder).expanduser() / JOURNAL_FILE
    return SpareableJournal(opened.enter_context(JournalFile(path)))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _url(host: str, listening: socket.socket) -> str:
    port = listening.getsockname()[1]
    return f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"
