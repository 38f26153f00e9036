"""Documents written for the tests: invented proposals, tables and dialogues that state facts."""

from pathlib import Path

PEOPLE = ("Ada Byron", "Bo Tran", "Cy Okoro", "Di Marsh", "Ed Varga", "Flo Ibarra")
STATUSES = ("Final", "Draft", "Rejected", "Active")


def proposal(number: int) -> str:
    """Return an invented proposal with headers and cross references."""
    author = PEOPLE[number % len(PEOPLE)]
    other = PEOPLE[(number * 5 + 1) % len(PEOPLE)]
    cited = (number * 7) % 24 + 1
    paragraphs = "\n\n".join(
        f"Paragraph {place} of proposal {number} says that part {place * number} of the language "
        f"shall keep its meaning, whatever tool number {place + number} does with the source."
        for place in range(1, 9)
    )
    return f"""PEP: {number}
Title: Invented change number {number}
Author: {author} <someone@example.org>, {other} <other@example.org>
Status: {STATUSES[number % 4]}
Type: Standards Track
Created: {number % 27 + 1:02d}-Mar-{1990 + number}
Python-Version: 3.{number % 13}

Abstract
========

This proposal builds on :pep:`{cited}`.

Rationale
=========

{paragraphs}
"""


def table(number: int) -> str:
    """Return an invented table of towns."""
    rows = [
        f"Town{place:02d},{1000 + 37 * place * number},{12.5 + place * number / 8},{1900 + place}"
        for place in range(1, 21)
    ]
    return "\n".join(["town,population,area in km2,founded", *rows]) + "\n"


def dialogue(number: int) -> str:
    """Return an invented transcript."""
    lines = []
    for turn in range(1, 9):
        lines.append(f"USER: Question {turn} of talk {number}: what about item {turn * number}?")
        lines.append(f"SYSTEM: Item {turn * number} costs {turn + number} coins in shop {turn}.")
    return "\n".join(lines) + "\n"


def write_small_corpus(root: Path) -> Path:
    """Write 24 proposals, 8 tables and 10 dialogues below `root` and return it."""
    files: dict[str, str] = {"SOURCE.txt": "Written for the tests. CC0-1.0."}
    files |= {f"proposals/pep-{number:04d}.rst": proposal(number) for number in range(1, 25)}
    files |= {f"tables/towns-{number}.csv": table(number) for number in range(1, 9)}
    files |= {f"talks/talk-{number}.txt": dialogue(number) for number in range(1, 11)}
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return root
