"""Questions about what dialogues settle on: bookings looked up, counted, added and compared.

A booking counts if the system reports it as made; its values are those confirmed last.
"""

from collections.abc import Mapping, Sequence
from random import Random

from longloom.records import RewardRule
from longloom.synthesis.facts.dialogue_words import NAME_SLOTS
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.generators.dialogue_scene import Candidate, Recipe, Scene
from longloom.synthesis.generators.dialogue_wording import VERBATIM, ordinal, slot_question
from longloom.synthesis.programs.dialogue import (
    Beside,
    Doing,
    EndOfEach,
    InConversationsWith,
    SpokenBy,
    Turns,
    qualifier,
)
from longloom.synthesis.programs.dialogue_recall import (
    Nth,
    NumDistinct,
    NumTurns,
    Only,
)
from longloom.synthesis.programs.dialogue_state import (
    Among,
    Booked,
    BookedWith,
    ExtremeBooking,
    RangeOfValues,
    Stated,
    SumOfValues,
    meaning,
)
from longloom.synthesis.programs.node import Program

_ALL = Turns("dialogue")
_ORDER = "in the order in which the dialogues are given"
_MADE = "A booking counts only if the system reports it as made."
_AS_CONFIRMED = "Answer in the words of the system's last confirmation request."
_THINGS: Mapping[str, str] = {"hotels": "hotel booking", "restaurants": "restaurant booking"}
_MONTHS = "January February March April May June July August September October November December"
_Booking = Mapping[str, Fact]


def _bookings(scene: Scene, rng: Random) -> tuple[str, Sequence[_Booking]]:
    """Draw a service and its bookings, with the slots that all of them have.

    A slot that one booking leaves open would make counts and sums of the others doubtful.
    """
    by_service: dict[str, list[_Booking]] = {}
    for booking in scene.bookings:
        service = qualifier(next(iter(booking.values())), "service")
        by_service.setdefault(service, []).append(booking)
    services = [service for service, some in by_service.items() if len(some) > 1]
    if not services:
        return "", ()
    service = rng.choice(services)
    bookings = by_service[service]
    shared = [label for label in bookings[0] if all(label in booking for booking in bookings)]
    if len(shared) < 3:
        return "", ()
    return service, [{label: booking[label] for label in shared} for booking in bookings]


def _thing(service: str) -> str:
    return _THINGS.get(service, f"booking with {service}")


def _shown(fact: Fact) -> str:
    """Return a value as questions say it: `March 8` for a date, else as it stands."""
    said = meaning(fact)
    parts = said.split("-")
    if len(said) == 10 and len(parts) == 3 and all(part.isdigit() for part in parts):
        return f"{_MONTHS.split()[int(parts[1]) - 1]} {int(parts[2])}"
    return fact.value


def _with(fact: Fact) -> str:
    """Return `in Oakland`, `with a check-in date of March 5`."""
    if fact.label == "city":
        return f"in {_shown(fact)}"
    article = "an" if fact.label[0] in "aeiou" else "a"
    return f"with {article} {fact.label} of {_shown(fact)}"


def _condition(booking: _Booking, rng: Random, without: Sequence[str]) -> Fact | None:
    """Draw a value that others may share, for use as a condition."""
    facts = [
        fact
        for label, fact in booking.items()
        if label not in without and label not in NAME_SLOTS and label != "time"
    ]
    return rng.choice(facts) if facts else None


def _asks(label: str, booking: str) -> str:
    """Return `Which hotel is that booking for?`, `What is the time of that booking?`."""
    if label in NAME_SLOTS or label == "city":
        return f"Which {label} is {booking} for?"
    return f"What is the {label} of {booking}?"


def _plural(label: str) -> str:
    """Return `cities`, `numbers of people`, `check-in dates`."""
    head, _, rest = label.partition(" of ")
    plural = f"{head[:-1]}ies" if head.endswith("ty") else f"{head}s"
    return f"{plural} of {rest}" if rest else plural


def _name_label(booking: _Booking) -> str:
    return next((label for label in booking if label in NAME_SLOTS), "")


def state_candidate(
    program: Program, question: str, rule: RewardRule, num_hops: int, min_documents: int
) -> Candidate:
    """Return a candidate about a value, or about a number over several."""
    is_number = rule is RewardRule.NUMERIC
    tail = " Answer with a number." if is_number else ""
    return Candidate(
        program=program,
        question=question + tail,
        reward_rule=rule,
        ability="aggregation" if is_number else "state",
        num_hops=num_hops,
        min_documents=min_documents,
    )


def _joined(num_conditions: int) -> Recipe:
    """Ask for one slot of the booking that others single out."""

    def draw(scene: Scene, rng: Random) -> Candidate | None:
        service, bookings = _bookings(scene, rng)
        if not bookings:
            return None
        booking = rng.choice(bookings)
        asked = rng.choice(list(booking))
        program: Program = Booked(service, asked)
        conditions: list[Fact] = []
        for _ in range(num_conditions):
            fact = _condition(booking, rng, [asked, *(known.label for known in conditions)])
            if fact is None:
                return None
            conditions.append(fact)
            program = BookedWith(program, fact.label, meaning(fact))
        described = " and ".join(_with(fact) for fact in conditions)
        return state_candidate(
            Only(program, "said"),
            f"Look for the {_thing(service)} {described}. {_asks(asked, 'that booking')} "
            f"{_MADE} {_AS_CONFIRMED}",
            RewardRule.COVER_EXACT_MATCH,
            1 + num_conditions,
            1,
        )

    return draw


def _nth_booking(has_condition: bool) -> Recipe:
    def draw(scene: Scene, rng: Random) -> Candidate | None:
        service, bookings = _bookings(scene, rng)
        if not bookings:
            return None
        booking = rng.choice(bookings)
        asked = rng.choice(list(booking))
        fact = _condition(booking, rng, [asked]) if has_condition else None
        if has_condition and fact is None:
            return None
        program: Program = Booked(service, asked)
        program = BookedWith(program, fact.label, meaning(fact)) if fact else program
        number, side = rng.randint(2, min(8, len(bookings))), rng.choice(("first", "last"))
        described = f" {_with(fact)}" if fact else ""
        return state_candidate(
            Nth(program, number, side, "said"),
            f"Take the {_thing(service)}s{described} {_ORDER}. "
            f"{_asks(asked, f'the {ordinal(number, side)} of them')} {_MADE} {_AS_CONFIRMED}",
            RewardRule.COVER_EXACT_MATCH,
            2,
            2,
        )

    return draw


def _number_over(what: str, num_conditions: int) -> Recipe:
    """Ask for a count, a sum or the number of different values over bookings alike."""

    def draw(scene: Scene, rng: Random) -> Candidate | None:
        service, bookings = _bookings(scene, rng)
        if not bookings:
            return None
        booking = rng.choice(bookings)
        asked = _asked_number(what, booking, rng)
        if not asked:
            return None
        program: Program = Booked(service, asked)
        conditions: list[Fact] = []
        for _ in range(num_conditions):
            fact = _condition(booking, rng, [asked, *(known.label for known in conditions)])
            if fact is None:
                return None
            conditions.append(fact)
            program = BookedWith(program, fact.label, meaning(fact))
        things = " ".join([f"{_thing(service)}s", " and ".join(map(_with, conditions))]).strip()
        return state_candidate(*_worded_number(what, program, things, asked), 1 + num_conditions, 2)

    return draw


def _asked_number(what: str, booking: _Booking, rng: Random) -> str:
    if what == "sum":
        numbers = [label for label, fact in booking.items() if fact.value_kind == "number"]
        return rng.choice(numbers) if numbers else ""
    return _name_label(booking) if what == "count" else rng.choice(list(booking))


def _worded_number(
    what: str, program: Program, things: str, asked: str
) -> tuple[Program, str, RewardRule]:
    match what:
        case "sum":
            question = f"Add up the {asked} of all {things}. What is the total? {_MADE}"
            return SumOfValues(program), question, RewardRule.NUMERIC
        case "count":
            question = f"How many {things} are made over all dialogues? {_MADE}"
            return NumTurns(program), question, RewardRule.NUMERIC
        case _:
            question = f"How many different {_plural(asked)} occur over all {things}? {_MADE}"
            return NumDistinct(program, "said"), question, RewardRule.NUMERIC


def _among(what: str) -> Recipe:
    """Compare or add up the bookings of two to four named dialogues."""

    def draw(scene: Scene, rng: Random) -> Candidate | None:
        service, bookings = _bookings(scene, rng)
        if len(bookings) < 3:
            return None
        chosen = rng.sample(list(bookings), rng.randint(2, min(4, len(bookings))))
        subjects = tuple(sorted(next(iter(booking.values())).subject for booking in chosen))
        named = ", ".join(subjects[:-1]) + f" and {subjects[-1]}"
        numbers = [
            label
            for label in chosen[0]
            if all(label in one and one[label].value_kind == "number" for one in chosen)
        ]
        if what == "extreme":
            return _extreme_of(service, chosen[0], subjects, named, rng)
        if not numbers:
            return None
        label = rng.choice(numbers)
        values = Among(Booked(service, label), subjects)
        if what == "sum":
            question = f"Each of {named} contains a {_thing(service)}. Add up their {label}."
            program: Program = SumOfValues(values)
        else:
            question = (
                f"Each of {named} contains a {_thing(service)}. What is the difference between the "
                f"greatest and the smallest {label} of these bookings?"
            )
            program = RangeOfValues(values)
        return state_candidate(program, question, RewardRule.NUMERIC, len(subjects), len(subjects))

    return draw


def _extreme_of(
    service: str, booking: _Booking, subjects: tuple[str, ...], named: str, rng: Random
) -> Candidate | None:
    ordered = [label for label in booking if label not in NAME_SLOTS and label != "city"]
    name = _name_label(booking)
    if not ordered or not name:
        return None
    by, side = rng.choice(ordered), rng.choice(("least", "most"))
    values = Among(Booked(service, name), subjects)
    return state_candidate(
        ExtremeBooking(values, by, side, "said"),
        f"Compare the bookings made in {named}. Which {name} is booked with the "
        f"{_superlative(by, side)}? {_AS_CONFIRMED}",
        RewardRule.COVER_EXACT_MATCH,
        len(subjects),
        len(subjects),
    )


def _superlative(label: str, side: str) -> str:
    """Return `earliest time of day`, `greatest length of stay`."""
    is_moment = label.endswith(("date", "time"))
    least, most = ("earliest", "latest") if is_moment else ("smallest", "greatest")
    named = "time of day" if label == "time" else label
    return f"{least if side == 'least' else most} {named}"


def _extreme_in_city(scene: Scene, rng: Random) -> Candidate | None:
    service, bookings = _bookings(scene, rng)
    if not bookings:
        return None
    booking = rng.choice(bookings)
    name = _name_label(booking)
    fact = _condition(booking, rng, [])
    ordered = [label for label in booking if label not in (name, "city", fact and fact.label)]
    if not name or fact is None or not ordered:
        return None
    by, side = rng.choice(ordered), rng.choice(("least", "most"))
    alike = BookedWith(Booked(service, name), fact.label, meaning(fact))
    if len(alike.picks(scene.world)) < 2:
        return None
    return state_candidate(
        ExtremeBooking(alike, by, side, "said"),
        f"Among all {_thing(service)}s {_with(fact)}, which {name} is booked with the "
        f"{_superlative(by, side)}? {_MADE} {_AS_CONFIRMED}",
        RewardRule.COVER_EXACT_MATCH,
        3,
        1,
    )


def _told_beside_booking(scene: Scene, rng: Random) -> Candidate | None:
    """Ask for what the system tells in the dialogue that ends in a certain booking."""
    service, bookings = _bookings(scene, rng)
    labels = [label for label in scene.events("USER", "REQUEST") if label]
    if not bookings or not labels:
        return None
    booking = rng.choice(bookings)
    asked, name = rng.choice(labels), _name_label(booking)
    conditions = [booking[name]] if name else []
    if not conditions:
        return None
    having = BookedWith(Booked(service, conditions[0].label), name, meaning(conditions[0]))
    turns = Beside(Doing(_ALL, "USER", "REQUEST", asked), 1)
    return state_candidate(
        Only(Stated(InConversationsWith(turns, having, "with"), asked), "said"),
        f"In the dialogue in which {_shown(conditions[0])} is booked, the user asks about the "
        f"{asked}. {slot_question(asked)} does the system state in reply?",
        RewardRule.COVER_EXACT_MATCH,
        3,
        1,
    )


def _words_beside_booking(side: str, speaker: str) -> Recipe:
    """Ask for the first or last words of the n-th dialogue with a booking of some kind."""

    def draw(scene: Scene, rng: Random) -> Candidate | None:
        service, bookings = _bookings(scene, rng)
        if not bookings:
            return None
        fact = _condition(rng.choice(bookings), rng, [])
        if fact is None:
            return None
        having = BookedWith(Booked(service, fact.label), fact.label, meaning(fact))
        turns = EndOfEach(InConversationsWith(SpokenBy(_ALL, speaker), having, "with"), side)
        number = rng.randint(2, 5)
        return Candidate(
            program=Nth(turns, number, "first", "said"),
            question=f"Take the dialogues with a {_thing(service)} {_with(fact)} {_ORDER}. What is "
            f"the {side} thing the {speaker.lower()} says in the {ordinal(number)} of them? "
            f"{_MADE} {VERBATIM}",
            reward_rule=RewardRule.SEQUENCE_MATCH,
            ability="recall",
            num_hops=3,
            min_documents=2,
        )

    return draw


RECIPES: tuple[Recipe, ...] = (
    _joined(2),
    _joined(3),
    _nth_booking(False),
    _nth_booking(True),
    _number_over("count", 1),
    _number_over("count", 2),
    _number_over("sum", 1),
    _number_over("sum", 2),
    _number_over("different", 1),
    _among("sum"),
    _among("range"),
    _among("extreme"),
    _extreme_in_city,
    _told_beside_booking,
    _words_beside_booking("first", "USER"),
    _words_beside_booking("last", "USER"),
)
