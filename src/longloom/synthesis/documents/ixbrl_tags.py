"""What the tags of inline XBRL say about the text they enclose."""

from lxml import etree

from longloom.synthesis.documents.ixbrl_company import REGISTRANT, text_of
from longloom.synthesis.documents.ixbrl_numbers import (
    iso_date,
    number_value,
    read_contexts,
    read_units,
)


class TagReader:
    """Reads the tags of one filing."""

    def __init__(self, root: etree._Element, company: str) -> None:
        self._contexts = read_contexts(root)
        self._units = read_units(root)
        self._company = company
        self.stated: dict[str, str] = {}

    @property
    def has_contexts(self) -> bool:
        """Whether the filing says when its numbers hold; without, it is no inline XBRL."""
        return bool(self._contexts)

    def number(self, element: etree._Element) -> dict[str, str]:
        """Return what the tag says about its number."""
        context = self._contexts.get(element.get("contextRef", ""))
        scale = element.get("scale", "0")
        power = int(scale) if scale.removeprefix("-").isdigit() and len(scale) < 4 else 0
        unit = self._units.get(element.get("unitRef", ""), "")
        if unit == "" and power == -2:
            unit, power = "%", 0
        value = number_value(
            text_of(element),
            element.get("format", ""),
            power,
            element.get("sign") == "-",
        )
        return {
            "concept": element.get("name", ""),
            "value": value or "",
            "unit": unit,
            "scale": str(power),
            "decimals": element.get("decimals", ""),
            "period_start": context.period_start if context else "",
            "period_end": context.period_end if context else "",
            "dimensions": context.dimensions if context else "?",
        }

    def statement(self, element: etree._Element) -> dict[str, str]:
        """Return what the tag says about the company or the filing."""
        concept = element.get("name", "").rpartition(":")[2]
        text = text_of(element)
        if concept.endswith("Date"):
            text = iso_date(text) or text
        if concept == REGISTRANT:
            text = self._company
        context = self._contexts.get(element.get("contextRef", ""))
        dimensions = context.dimensions if context else "?"
        if not dimensions:
            self.stated.setdefault(concept, text)
        return {"concept": concept, "value": text, "dimensions": dimensions}


def is_about_filing(element: etree._Element) -> bool:
    """Say whether a tagged text states something about the company or the filing."""
    name = element.get("name", "")
    return name.startswith("dei:") and not name.endswith(("TextBlock", "Flag"))
