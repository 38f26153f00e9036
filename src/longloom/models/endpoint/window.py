"""Ask a server about its model: how many tokens fit the window, and which model it is.

There is no standard field for the window: vLLM and SGLang say `max_model_len`, routers
`context_length`, LM Studio `loaded_context_length`, Groq `context_window`, llama.cpp `meta.n_ctx`
or, at `/props`, `n_ctx`.
"""

from collections.abc import Mapping
from typing import Any

from longloom.models.endpoint.client import EndpointClient

_FIELDS = ("max_model_len", "context_length", "context_window", "loaded_context_length")
_LLAMA_CPP = "llamacpp"
_SIZES = ("n_vocab", "n_ctx_train", "n_embd", "n_params", "size")


async def ask_card(client: EndpointClient, *, max_retries: int | None = None) -> dict[str, Any]:
    """Return what a server lists about the model; empty if it lists nothing.

    Raises:
        EndpointUnavailableError: the server cannot be reached.
    """
    listed = await client.look_up(client.config.models_url, max_retries=max_retries)
    return _card_of(listed, client.config.model)


async def ask_window(client: EndpointClient, card: Mapping[str, Any]) -> int | None:
    """Return the tokens of the window as the server says; None if it does not.

    Raises:
        EndpointUnavailableError: the server cannot be reached.
    """
    stated = stated_in_card(card)
    if stated is None and card.get("owned_by") == _LLAMA_CPP:
        root = client.config.models_url.removesuffix("/models").removesuffix("/v1")
        props = await client.look_up(f"{root}/props")
        settings = props.get("default_generation_settings") if isinstance(props, dict) else None
        stated = _count(settings.get("n_ctx")) if isinstance(settings, dict) else None
    return stated


def traits_in_card(card: Mapping[str, Any]) -> dict[str, object]:
    """Return what tells models of one name apart, as far as a server lists it.

    vLLM and SGLang list the folder or repository (`root`), llama.cpp sizes of file and network.
    """
    meta = card.get("meta")
    sizes = meta if isinstance(meta, dict) else {}
    stated = {"root": card.get("root"), **{name: sizes.get(name) for name in _SIZES}}
    return {name: value for name, value in stated.items() if isinstance(value, str | int)}


def stated_in_card(card: Mapping[str, Any]) -> int | None:
    """Return the window in what a server lists about a model: the least that it states."""
    meta = card.get("meta")
    values = [card.get(name) for name in _FIELDS]
    values.append(meta.get("n_ctx") if isinstance(meta, dict) else None)
    stated = [count for count in map(_count, values) if count is not None]
    return min(stated) if stated else None


def _card_of(listed: Any, model: str) -> dict[str, Any]:
    """Return the entry of a model, or the only one there is (some servers take any name)."""
    found = listed.get("data") if isinstance(listed, dict) else None
    cards = [card for card in found if isinstance(card, dict)] if isinstance(found, list) else []
    named = [card for card in cards if card.get("id") == model]
    chosen = named or (cards if len(cards) == 1 else [])
    return chosen[0] if chosen else {}


def _count(value: object) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31
    return value if is_count and isinstance(value, int) else None
