from longloom.synthesis.checks.pseudonyms import Pseudonyms, Replacement, rewritten
from longloom.synthesis.facts.fact import Fact


def fact(subject: str, subject_kind: str, value: str, value_kind: str) -> Fact:
    return Fact(
        subject=subject,
        subject_kind=subject_kind,
        relation="pep.author",
        value=value,
        value_kind=value_kind,
        doc_id="d",
        start=0,
        end=1,
        certainty=1,
    )


TEXT = (
    "PEP: 440\nAuthor: Ada Byron <ada at example.org>\n\nByron and BYRON agree; Ada's view in "
    "PEP 440 (pep-0440) is that General Signals, Inc. may decide. General rules and general "
    "signals are other things. PEP 4400 is another one, and Byronic is a word."
)
FACTS = [
    fact("PEP 440", "PEP", "Ada Byron", "person"),
    fact("PEP 440", "PEP", "General Signals, Inc.", "company"),
]


def names(seed: str = "s") -> Pseudonyms:
    return Pseudonyms.of(FACTS, [TEXT], seed)


def test_a_name_is_one_name_wherever_its_words_stand() -> None:
    applied = names().applied
    byron = applied("Byron")
    assert byron != "Byron"
    assert byron[0] == "B"
    assert applied("Ada Byron") == f"{applied('Ada')} {byron}"
    assert applied("BYRON") == byron.upper()
    assert applied("Byron's") == f"{byron}'s"
    assert "byron" not in applied(TEXT).casefold().replace("byronic", "")


def test_ordinary_words_of_names_and_parts_of_words_stay() -> None:
    applied = names().applied
    assert applied("General rules and general signals") == "General rules and general signals"
    assert applied("Byronic") == "Byronic"
    assert "Signals, Inc. may decide" in applied(TEXT)


def test_numbers_of_numbered_names_move_alike_in_every_spelling() -> None:
    applied = names().applied
    number = int(applied("PEP 440").removeprefix("PEP "))
    assert number > 10_000
    assert applied("PEP: 440") == f"PEP: {number}"
    assert applied("pep-0440") == f"pep-{number}"
    assert applied("PEP 4400") == f"PEP {number - 440 + 4400}"
    assert applied("version 440") == "version 440"
    assert names().moved("PEP 440", "0440") == str(number)
    assert names().moved("PEP 440", "441") is None


def test_pseudonyms_come_from_the_seed_and_are_no_words_of_the_texts() -> None:
    assert names("s") == names("s")
    assert names("s").words != names("t").words
    coined = names().applied("Byron")
    again = Pseudonyms.of(FACTS, [f"{TEXT} {coined}"], "s").applied("Byron")
    assert again not in (coined, "Byron")


def test_text_is_rewritten_piece_by_piece() -> None:
    pieces = [Replacement(start=0, end=1, text="xyz"), Replacement(start=2, end=4, text="")]
    assert rewritten("abcdef", pieces) == "xyzbef"
