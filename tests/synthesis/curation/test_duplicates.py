from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from longloom.synthesis.curation.duplicates import (
    NUM_PERMUTATIONS,
    Duplicates,
    band_rows,
    find_duplicates,
    shingles_of,
    signature_of,
)
from longloom.synthesis.documents.catalogue import read_file
from longloom.synthesis.documents.reader import SourceFile

CONTRACTS = Path(__file__).parents[4] / "shared/data/corpus-contracts"
WORDS = ("north", "south", "wind", "rain", "snow", "tide", "light", "stone", "glass", "rope")


def find(texts: dict[str, str], *, similarity: float = 0.8, near: float = 0.5) -> Duplicates:
    signatures = {name: signature_of(text) for name, text in texts.items()}
    return find_duplicates(
        signatures, texts.__getitem__, similarity=similarity, near_similarity=near
    )


def all_pairs(texts: dict[str, str]) -> tuple[set[str], dict[str, frozenset[str]]]:
    """The same by comparing every pair of shingle sets."""
    sets = {name: set(shingles_of(text)) for name, text in texts.items()}
    kept: list[str] = []
    dropped: set[str] = set()
    near: dict[str, set[str]] = {}
    for name in texts:
        found = {
            other: len(sets[name] & sets[other]) / len(sets[name] | sets[other]) for other in kept
        }
        if any(fraction >= 0.8 for fraction in found.values()):
            dropped.add(name)
            continue
        kept.append(name)
        for other, fraction in found.items():
            if fraction >= 0.5:
                near.setdefault(name, set()).add(other)
                near.setdefault(other, set()).add(name)
    return dropped, {name: frozenset(others) for name, others in near.items()}


def text_of(random: Random, num_words: int) -> str:
    return " ".join(f"{random.choice(WORDS)}{random.randrange(50)}" for _ in range(num_words))


def changed(text: str, random: Random, num_changes: int) -> str:
    words = text.split(" ")
    for place in random.sample(range(len(words)), num_changes):
        words[place] = f"other{random.randrange(10_000)}"
    return " ".join(words)


def test_shingles_are_five_words_without_case_and_punctuation() -> None:
    assert shingles_of("One, two; THREE four -- five six!") == [
        "one two three four five",
        "two three four five six",
    ]
    assert shingles_of("Too few words.") == ["too few words"]
    assert shingles_of(" ... ---\n") == ["... ---"]


def test_signatures_are_128_numbers_of_32_bits() -> None:
    signature = signature_of("one two three four five six seven")
    assert len(signature) == NUM_PERMUTATIONS == 128
    assert all(0 <= number < 2**32 for number in signature)
    assert signature == signature_of("ONE two three, four five six seven")


def test_the_first_of_its_like_stays() -> None:
    text = text_of(Random(1), 300)
    found = find({"b": text, "a": text.upper(), "c": text_of(Random(2), 300)})
    assert found.dropped == {"a": "exact duplicate: 1.00 of b"}
    assert not found.near_copies


def test_near_duplicates_say_how_alike_they_are() -> None:
    # 100 words have 96 shingles; another last word changes 1: 95 of 97 are shared.
    text = " ".join(f"word{number}" for number in range(100))
    found = find({"a": text, "b": f"{text.rpartition(' ')[0]} other"})
    assert found.dropped == {"b": "near duplicate: 0.98 of a"}


def test_decisions_equal_those_of_all_pairs() -> None:
    random = Random(7)
    texts: dict[str, str] = {}
    for family in range(12):
        original = text_of(random, random.randrange(60, 400))
        texts[f"{family}"] = original
        for copy, num_changes in enumerate((0, 1, 2, 4, 8, 12)):
            texts[f"{family}.{copy}"] = changed(original, random, num_changes)
    order = random.sample(sorted(texts), len(texts))
    shuffled = {name: texts[name] for name in order}
    dropped, near = all_pairs(shuffled)
    found = find(shuffled)
    assert set(found.dropped) == dropped
    assert found.near_copies == near
    assert dropped
    assert near


def test_a_chain_of_small_changes_does_not_remove_all_but_one() -> None:
    # Each text shares 86 of 96 shingles (87%) with the one before, the last almost none with the
    # first.
    words = [f"word{number}" for number in range(300)]
    texts = {str(start): " ".join(words[start : start + 100]) for start in range(0, 200, 10)}
    found = find(texts)
    dropped, near = all_pairs(texts)
    assert set(found.dropped) == dropped
    assert len(dropped) == 10
    assert found.near_copies == near


def test_near_copies_are_told_in_both_directions_and_only_of_kept_documents() -> None:
    words = [f"word{number}" for number in range(200)]
    texts = {
        "a": " ".join(words[:100]),
        "b": " ".join(words[25:125]),  # 71 of 121 shingles shared with a
        "copy": " ".join(words[25:125]),
        "far": " ".join(words[100:]),
    }
    found = find(texts)
    assert set(found.dropped) == {"copy"}
    assert found.near_copies == {"a": frozenset({"b"}), "b": frozenset({"a"})}


def test_texts_without_words_are_compared_by_their_characters() -> None:
    found = find({"a": "*** ***", "b": "--- ---", "c": "***  ***\n"})
    assert set(found.dropped) == {"c"}


def test_no_documents_give_no_duplicates() -> None:
    assert find({}) == Duplicates(dropped={}, near_copies={})


def test_bands_find_nearly_all_pairs_at_the_threshold() -> None:
    for threshold in (0.3, 0.5, 0.8, 0.95):
        rows = band_rows(threshold)
        assert (1 - threshold**rows) ** (NUM_PERMUTATIONS // rows) <= 0.005
    assert [band_rows(threshold) for threshold in (0.5, 0.8)] == [3, 6]


@pytest.mark.skipif(not CONTRACTS.is_dir(), reason="../shared/data is not there")
def test_the_true_duplicates_among_real_contracts_are_found() -> None:
    paths = sorted(CONTRACTS.glob("cuad__*"))
    texts = {}
    for path in paths:
        source = SourceFile(name=path.name, payload=path.read_bytes())
        texts[path.name[:8]] = "\n\n".join(reading.document.text for reading in read_file(source))
    found = find(texts)
    pairs = {(name, reason.rpartition(" ")[2]) for name, reason in found.dropped.items()}
    assert pairs == {("cuad__20", "cuad__00"), ("cuad__21", "cuad__01"), ("cuad__22", "cuad__05")}
    assert all(first < second for first, second in pairwise(texts))
