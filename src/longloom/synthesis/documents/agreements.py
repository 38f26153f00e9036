"""The opening of an agreement: its kind, its parties and the names the parties bear in it.

    This Supply Agreement (the "Agreement") is made as of May 6, 2019 by and between MediCo Ltd., a
    company organized under the laws of Israel ("MediCo"), and Vera, Inc. ("Customer")

gives `Supply Agreement`, `MediCo Ltd.` as `MediCo` and `Vera, Inc.` as `Customer`. Only parties
that are given a name in quotation marks are found; an opening with fewer than two gives none.
"""

import re
from dataclasses import dataclass

OPENING_LIMIT = 14_000
"""Characters of a document in which its opening is looked for."""
_BETWEEN = re.compile(r"\b(?:by\s+and\s+)?(?:between|among)\b", re.IGNORECASE)
_ROLE = re.compile(r"\(([^()\"“”]{0,40})[\"“]([A-Z][^\"“”()\n]{1,40})[\"”][^()]{0,120}\)")
_NOT_A_ROLE = frozenset(
    {
        "agreement",
        "effective date",
        "party",
        "parties",
        "execution date",
        "closing date",
        "services",
    }
)
_SUFFIX = (
    r"(?:Inc|INC|LLC|L\.L\.C|Ltd|LTD|Limited|LIMITED|Corporation|CORPORATION|Corp|CORP|Company"
    r"|COMPANY|Co|CO|L\.P|LP|LLP|AG|S\.A|SA|N\.V|B\.V|GmbH|GMBH|PLC|plc|Bank|Fund)"
)
_NEXT_WORD = r"(?:\([A-Z][\w ]{1,20}\)|[A-Z&][\w&'\u2019.\-]*|of|and|the)"
_COMPANY = re.compile(
    rf"(?:[A-Z]|[a-z]{{1,3}}-\d)[\w&'\u2019.\-]*(?:,?\s+{_NEXT_WORD}){{0,8}}?"
    rf",?\s+{_SUFFIX}\b\.?(?:,?\s+{_SUFFIX}\b\.?)?"
)
_NAMED_PARTY = re.compile(r"[A-Z][\w&'\u2019.\-]*(?:\s+[A-Z&][\w&'\u2019.\-]*){0,4}(?=,\s+an?\s)")
_LEAD = re.compile(
    r"(?:[\s,;:]|and\b|by\b|between\b|among\b|amongst\b|on the one hand\b|on the other hand\b"
    r"|\([a-z0-9]{1,3}\)|[0-9]\.|other\b|hand\b)*",
    re.IGNORECASE,
)
_JOINT = re.compile(r"[,;]\s|\band\s|\baffiliates\s", re.IGNORECASE)
_DESCRIBED = re.compile(r",?\s+(?:an?\s|having\s|with\s|located\s|incorporated\s)")
_KIND_WORDS = r"(?:[A-Z][\w&/'\u2019.\-]*|of|and|for|&)"
_THIS_KIND = re.compile(
    rf"\b(?:This|THIS|this)\s+((?:{_KIND_WORDS},?\s+){{1,8}}?(?:Agreement|AGREEMENT|Contract))\b"
)
_LOOSE_KIND = re.compile(r"\b((?:[A-Z][A-Z&/\-]+,?\s+){1,6}AGREEMENT)\b")
_NOT_A_KIND = re.compile(r"exhibit|confidential treatment|execution|version|form of", re.IGNORECASE)
_VOWEL = re.compile(r"[AEIOUY]")
_SUFFIX_WORDS = frozenset({"LTD", "LTD.", "CORP", "CORP."})
_MINOR_WORDS = frozenset({"and", "of", "for", "the", "in", "on", "to"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """One side of an agreement."""

    name: str
    """Its name: `Corio Inc.`."""
    role: str
    """What the agreement calls it: `Distributor`."""
    start: int
    """First character of the name in the text."""
    end: int
    """One past its last character."""
    role_start: int
    """First character of the role in the text."""
    role_end: int
    """One past its last character."""


def parties_of(text: str) -> tuple[Party, ...]:
    """Return the parties that the opening of `text` names; none if there are not two."""
    opening = text[:OPENING_LIMIT]
    for anchor in list(_BETWEEN.finditer(opening))[:12]:
        found = _parties_after(opening, anchor.end())
        if len({party.name for party in found}) >= 2:
            return found
    return ()


def _parties_after(opening: str, start: int) -> tuple[Party, ...]:
    """Read `name ... ("Role"), and name ... ("Role")` from `start` on."""
    found: list[Party] = []
    place = start
    for role in _ROLE.finditer(opening, start, min(len(opening), start + 3_000)):
        called = role.group(2).strip(" ,.")
        if called.lower() in _NOT_A_ROLE or "collectively" in role.group(1).lower():
            break
        name = _name_before(opening, place, role.start())
        place = role.end()
        if name is None:
            if not found or len(found) > 1:
                break
            continue
        found.append(
            Party(
                name=company_name(opening[name[0] : name[1]]),
                role=called if len(called) < 5 else title_case(called),
                start=name[0],
                end=name[1],
                role_start=role.start(2),
                role_end=role.start(2) + len(role.group(2).rstrip(" ,.")),
            )
        )
    return tuple(found)


def _name_before(opening: str, start: int, end: int) -> tuple[int, int] | None:
    """Return where the name stands that the role at `end` belongs to."""
    if end - start > 900:
        return None
    places = [start, *(match.end() for match in _JOINT.finditer(opening, start, end))]
    for place in places:
        lead = _LEAD.match(opening, place, end)
        first = lead.end() if lead else place
        match = _COMPANY.match(opening, first, end) or _NAMED_PARTY.match(opening, first, end)
        if match and (_DESCRIBED.match(opening, match.end()) or end - match.end() < 4):
            return match.start(), match.end()
    return None


def kind_of_agreement(text: str) -> str:
    """Return what an agreement calls itself (`Supply Agreement`), or nothing."""
    opening = text[:OPENING_LIMIT]
    for pattern in (_THIS_KIND, _LOOSE_KIND):
        for match in pattern.finditer(opening):
            kind = " ".join(match.group(1).split())
            if not _NOT_A_KIND.search(kind):
                return title_case(kind)
    return ""


def agreement_title(text: str) -> str:
    """Return `Supply Agreement between A and B` from the opening, or nothing."""
    kind = kind_of_agreement(text)
    names = list(dict.fromkeys(party.name for party in parties_of(text)))
    if not kind:
        return ""
    if not names:
        only = _first_company(text[:OPENING_LIMIT])
        return f"{kind} of {only}" if only else ""
    return f"{kind} between {', '.join(names[:-1])} and {names[-1]}"


def _first_company(opening: str) -> str:
    for anchor in list(_BETWEEN.finditer(opening))[:12]:
        lead = _LEAD.match(opening, anchor.end())
        match = _COMPANY.match(opening, lead.end()) if lead else None
        if match:
            return company_name(match.group())
    return ""


def title_case(words: str) -> str:
    """Return a title written in capitals with one capital a word; others unchanged."""
    if any(letter.islower() for letter in words.replace("and", "").replace("of", "")):
        return words
    return " ".join(
        word.lower() if place and word.lower() in _MINOR_WORDS else _capitalised(word)
        for place, word in enumerate(words.split())
    )


def _capitalised(word: str) -> str:
    return "-".join(part[:1] + part[1:].lower() for part in word.split("-"))


def company_name(words: str) -> str:
    """Return a company's name in one spelling: no capitals throughout, one space.

    In a name all in capitals, a word without vowels is taken for an acronym.
    """
    plain = " ".join(words.split()).rstrip(",;")
    if any(letter.islower() for letter in plain) or len(plain) < 5:
        return plain
    return " ".join(
        _capitalised(word) if _VOWEL.search(word) or word in _SUFFIX_WORDS else word
        for word in plain.split()
    )
