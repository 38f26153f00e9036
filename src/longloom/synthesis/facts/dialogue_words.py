"""How services, intents and slots of task dialogues are said in words.

The names come from annotators (`Restaurants_2`, `has_seating_outdoors`); what is not listed here
is spelled out from the name itself.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

_WORD_BREAK = re.compile(r"(?<=[a-z])(?=[A-Z])|[_\s]+")

_INTENTS: Mapping[str, str] = MappingProxyType(
    {
        "BookAppointment": "book an appointment",
        "BuyBusTicket": "buy a bus ticket",
        "BuyEventTickets": "buy tickets for an event",
        "BuyMovieTickets": "buy tickets for a movie",
        "FindAttractions": "find tourist attractions",
        "FindEvents": "find an event",
        "FindMovies": "find a movie",
        "FindRestaurants": "find a restaurant",
        "GetRide": "book a cab",
        "GetWeather": "check the weather",
        "LookupMusic": "find some music",
        "PlayMedia": "play a song",
        "PlayMovie": "play a movie",
        "ReserveCar": "reserve a rental car",
        "ReserveHotel": "reserve a hotel room",
        "ReserveRestaurant": "reserve a table at a restaurant",
        "SearchHotel": "find a hotel",
        "SearchHouse": "find a house to stay in",
    }
)
_SLOTS: Mapping[str, str] = MappingProxyType(
    {
        "address": "address",
        "category": "category",
        "check_in_date": "check-in date",
        "check_out_date": "check-out date",
        "device": "device to play on",
        "has_seating_outdoors": "outdoor seating",
        "has_vegetarian_options": "vegetarian options",
        "movie_name": "movie",
        "number_of_tickets": "number of tickets",
        "restaurant_name": "restaurant",
        "smoking_allowed": "smoking",
        "stay_length": "length of stay",
        "street_address": "address",
        "therapist_name": "therapist",
        "theater_name": "theater",
        "track": "song",
    }
)
_SLOTS_OF_SERVICE: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("hotels", "location"): "city",
        ("hotels", "place_name"): "hotel",
        ("restaurants", "category"): "kind of food",
        ("restaurants", "location"): "city",
        ("restaurants", "number_of_seats"): "number of people",
        ("travel", "location"): "city",
    }
)
_YES_NO_PREFIXES = ("has_", "is_", "good_for_", "free_", "in_unit_", "add_")
_YES_NO_SLOTS = frozenset({"smoking", "outdoor seating", "vegetarian options"})
NAME_SLOTS = frozenset({"album", "hotel", "movie", "restaurant", "song", "therapist", "title"})
"""Slots whose value is the name of what is searched for."""


def service_words(service: str) -> str:
    """Return `restaurants` for `Restaurants_2`."""
    return " ".join(_WORD_BREAK.sub(" ", service.rstrip("0123456789")).lower().split())


def intent_words(intent: str) -> str:
    """Return `find a hotel` for `SearchHotel`."""
    return _INTENTS.get(intent) or " ".join(_WORD_BREAK.sub(" ", intent).lower().split())


def slot_words(service: str, slot: str) -> str:
    """Return `check-in date` for `check_in_date`."""
    known = _SLOTS_OF_SERVICE.get((service_words(service), slot)) or _SLOTS.get(slot)
    if known:
        return known
    prefix = next((start for start in _YES_NO_PREFIXES if slot.startswith(start)), "")
    plain = slot.removeprefix(prefix) if prefix in ("has_", "is_") else slot
    return " ".join(plain.replace("_", " ").split())


def is_yes_no(slot: str, words: str) -> bool:
    """Return whether a slot is answered with yes or no."""
    return slot.startswith(_YES_NO_PREFIXES) or words in _YES_NO_SLOTS
