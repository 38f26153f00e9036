"""Values, words and dates of tagged numbers."""

from decimal import Decimal

import pytest

from longloom.synthesis.documents.ixbrl_numbers import (
    iso_date,
    number_in_words,
    number_value,
    plain_decimal,
    shown_with_sign,
    split_words,
)


@pytest.mark.parametrize(
    ("words", "number"),
    [
        ("three", 3),
        ("Twenty-one", 21),
        ("two hundred and six", 206),
        ("one million two thousand", 1_002_000),
        ("no", 0),
        ("many", None),
        ("", None),
    ],
)
def test_numbers_in_words(words: str, number: int | None) -> None:
    assert number_in_words(words) == number


@pytest.mark.parametrize(
    ("text", "scale", "is_negative", "value"),
    [
        ("0", 6, True, "0"),
        ("12,5", 0, False, "125"),
        (".05", 0, True, "-0.05"),
        ("1.50", 6, False, "1500000"),
        ("NaN", 0, False, None),
        ("9" * 60, 0, False, None),
        ("\u0663", 0, False, None),
    ],
)
def test_number_values(text: str, scale: int, is_negative: bool, value: str | None) -> None:
    assert number_value(text, "ixt:num-dot-decimal", scale, is_negative) == value


def test_decimals_are_plain() -> None:
    assert plain_decimal(Decimal("1E+3")) == "1000"
    assert plain_decimal(Decimal("-0.00")) == "0"
    assert plain_decimal(Decimal("Infinity")) is None


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("January 26, 2025", "2025-01-26"),
        ("Sept. 3 2024", "2024-09-03"),
        ("February 30, 2024", None),
        ("soon", None),
    ],
)
def test_english_dates(text: str, date: str | None) -> None:
    assert iso_date(text) == date


@pytest.mark.parametrize(
    ("text", "span", "widened"),
    [
        ("a (12) b", (3, 5), "(12)"),
        ("$(12", (2, 4), "(12"),
        ("-$12", (2, 4), "-$12"),
        ("up 12", (3, 5), "12"),
    ],
)
def test_signs_belong_to_their_number(text: str, span: tuple[int, int], widened: str) -> None:
    start, end = shown_with_sign(text, *span)
    assert text[start:end] == widened


def test_camel_case_is_split_into_words() -> None:
    assert split_words("IncomeTaxExpenseBenefit") == "Income tax expense (benefit)"
    assert split_words("OtherAssetsNoncurrent") == "Other assets noncurrent"
