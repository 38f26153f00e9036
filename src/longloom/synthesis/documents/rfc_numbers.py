"""Number the sections, figures and tables of an xml2rfc document, as its published form does."""

import string

from longloom.synthesis.documents.safe_xml import Element, attribute, child, children, local_name

_CAPTIONED = ("figure", "table", "texttable")


def section_numbers(root: Element) -> dict[Element, str]:
    """Give the number of every numbered section and list of references (`4.2`, `A.1`)."""
    numbers: dict[Element, str] = {}
    middle, back = child(root, "middle"), child(root, "back")
    count = _number_all(_numbered(middle), [str(n) for n in range(1, 10_000)], numbers)
    lists = children(back, "references")
    if len(lists) == 1:
        numbers[lists[0]] = str(count + 1)
        inner = children(lists[0], "references")
        _number_all(inner, [f"{count + 1}.{n}" for n in range(1, len(inner) + 1)], numbers)
    else:
        _number_all(lists, [f"{count + 1}.{n}" for n in range(1, len(lists) + 1)], numbers)
    _number_all(_numbered(back), _letters(), numbers)
    return numbers


def caption_numbers(root: Element) -> dict[Element, str]:
    """Give `Figure 2` and `Table 1` to what carries a caption or an anchor, in order."""
    counts = {"Figure": 0, "Table": 0}
    names: dict[Element, str] = {}
    for node in root.iter(*[f"{{*}}{name}" for name in _CAPTIONED]):
        has_name = child(node, "name") is not None
        if not (has_name or attribute(node, "title") or attribute(node, "anchor")):
            continue
        word = "Figure" if local_name(node) == "figure" else "Table"
        counts[word] += 1
        names[node] = f"{word} {counts[word]}"
    return names


def section_label(number: str) -> str:
    """Return `Section 4.2` or `Appendix A.1`."""
    return f"Section {number}" if number[:1].isdigit() else f"Appendix {number}"


def _numbered(parent: Element | None) -> list[Element]:
    """Return the sections that carry a number."""
    return [
        section
        for section in children(parent, "section")
        if attribute(section, "numbered") not in ("false", "no")
    ]


def _number_all(sections: list[Element], names: list[str], numbers: dict[Element, str]) -> int:
    """Number sections and everything below them; return how many there are at the top."""
    waiting = list(zip(sections, names, strict=False))
    while waiting:
        section, number = waiting.pop()
        numbers[section] = number
        inner = _numbered(section)
        waiting += [(node, f"{number}.{place}") for place, node in enumerate(inner, start=1)]
    return len(sections)


def _letters() -> list[str]:
    alphabet = string.ascii_uppercase
    return [*alphabet, *(first + second for first in alphabet for second in alphabet)]
