"""Questions over conversations hold, need what they say they need, and are of many shapes."""

import json
from collections import Counter
from itertools import islice
from pathlib import Path
from random import Random

import pytest

from longloom.records import RewardRule, TaskType
from longloom.synthesis.documents.building import Reading
from longloom.synthesis.documents.dialogues import read_dialogues
from longloom.synthesis.documents.reader import SourceFile
from longloom.synthesis.facts.dialogues import extract
from longloom.synthesis.generators.dialogue_memory import generate
from longloom.synthesis.generators.dialogue_wording import event_words, ordinal
from longloom.synthesis.generators.draft import Draft, Setting
from longloom.synthesis.programs.codec import shape_of
from longloom.synthesis.programs.world import World
from synthesis.task_dialogue import booking, three_bookings

REAL = Path(__file__).parents[4] / "shared/data/corpus-dialogues"


def _setting(readings: list[Reading]) -> Setting:
    return Setting(
        world=World({reading.document.doc_id: extract(reading) for reading in readings}),
        documents={reading.document.doc_id: reading.document for reading in readings},
    )


def _bookings(count: int) -> Setting:
    cities, places = ("Oslo", "Bergen", "Lund"), ("Fig", "Pear", "Plum", "Nut")
    parsed = [
        booking(
            f"7_{number}",
            f"{places[number % 4]} House {number}",
            cities[number % 3],
            f"{number % 9 + 1} pm",
            f"{number % 9 + 13}:00",
            str(number % 5 + 1),
        )
        for number in range(count)
    ]
    source = SourceFile(name="s.json", payload=json.dumps(parsed).encode())
    return _setting(list(read_dialogues(source)))


def _hold(drafts: list[Draft], world: World) -> None:
    for draft in drafts:
        execution = draft.program.execute(world)
        gold = {fact.doc_id for fact in execution.evidence}
        assert execution.only_answer == draft.answer
        assert draft.answer not in draft.question
        assert draft.program.execute(world.only(gold)).only_answer == draft.answer
        broken = [draft.program.execute(world.without([doc])).answers for doc in gold]
        assert draft.min_documents <= sum(answers != {draft.answer} for answers in broken)


def test_drafts_hold_and_need_their_documents() -> None:
    setting = _bookings(12)
    drafts = list(islice(generate(setting, Random(1)), 150))
    assert len(drafts) == 150
    assert {draft.task_type for draft in drafts} == {TaskType.DIALOGUE_MEMORY}
    assert len({draft.question for draft in drafts}) == 150
    _hold(drafts, setting.world)


def test_drafts_are_the_same_for_the_same_stream_and_differ_for_another() -> None:
    setting = _bookings(8)
    first, again, other = (list(islice(generate(setting, Random(seed)), 40)) for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_no_shape_dominates() -> None:
    drafts = list(islice(generate(_bookings(12), Random(2)), 200))
    counts = Counter(shape_of(draft.program) for draft in drafts)
    assert len(counts) >= 25
    assert max(counts.values()) <= 10


def test_verbatim_answers_stand_in_the_text_without_label() -> None:
    source = SourceFile(name="s.json", payload=three_bookings())
    setting = _setting(list(read_dialogues(source)))
    texts = [document.text for document in setting.documents.values()]
    drafts = [
        draft
        for draft in generate(setting, Random(0))
        if draft.reward_rule is RewardRule.SEQUENCE_MATCH
    ]
    assert drafts
    for draft in drafts:
        assert any(f": {draft.answer}" in text for text in texts)


def test_a_context_without_conversations_gives_nothing() -> None:
    assert list(generate(Setting(world=World({}), documents={}), Random(0))) == []


def test_wording_says_what_counts() -> None:
    assert ordinal(3) == "third"
    assert (ordinal(1, "last"), ordinal(2, "last")) == ("last", "second-to-last")
    assert event_words("USER", "REQUEST", "smoking") == "the user asks whether smoking is allowed"
    assert event_words("USER", "INFORM", "city") == "the user names a city"
    assert event_words("SYSTEM", "OFFER", "hotel") == "the system suggests a hotel"


@pytest.mark.slow
def test_real_conversations_give_questions_of_many_shapes() -> None:
    if not REAL.is_dir():
        pytest.skip(f"{REAL} is absent")
    readings = [
        reading
        for path in [REAL / "sgd/test_dialogues_001.json", *sorted(REAL.glob("qmsum/ES*.json"))[:3]]
        for reading in read_dialogues(SourceFile(name=path.name, payload=path.read_bytes()))
    ]
    setting = _setting(readings[:60] + readings[-3:])
    drafts = list(islice(generate(setting, Random(5)), 300))
    _hold(drafts, setting.world)
    counts = Counter(shape_of(draft.program) for draft in drafts)
    assert max(counts.values()) <= 15
