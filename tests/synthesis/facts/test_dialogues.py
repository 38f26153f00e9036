"""Facts of conversations: turns, stated values, bookings."""

from longloom.synthesis.documents.dialogues import read_dialogues
from longloom.synthesis.documents.reader import SourceFile
from longloom.synthesis.facts.dialogue_words import intent_words, service_words, slot_words
from longloom.synthesis.facts.dialogues import BOOKED, SLOT, TURN, extract
from longloom.synthesis.facts.fact import Fact
from synthesis.task_dialogue import three_bookings


def _facts(place: int = 0) -> tuple[str, list[Fact]]:
    readings = read_dialogues(SourceFile(name="sgd/part.json", payload=three_bookings()))
    reading = list(readings)[place]
    return reading.document.text, extract(reading)


def test_turns_keep_the_utterance_the_speaker_and_what_is_done() -> None:
    _, facts = _facts()
    turns = [fact for fact in facts if fact.relation == TURN]
    assert [fact.position for fact in turns] == [1, 2, 3, 4, 5, 6]
    assert turns[2].value == "In Oslo, and what is their phone number?"
    assert turns[2].subject == "Dialogue 9_1"
    assert dict(turns[2].qualifiers) == {
        "acts": "INFORM:city;REQUEST:phone number",
        "service": "restaurants",
        "speaker": "USER",
    }


def test_bookings_state_what_was_confirmed_last() -> None:
    _, facts = _facts()
    booked = {fact.label: fact.value for fact in facts if fact.relation == BOOKED}
    assert booked == {
        "restaurant": "Blue Fig",
        "city": "Oslo",
        "time": "7 pm",
        "number of people": "2",
    }
    times = [fact for fact in facts if fact.relation == BOOKED and fact.label == "time"]
    assert dict(times[0].qualifiers)["canonical"] == "19:00"


def test_every_span_shows_its_value() -> None:
    for place in range(3):
        text, facts = _facts(place)
        assert facts
        assert {text[fact.start : fact.end] for fact in facts} == {fact.value for fact in facts}
        assert {fact.relation for fact in facts} == {TURN, SLOT, BOOKED}


def test_annotators_names_are_said_in_words() -> None:
    assert service_words("RentalCars_3") == "rental cars"
    assert intent_words("SearchHotel") == "find a hotel"
    assert intent_words("GetAlarms") == "get alarms"
    assert slot_words("Hotels_4", "place_name") == "hotel"
    assert slot_words("Homes_2", "has_garage") == "garage"
