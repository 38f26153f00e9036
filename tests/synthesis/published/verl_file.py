"""A small file in the format of DocQA-RL-1.6K, with invented documents."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

LEDGER = "The Quill Company\n\nSales were 400 crowns in 2001.\n\nSales were 500 crowns in 2002."
STATUTE = (
    "Article 1. A keeper of bees gives <text>notice</text>.\n\nArticle 2. Notice lasts 9 days."
)
TOWNS = "Passage 1: Elm lies on the Ode.\n\nPassage 2: The Ode ends in Lake Mirr."

CHOICES = (
    "What is the correct answer to this question: How long does notice last?\n"
    "Choices:\n(A) 7 days\n(B) 9 days\n(C) a month\n(D) a year"
)


def prompt(document: str, question: str, phrase: str = "Therefore, the answer is") -> str:
    """Return a prompt as QwenLong-L1 writes it."""
    return (
        "Please read the following text and answer the question below.\n\n"
        f"<text>\n{document}\n</text>\n\n{question}\n\n"
        f'Format your response as follows: "{phrase} (insert answer here)".'
    )


def row(source: str, content: str, truth: str, ability: str = "doc-qa") -> dict[str, Any]:
    """Return a row in verl's columns."""
    return {
        "data_source": source,
        "prompt": [{"role": "user", "content": content}],
        "ability": ability,
        "reward_model": {"style": "rule", "ground_truth": truth},
        "extra_info": {"index": 0, "input_length": 100, "reasoning_hop": 2},
    }


def rows() -> list[dict[str, Any]]:
    """Return one row of every published source, and the first once more."""
    sales = prompt(LEDGER, "By how many percent did sales grow?")
    notice = prompt(STATUTE, CHOICES, "The correct answer is")
    return [
        row("docmath_0_20000", sales, "Therefore, the answer is 25.0.", "doc-math"),
        row("long_toc_choices_20000_40000", notice, "The correct answer is (B).", "doc-mc"),
        row(
            "musique_0_20000",
            prompt(TOWNS, "Into which lake does Elm's river flow?"),
            "Therefore, the answer is Lake Mirr.",
        ),
        row(
            "multihoprag_40000_plus",
            prompt(TOWNS, "Is the Ode a river?"),
            "Therefore, the answer is Yes.",
        ),
        row("docmath_0_20000", sales, "Therefore, the answer is 25.0.", "doc-math"),
    ]


def write_parquet(path: Path, content: list[dict[str, Any]] | None = None) -> Path:
    """Write rows as Parquet."""
    pq.write_table(pa.Table.from_pylist(rows() if content is None else content), path)
    return path


def write_lines(path: Path, content: list[Any]) -> Path:
    """Write rows as JSON Lines."""
    path.write_text("".join(json.dumps(entry) + "\n" for entry in content), "utf-8")
    return path
