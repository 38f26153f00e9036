"""Facts of laws: how they came about, what they amend and cite, and what they define.

A law goes by its number (`D.C. Law 18-209`). Citations have a grammar of their own, `the Healthy
Schools Act of 2010, effective July 27, 2010 (D.C. Law 18-209; D.C. Official Code sec. 38-821.01 et
seq.)`, and state facts about the law that they name. The date and number may be those of a later
law that has put in the section cited: a year that does not fit that of the act tells.
"""

import re
from collections.abc import Iterator

from longloom.synthesis.documents.building import Reading, Span
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.facts.relation import EntityKind, Relation

GENRE = "law"
LAW = "law"
CODE_SECTION = "code section"

KINDS: tuple[EntityKind, ...] = (
    EntityKind(name=LAW, plural="laws", is_document=True),
    EntityKind(name=CODE_SECTION, plural="code sections"),
)


def _of_law(
    name: str,
    value_kind: str,
    question: str,
    noun: str,
    clause: str,
    *,
    is_functional: bool = True,
    is_key: bool = False,
) -> Relation:
    return Relation(
        name=f"law.{name}",
        subject_kind=LAW,
        value_kind=value_kind,
        question=question,
        noun=noun,
        clause=clause,
        is_functional=is_functional,
        is_key=is_key,
    )


RELATIONS: tuple[Relation, ...] = (
    _of_law(
        "act",
        "text",
        "Which number did {x} have as a D.C. Act?",
        "the D.C. Act number of {x}",
        "that was {v}",
        is_key=True,
    ),
    _of_law(
        "amends",
        LAW,
        "Which other law does {x} amend?",
        "another law that {x} amends",
        "that amends {v}",
        is_functional=False,
    ),
    _of_law(
        "amends_section",
        CODE_SECTION,
        "Which section of the D.C. Official Code does {x} amend?",
        "a section of the D.C. Official Code that {x} amends",
        "that amends {v}",
        is_functional=False,
    ),
    _of_law(
        "bill",
        "text",
        "Which number did {x} have as a bill?",
        "the bill number of {x}",
        "that was {v}",
        is_key=True,
    ),
    _of_law(
        "cites",
        LAW,
        "Which other law does {x} cite?",
        "another law that {x} cites",
        "that cites {v}",
        is_functional=False,
    ),
    _of_law(
        "codified_from",
        CODE_SECTION,
        "Where in the D.C. Official Code does {x} begin?",
        "the section of the D.C. Official Code at which {x} begins",
        "that begins at {v}",
    ),
    _of_law(
        "committee",
        "text",
        "Which committee entry is given for {x}?",
        "the committee entry given for {x}",
        'with the committee entry "{v}"',
    ),
    _of_law(
        "defines",
        "text",
        "Which term does {x} define?",
        "a term that {x} defines",
        'that defines the term "{v}"',
        is_functional=False,
    ),
    _of_law(
        "effective",
        "date",
        "When did {x} take effect?",
        "the date on which {x} took effect",
        "that took effect {v}",
    ),
    _of_law(
        "enacted",
        "date",
        "When was {x} enacted?",
        "the date on which {x} was enacted",
        "enacted {v}",
    ),
    _of_law(
        "final_reading",
        "date",
        "On what date was the final-reading vote on {x}?",
        "the date of the final-reading vote on {x}",
        "with a final-reading vote {v}",
    ),
    _of_law(
        "first_reading",
        "date",
        "On what date was the first-reading vote on {x}?",
        "the date of the first-reading vote on {x}",
        "with a first-reading vote {v}",
    ),
    _of_law(
        "introduced",
        "date",
        "When was {x} introduced?",
        "the date on which {x} was introduced",
        "introduced {v}",
    ),
    _of_law(
        "register",
        "text",
        "Where in the D.C. Register was {x} published?",
        "the citation of {x} in the D.C. Register",
        "published at {v}",
        is_key=True,
    ),
    _of_law(
        "title",
        "text",
        "What is the short title of {x}?",
        "the short title of {x}",
        'called "{v}"',
        is_key=True,
    ),
)

_VALUE_KINDS = {relation.name: relation.value_kind for relation in RELATIONS}
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_CITATION = re.compile(
    rf", effective ((?:{'|'.join(_MONTHS)}) \d{{1,2}}, \d{{4}}) "
    r"\(((?:[^()\n]|\([^()\n]{1,12}\)){5,200})\)"
)
_CITED_NAME = re.compile(
    r"(?:(?:[A-Z][\w'.-]*|\d{4}|of|the|and|for|to|in|on|or|from|with|by|a|an),? ){1,25}"
    r"Act of (\d{4})$"
)
_NAME_WINDOW = 170
_MAX_YEARS_TO_EFFECT = 2
_LEADING = re.compile(
    r"(?:(?:of|the|and|for|to|in|on|or|from|with|by|a|an) "
    r"|(?:The|Under|In|By|See|If|For|Pursuant|Of|Notwithstanding|Neither|Comply) "
    r"|(?:Sec\.|Section|Sections|Title|Subtitle|Chapter|Part|Article|Subchapter|Subpart) "
    r"[\w.-]+,? of |\d+,? )"
)
_INNER_THE = re.compile(r" (?:and|or|of|to|in|by|with|from) the (?=[A-Z])")
_CODE = re.compile(r"D\.C\. Official Code § (\d+[A-Z]?(?:[.:-]\d+[A-Za-z]?(?:\.\d+[a-z]?)?)+)")
_LAW_NUMBER = re.compile(r"D\.C\. Law \d+-\d+")
_AMENDED = re.compile(r",? (?:is|are) (?:amended|repealed)")
_AMENDED_SECTION = re.compile(
    r"Section [\w.-]+(?:\(\w+\))* \((D\.C\. Official Code § ([\w.:-]*\w))(?:\(\w+\))*\)"
    r",? is (?:amended|repealed)"
)
_DEFINED = re.compile(r'(?<=")([A-Za-z][^"\n]{2,60})(?=" means )')


def extract(reading: Reading) -> list[Fact]:
    """Return the facts of a law; nothing for documents of another genre."""
    if reading.document.genre != GENRE:
        return []
    law = reading.document.title
    stated: list[tuple[str, str, str, Span, int]] = []
    for mark in reading.marks:
        name = mark.attributes.get("name", "")
        if mark.name == "header" and f"law.{name}" in _VALUE_KINDS:
            stated.append((law, name, mark.attributes["value"], (mark.start, mark.end), 1))
    text = reading.document.text
    stated += _citations(text, law)
    for match in _AMENDED_SECTION.finditer(text):
        code = f"D.C. Official Code § {match.group(2)}"
        stated.append(
            (law, "amends_section", code, (match.start(1), match.start(1) + len(code)), 2)
        )
    stated += [
        (law, "defines", match.group(1), match.span(1), 2) for match in _DEFINED.finditer(text)
    ]
    facts: dict[tuple[str, str, str], Fact] = {}
    for subject, name, value, span, certainty in stated:
        fact = _fact(reading, subject, name, value, span, certainty)
        facts.setdefault((subject, name, value), fact)
    return list(facts.values())


def _citations(text: str, law: str) -> Iterator[tuple[str, str, str, Span, int]]:
    """Yield what the citations of other laws state, of the law that cites and of the cited one."""
    for match in _CITATION.finditer(text):
        start, is_part = _cited_name(text, match.start())
        number = _LAW_NUMBER.search(text, match.start(2), match.end(2))
        if start < 0 or number is None or number.group() == law:
            continue
        title, effective = text[start : match.start()], _iso(match.group(1))
        if not 0 <= int(effective[:4]) - int(title[-4:]) <= _MAX_YEARS_TO_EFFECT:
            continue
        cited = number.group()
        yield law, "cites", cited, number.span(), 2
        if _AMENDED.match(text, match.end()):
            yield law, "amends", cited, number.span(), 2
        yield cited, "title", title, (start, match.start()), 2
        yield cited, "effective", effective, match.span(1), 2
        code = _CODE.search(text, match.start(2), match.end(2))
        if code and not is_part and "et seq" in match.group(2):
            yield cited, "codified_from", code.group(), code.span(), 2


def _cited_name(text: str, end: int) -> tuple[int, bool]:
    """Return where the name of an act that ends at `end` begins, and whether a part is cited.

    The place is -1 where no name ends there.
    """
    begin = max(0, end - _NAME_WINDOW, text.rfind("\n", 0, end) + 1)
    window = text[begin:end]
    # Names begin after the last bracket or quotation mark: no name of an act holds one.
    cut = max(window.rfind(mark) for mark in '()";:§') + 1
    match = _CITED_NAME.search(window, cut)
    if match is None:
        return -1, False
    start, is_part = match.start(), cut > 0
    while leading := _LEADING.match(window, start):
        is_part = is_part or " of " in leading.group()
        start = leading.end()
    for inner in _INNER_THE.finditer(window, start):
        # `the Mayor and the Housing Act of 2001`: what follows is a name by itself.
        if inner.group().startswith((" and", " or")):
            start = inner.end()
    name = window[start:]
    is_name = name[:1].isupper() and len(name.split()) >= 4
    return (begin + start if is_name else -1), is_part


def _iso(shown: str) -> str:
    """Return `July 27, 2010` as `2010-07-27`."""
    month, day, year = shown.replace(",", "").split()
    return f"{year}-{_MONTHS.index(month) + 1:02}-{int(day):02}"


def _fact(
    reading: Reading, subject: str, name: str, value: str, span: Span, certainty: int
) -> Fact:
    relation = f"law.{name}"
    return Fact(
        subject=subject,
        relation=relation,
        value=value,
        value_kind=_VALUE_KINDS[relation],
        subject_kind=LAW,
        doc_id=reading.document.doc_id,
        start=span[0],
        end=span[1],
        certainty=certainty,
    )
