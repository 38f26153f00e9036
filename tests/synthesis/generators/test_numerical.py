import re
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from longloom.records import BlockKind, DocumentKind, RewardRule, TaskType
from longloom.synthesis.checks.drafts import Checked, check_draft
from longloom.synthesis.checks.second_opinion import Claim, disagreements
from longloom.synthesis.documents import csv
from longloom.synthesis.documents.building import DocumentBuilder
from longloom.synthesis.documents.reader import SourceFile
from longloom.synthesis.facts import tables
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.generators import finance, numerical
from longloom.synthesis.generators.draft import Setting
from longloom.synthesis.generators.numerical_drafts import listed, threshold_between
from longloom.synthesis.programs.codec import shape_of
from longloom.synthesis.programs.numeric import Decimal
from longloom.synthesis.programs.world import World

TABLES = Path(__file__).parents[4] / "shared" / "data" / "corpus-tables"
CONCEPTS = {
    "Revenues": ("Total revenues", False),
    "CostOfRevenue": ("Cost of revenues", False),
    "NetIncomeLoss": ("Net income", False),
    "Assets": ("Total assets", True),
    "LongTermDebt": ("Long-term debt", True),
    "InventoryNet": ("Inventories", True),
    "MarketableSecuritiesCurrent": ("Securities held", True),
    "PropertyPlantAndEquipmentNet": ("Plants, net", True),
}


def invented_filing(company, seed):
    """Write a small filing of three years with amounts in millions drawn from a seed."""
    rng = Random(seed)
    builder = DocumentBuilder(
        title=f"{company} 10-K",
        kind=DocumentKind.PROFESSIONAL,
        genre="filing",
        source=company,
        licence="CC0",
    )
    places = []
    for concept, (label, is_instant) in CONCEPTS.items():
        builder.begin(BlockKind.TABLE)
        builder.add(label)
        for year in (2021, 2022, 2023):
            value = rng.randrange(1_000, 90_000)
            if concept in ("Revenues", "Assets"):
                value += 90_000
            builder.add(" | ")
            places.append((concept, label, is_instant, year, value, builder.add(f"{value:,}")))
        builder.end()
    document = builder.build().document
    facts = [
        Fact(
            subject=company,
            relation=f"filing.{concept}",
            value=str(value * 10**6),
            value_kind="number",
            subject_kind="company",
            doc_id=document.doc_id,
            start=start,
            end=end,
            certainty=1,
            label=label,
            unit="USD",
            scale=6,
            period_start="" if is_instant else f"{year}-01-01",
            period_end=f"{year}-12-31",
        )
        for concept, label, is_instant, year, value, (start, end) in places
    ]
    return document, facts


def invented_tables():
    rng = Random(7)
    towns = [f"Town {letter}" for letter in "ABCDEFGHIJKL"]
    for name in ("north", "south", "west"):
        lines = ["town,kind,people,area"]
        for place, town in enumerate(towns):
            kind = ("port", "spa", "mill")[place % 3]
            lines.append(f"{town},{kind},{rng.randrange(10_000, 99_000)},{rng.randrange(100, 999)}")
        (reading,) = csv.read(SourceFile(name=f"{name}.csv", payload="\n".join(lines).encode()))
        yield reading.document, tables.extract(reading)


def setting_of(pairs):
    pairs = list(pairs)
    return Setting(
        world=World({document.doc_id: facts for document, facts in pairs}),
        documents={document.doc_id: document for document, _ in pairs},
    )


@pytest.fixture(scope="module")
def filings():
    names = ("Acme Corp.", "Bolt Inc.", "Corvid Ltd.", "Dune Corp.")
    return setting_of(invented_filing(name, seed) for seed, name in enumerate(names))


@pytest.fixture(scope="module")
def table_setting():
    return setting_of(invented_tables())


def drafts_of(setting, generate=numerical.generate, seed=0):
    return list(generate(setting, Random(seed)))


@pytest.mark.parametrize("generate", [numerical.generate, finance.generate])
def test_drafts_on_filings_pass_every_check(filings, generate):
    drafts = drafts_of(filings, generate)
    assert len(drafts) > 80
    kept = [
        draft
        for draft in drafts
        if isinstance(check_draft(draft, filings.world, filings.documents), Checked)
    ]
    assert len(kept) > 0.95 * len(drafts)
    claims = [Claim(draft.program, draft.answer) for draft in drafts]
    assert disagreements(claims, filings.world, filings.documents) == {}


def test_drafts_on_tables_pass_every_check(table_setting):
    drafts = drafts_of(table_setting)
    assert len(drafts) > 80
    claims = [Claim(draft.program, draft.answer) for draft in drafts]
    assert disagreements(claims, table_setting.world, table_setting.documents) == {}


def test_shapes_are_many_and_none_takes_over(filings, table_setting):
    drafts = [*drafts_of(filings), *drafts_of(table_setting)]
    numbers = [draft for draft in drafts if draft.task_type is TaskType.NUMERICAL]
    shapes = Counter(shape_of(draft.program) for draft in numbers)
    assert len(shapes) >= 30
    assert shapes.most_common(1)[0][1] < 0.1 * len(numbers)


def test_most_questions_on_filings_need_two_documents(filings):
    drafts = drafts_of(filings)
    assert sum(draft.min_documents > 1 for draft in drafts) > len(drafts) / 2


def test_options_are_distinct_and_letters_balanced(filings):
    drafts = [draft for seed in range(4) for draft in drafts_of(filings, finance.generate, seed)]
    choices = [draft for draft in drafts if draft.task_type is TaskType.MULTIPLE_CHOICE]
    assert len(choices) > 100
    for draft in choices:
        options = re.findall(r"^[A-D]\. (.*)$", draft.question, re.MULTILINE)
        assert len(set(options)) == 4
        assert draft.reward_rule is RewardRule.CHOICE
    letters = Counter(draft.answer for draft in choices)
    assert min(letters.values()) > len(choices) / 8


def test_numbers_that_the_context_displays_are_no_answers(filings):
    shown = {
        match.replace(",", "")
        for document in filings.documents.values()
        for match in re.findall(r"[0-9,]+", document.text)
    }
    for draft in drafts_of(filings):
        is_computed = "same date" not in draft.question and "whole number." not in draft.question
        if draft.reward_rule is RewardRule.NUMERIC and is_computed:
            assert draft.answer.lstrip("-") not in shown


def test_names_and_years_are_compared_as_words_not_as_numbers(filings):
    for draft in drafts_of(filings):
        if draft.question.endswith(("with the year.", "company's name.")):
            assert draft.reward_rule is RewardRule.COVER_EXACT_MATCH


def test_drafts_depend_on_the_seed_alone(filings):
    first, again = (drafts_of(filings, seed=3) for _ in range(2))
    assert first == again
    assert first != drafts_of(filings, seed=4)


def test_a_context_without_numbers_gives_nothing():
    empty = Setting(world=World({}), documents={})
    assert drafts_of(empty) == []
    assert drafts_of(empty, finance.generate) == []


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [("12", "19", "15"), ("95", "130", "100"), ("0.2", "0.9", "0.5"), ("100", "101", None)],
)
def test_thresholds_are_round_and_clearly_between(low, high, expected):
    threshold = threshold_between(Decimal(low), Decimal(high))
    assert threshold == (None if expected is None else Decimal(expected))


def test_lists_are_read_aloud():
    assert listed(["a"]) == "a"
    assert listed(["a, b", "c"]) == "a, b and c"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(["a, b", "c", "d"]) == "a, b; c; and d"


@pytest.mark.slow
def test_real_tables_read_without_a_span_that_does_not_match():
    if not TABLES.is_dir():
        pytest.skip(f"{TABLES} is not here; the real tables are not part of the repository")
    num_facts = 0
    for path in sorted(TABLES.rglob("*.csv")):
        if path.name == "biopics.csv":  # neither UTF-8 nor Windows-1252
            continue
        (reading,) = csv.read(SourceFile(name=path.name, payload=path.read_bytes()))
        text = reading.document.text
        for fact in tables.extract(reading):
            num_facts += 1
            if fact.value_kind == "text":
                assert " ".join(text[fact.start : fact.end].split()) == fact.value
    assert num_facts > 200_000
