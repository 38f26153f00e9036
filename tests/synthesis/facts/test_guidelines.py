from longloom.synthesis.documents import markdown
from longloom.synthesis.documents.building import Reading
from longloom.synthesis.documents.reader import SourceFile
from longloom.synthesis.facts import guidelines

CHAPTER = """## 5 Locks

Read [Section 5.1](#keys) and [Section 4.2](sp800-63a.html#proof).

### <a name="keys"></a> 5.1 Keys

A key has at least 12 bits, cut by [[ISO 77]](#iso77) machines. See [Section 5](#locks).

### 5.2 Codes

Codes have at least 4 characters, or at least 6 characters, and at least 3 bits.
"""


def read(text: str, name: str) -> Reading:
    (reading,) = markdown.read(SourceFile(name=name, payload=text.encode()))
    return reading


def values(reading: Reading) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for fact in guidelines.extract(reading):
        shown = reading.document.text[fact.start : fact.end]
        assert shown in fact.value
        found.setdefault((fact.subject, fact.relation), []).append(fact.value)
    return found


def test_sections_references_and_citations_are_found() -> None:
    found = values(read(CHAPTER, "n/sp800-63b__sec5_locks.md"))
    assert found == {
        ("SP 800-63B, Section 5", "guideline.section_title"): ["Locks"],
        ("SP 800-63B, Section 5", "guideline.refers_to"): [
            "SP 800-63B, Section 5.1",
            "SP 800-63A, Section 4.2",
        ],
        ("SP 800-63B, Section 5.1", "guideline.section_title"): ["Keys"],
        ("SP 800-63B, Section 5.1", "guideline.minimum_bits"): ["12"],
        ("SP 800-63B, Section 5.1", "guideline.cites"): ["ISO 77"],
        ("SP 800-63B, Section 5.1", "guideline.refers_to"): ["SP 800-63B, Section 5"],
        ("SP 800-63B, Section 5.2", "guideline.section_title"): ["Codes"],
        ("SP 800-63B, Section 5.2", "guideline.minimum_bits"): ["3"],
    }


def test_entries_of_a_glossary_are_definitions() -> None:
    text = (
        "## Definitions\n\n#### Latch\nA bolt that falls by its own weight.\n\n#### Key\nShort.\n"
    )
    found = values(read(text, "n/sp800-63-3__definitions.md"))
    assert found == {
        ('the term "Latch"', "guideline.definition"): ["A bolt that falls by its own weight."]
    }


def test_other_documents_give_nothing() -> None:
    assert guidelines.extract(read(CHAPTER, "locks.md")) == []
