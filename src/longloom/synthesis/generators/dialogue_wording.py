"""How turns, slots and ordinals are said in questions about conversations."""

from collections.abc import Mapping
from types import MappingProxyType

from longloom.synthesis.facts.dialogue_words import NAME_SLOTS, is_yes_no

_ORDINALS = (
    *("zeroth", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"),
    *("ninth", "tenth", "eleventh", "twelfth"),
)
_ROLES = frozenset(
    {"agent", "assistant", "bot", "caller", "customer", "operator", "system", "user"}
)
_NO_SLOT: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("SYSTEM", "CONFIRM"): "the system asks the user to confirm the details",
        ("SYSTEM", "INFORM_COUNT"): "the system says how many matches it has found",
        ("SYSTEM", "NOTIFY_FAILURE"): "the system reports that a reservation could not be made",
        ("SYSTEM", "REQ_MORE"): "the system asks whether the user needs anything else",
        ("USER", "REQUEST_ALTS"): "the user asks for a different suggestion",
    }
)
_QUESTIONED: Mapping[str, str] = MappingProxyType(
    {
        "outdoor seating": "whether there is outdoor seating",
        "smoking": "whether smoking is allowed",
        "vegetarian options": "whether there are vegetarian options",
    }
)
VERBATIM = "Answer word for word, without the speaker label."


def ordinal(number: int, side: str = "first") -> str:
    """Return `third`, or `third-to-last` if counting begins at the end."""
    word = _ORDINALS[number] if number < len(_ORDINALS) else f"{number}th"
    if side == "first":
        return word
    return "last" if number == 1 else f"{word}-to-last"


def speaker_words(speaker: str) -> str:
    """Return `the user` for a role, and a name as it stands."""
    return f"the {speaker.lower()}" if speaker.lower() in _ROLES else speaker


def event_words(speaker: str, act: str, label: str) -> str:
    """Return `the user asks about the phone number`."""
    known = _NO_SLOT.get((speaker, act))
    if known:
        return known
    who = speaker_words(speaker)
    match act:
        case "INFORM":
            verb = "names" if label in NAME_SLOTS or label == "city" else "states"
            return f"{who} {verb} {with_article(label)}"
        case "OFFER":
            return f"{who} suggests {with_article(label)}"
        case _:
            return _request(speaker, label)


def _request(speaker: str, label: str) -> str:
    if speaker == "SYSTEM":
        return f"the system asks the user for the {label}"
    if label in _QUESTIONED:
        return f"the user asks {_QUESTIONED[label]}"
    return f"the user asks about {label if is_yes_no('', label) else 'the ' + label}"


def with_article(label: str) -> str:
    """Return `a hotel`, `an album`, `a check-in date`."""
    return f"{'an' if label[0] in 'aeiou' else 'a'} {label}"


def slot_question(label: str) -> str:
    """Return `Which hotel`, `What phone number`: how a value is asked for."""
    return f"{'Which' if label in NAME_SLOTS or label == 'city' else 'What'} {label}"
