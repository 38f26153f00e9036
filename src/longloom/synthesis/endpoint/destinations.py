"""Say, before the first call, which documents go where."""

from collections import Counter
from collections.abc import Iterable, Mapping

from longloom.models.endpoint.config import KEY_VARIABLES, EndpointConfig
from longloom.records import Document

MAX_NAMES = 20


def describe_destinations(
    endpoint_by_use: Mapping[str, EndpointConfig],
    documents: Iterable[Document],
    *,
    has_key: bool,
    max_names: int = MAX_NAMES,
) -> str:
    """Return what is sent where, in lines for the console.

    Args:
        endpoint_by_use: the endpoint of each use, such as `prose triples` or `closed-book check`.
        documents: every document that may be sent; gone through once, none is kept.
        has_key: whether a key was found in the environment.
        max_names: documents that are named one by one; the rest are counted.
    """
    if not endpoint_by_use:
        return "No endpoint is set: no document leaves this machine."
    lines = ["Documents will be sent to:", *describe_places(endpoint_by_use)]
    num_characters = 0
    licences: Counter[str] = Counter()
    names: list[str] = []
    for document in documents:
        num_characters += len(document.text)
        licences[document.licence] += 1
        if len(names) < max_names:
            names.append(f"  {document.title} ({document.source})")
    num_documents = licences.total()
    lines.append(f"{num_documents} documents, {num_characters:,} characters, by licence:")
    lines += [f"  {licence}: {count}" for licence, count in sorted(licences.items())]
    lines.append("Among them:" if num_documents > max_names else "They are:")
    lines += names
    if num_documents > max_names:
        lines.append(f"  and {num_documents - max_names} more")
    key = "the key in the environment" if has_key else f"no key ({KEY_VARIABLES[0]} is not set)"
    lines.append(f"Requests carry {key}.")
    return "\n".join(lines)


def describe_places(endpoint_by_use: Mapping[str, EndpointConfig]) -> list[str]:
    """Return a line for every address and model, with what it is used for."""
    uses_by_place: dict[tuple[str, str, bool], list[str]] = {}
    for use, config in endpoint_by_use.items():
        place = (config.completions_url, config.model, config.is_local)
        uses_by_place.setdefault(place, []).append(use)
    return [
        f"  {url}, model {model} "
        f"({'this machine' if is_local else 'leaves this machine'}): {', '.join(uses)}"
        for (url, model, is_local), uses in uses_by_place.items()
    ]
