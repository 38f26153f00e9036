"""Task dialogues in the Schema-Guided form, written for the tests."""

import json
from collections.abc import Sequence

Action = tuple[str, str, str, str]
"""Act, slot, value as said, value it stands for."""


def turn(
    speaker: str,
    utterance: str,
    actions: Sequence[Action],
    call: tuple[str, dict[str, str]] | None = None,
) -> dict[str, object]:
    """Return one annotated turn; values said word for word get spans, digits do not."""
    frame: dict[str, object] = {
        "service": "Restaurants_2",
        "actions": [
            {
                "act": act,
                "slot": slot,
                "values": [said] if said else [],
                "canonical_values": [meant] if meant else [],
            }
            for act, slot, said, meant in actions
        ],
        "slots": [
            {
                "slot": slot,
                "start": utterance.index(said),
                "exclusive_end": utterance.index(said) + len(said),
            }
            for _, slot, said, _ in actions
            if said and not said.isdigit()
        ],
    }
    if call is not None:
        frame["service_call"] = {"method": call[0], "parameters": call[1]}
    return {"speaker": speaker, "utterance": utterance, "frames": [frame]}


def booking(
    name: str, place: str, city: str, time: str, hour: str, seats: str
) -> dict[str, object]:
    """Return a dialogue that books a table for a time such as `7 pm` (`19:00`)."""
    parameters = {
        "restaurant_name": place,
        "location": city,
        "time": hour,
        "number_of_seats": seats,
    }
    turns = [
        turn("USER", f"Book {place} for me please.", [("INFORM", "restaurant_name", place, place)]),
        turn(
            "SYSTEM",
            f"In which city shall I look for {place}?",
            [("REQUEST", "location", "", "")],
        ),
        turn(
            "USER",
            f"In {city}, and what is their phone number?",
            [("INFORM", "location", city, city), ("REQUEST", "phone_number", "", "")],
        ),
        turn(
            "SYSTEM",
            f"It is 555 {seats}{hour[:2]}. Confirm {place} in {city} at {time} for {seats}?",
            [
                ("INFORM", "phone_number", f"555 {seats}{hour[:2]}", f"555 {seats}{hour[:2]}"),
                ("CONFIRM", "restaurant_name", place, place),
                ("CONFIRM", "location", city, city),
                ("CONFIRM", "time", time, hour),
                ("CONFIRM", "number_of_seats", seats, seats),
            ],
        ),
        turn("USER", f"Yes, {place} sounds right to me.", [("AFFIRM", "", "", "")]),
        turn(
            "SYSTEM",
            f"Your table at {place} is booked.",
            [("NOTIFY_SUCCESS", "", "", "")],
            ("ReserveRestaurant", parameters),
        ),
    ]
    return {"dialogue_id": name, "services": ["Restaurants_2"], "turns": turns}


def three_bookings() -> bytes:
    """Return a file of three dialogues: 2 seats at 7 pm, 4 at 6 pm, 3 at 8 pm; two in Oslo."""
    return json.dumps(
        [
            booking("9_1", "Blue Fig", "Oslo", "7 pm", "19:00", "2"),
            booking("9_2", "Red Pear", "Bergen", "6 pm", "18:00", "4"),
            booking("9_3", "Old Plum", "Oslo", "8 pm", "20:00", "3"),
        ]
    ).encode()
