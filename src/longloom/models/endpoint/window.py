"""Ask a server how many tokens fit the window of its model.

There is no standard field: vLLM and SGLang say `max_model_len`, routers `context_length`, LM Studio
`loaded_context_length`, Groq `context_window`, llama.cpp `meta.n_ctx` or, at `/props`, `n_ctx`.
"""

from typing import Any

from longloom.models.endpoint.client import EndpointClient

_FIELDS = ("max_model_len", "context_length", "context_window", "loaded_context_length")
_LLAMA_CPP = "llamacpp"


async def ask_window(client: EndpointClient) -> int | None:
    """Return the tokens of the window as the server says; None if it does not.

    Raises:
        EndpointUnavailableError: the server cannot be reached.
    """
    card = _card_of(await client.look_up(client.config.models_url), client.config.model)
    stated = stated_in_card(card)
    if stated is None and card.get("owned_by") == _LLAMA_CPP:
        root = client.config.models_url.removesuffix("/models").removesuffix("/v1")
        props = await client.look_up(f"{root}/props")
        settings = props.get("default_generation_settings") if isinstance(props, dict) else None
        stated = _count(settings.get("n_ctx")) if isinstance(settings, dict) else None
    return stated


def stated_in_card(card: dict[str, Any]) -> int | None:
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
