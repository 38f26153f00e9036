from decimal import Decimal

import pytest

from longloom.synthesis.facts.quantities import header_unit, parse_quantity, plain, shows


@pytest.mark.parametrize(
    ("text", "magnitude", "unit", "scale"),
    [
        ("1,234,567", "1234567", "", 0),
        ("(1,234.5)", "-1234.5", "", 0),
        ("\u22123", "-3", "", 0),
        ("$56.7M", "56.7", "USD", 6),
        ("-$1.2 billion", "-1.2", "USD", 9),
        ("12.5%", "12.5", "%", 0),
        ("3,120 km", "3120", "km", 0),
        (".25", "0.25", "", 0),
        ("85*", "85", "", 0),
        ("1,204[3]", "1204", "", 0),
        ("\u20ac5", "5", "EUR", 0),
    ],
)
def test_quantities_are_read(text, magnitude, unit, scale):
    quantity = parse_quantity(text)
    assert quantity is not None
    assert (quantity.magnitude, quantity.unit, quantity.scale) == (Decimal(magnitude), unit, scale)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1,23",
        "007",
        "12-14",
        "1.234.567",
        "3 of 4",
        "2M",
        "five",
        "1,2345",
        "-(3)",
        "1 2",
        "5 x",
    ],
)
def test_what_could_be_read_twice_is_no_number(text):
    assert parse_quantity(text) is None


@pytest.mark.parametrize(
    ("header", "unit", "scale"),
    [
        ("Revenue ($ millions)", "USD", 6),
        ("Revenue (in millions of US$)", "USD", 6),
        ("Length (km)", "km", 0),
        ("Share (%)", "%", 0),
        ("Population (2020)", "", 0),
        ("Area (approx.)", "", 0),
        ("Growth %", "%", 0),
    ],
)
def test_units_of_headers(header, unit, scale):
    assert header_unit(header) == (unit, scale)


def test_plain_decimals_have_no_exponent_and_no_idle_zeros():
    assert [plain(Decimal(text)) for text in ("1E+3", "2.500", "-0.0", "10")] == [
        "1000",
        "2.5",
        "0",
        "10",
    ]


def test_a_span_shows_its_value_whatever_the_brackets_mean():
    assert shows("391,035", "391035000000", 6)
    assert shows("1,234", "-1234000000", 6)
    assert shows("\u2014", "0", 6)
    assert shows("three", "3", 0)
    assert not shows("391,036", "391035000000", 6)
    assert not shows("n/a", "1", 0)
