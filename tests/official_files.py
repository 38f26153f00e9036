"""Small files in the official layouts of benchmarks. All contents are written for these tests."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from longloom.evaluation.benchmarks.longbench_v1_sets import DATASETS

Row = dict[str, Any]

TAPIR_CHAT = [
    {"role": "user", "content": "Here are examples of such conversations."},
    {"role": "user", "content": "write a poem about tapirs"},
    {"role": "assistant", "content": "Tapirs wade where rivers bend."},
    {"role": "user", "content": "write a riddle about clouds"},
    {"role": "assistant", "content": "I weep and have no eyes."},
    {"role": "user", "content": "write a poem about tapirs"},
    {"role": "assistant", "content": "A tapir dreams of mango rain."},
    {
        "role": "user",
        "content": "Prepend aB3dE5fG7h to the second (1 indexed) poem about tapirs. Do not include "
        "any other text in your response.",
    },
]

CORPUS_CONTENT = (
    "# Document 1:\nAlder School teaches 120 pupils.\n\n"
    "# Document 2:\nBirch School teaches 80 pupils.\n\n"
    "# Question:\nWhich schools teach more than 100 pupils?\n\n"
    "# Output requirements:\nEnd with a line of the form: The answer is: xxx"
)

LONGBENCH_V2_ROWS: list[Row] = [
    {
        "_id": "66f0",
        "domain": "Single-Document QA",
        "sub_domain": "Literary",
        "difficulty": "easy",
        "length": "short",
        "question": "Where does the ferry land?",
        "choice_A": "At the mill",
        "choice_B": "At the quay",
        "choice_C": "At the weir",
        "choice_D": "Nowhere",
        "answer": "B",
        "context": "The ferry left the mill at noon. It landed at the quay.",
    },
    {
        "_id": "66f1",
        "domain": "Code Repository Understanding",
        "sub_domain": "Code repo QA",
        "difficulty": "hard",
        "length": "medium",
        "question": "What does run return?",
        "choice_A": "1",
        "choice_B": "2",
        "choice_C": "3",
        "choice_D": "4",
        "answer": "D",
        "context": "def run():\n    return 4",
    },
]

CORPUSQA_ROWS: list[Row] = [
    {
        "id": "education_en_1",
        "prompt": [
            {"role": "system", "content": "You read reports."},
            {"role": "user", "content": CORPUS_CONTENT},
        ],
        "question": "Which schools teach more than 100 pupils?",
        "answer": ["Alder School"],
    },
    {
        "id": "financial_zh_7",
        "prompt": [{"role": "user", "content": CORPUS_CONTENT.replace("100", "500")}],
        "question": "Which schools teach more than 500 pupils?",
        "answer": [],
    },
]

FRAMES_ROWS: list[Row] = [
    {
        "Prompt": "In which year did the builder of the Long Bridge die?",
        "Answer": "1871",
        "reasoning_types": "Multiple constraints",
        "wiki_links": "['https://en.wikipedia.org/wiki/Long_Bridge', 'https://x.org/Ann_Bell']",
        "wiki_items": [
            {"title": "Long Bridge", "text": "The Long Bridge was built by Ann Bell."},
            {"title": "Ann Bell", "text": "Ann Bell (1802-1871) built bridges."},
        ],
    }
]

HOTPOT_ROWS: list[Row] = [
    {
        "_id": "5ae1",
        "question": "Which town has the mill that Bo Rask bought?",
        "answer": "Elmsby",
        "type": "bridge",
        "level": "hard",
        "supporting_facts": [["Bo Rask", 1], ["Old Mill", 0], ["Old Mill", 9]],
        "context": [
            ["Elm", ["Elms are trees.", " They are tall."]],
            ["Old Mill", ["The Old Mill is in Elmsby.", " It is red."]],
            ["Bo Rask", ["Bo Rask was a baker.", " He bought the Old Mill."]],
        ],
    }
]

HOTPOT_SAMPLE_ROWS: list[Row] = [
    {
        "_id": "5ae2",
        "title_a": "Old Mill",
        "title_b": "Bo Rask",
        "para_a": ["The Old Mill is in Elmsby."],
        "para_b": ["Bo Rask was a baker.", " He bought the Old Mill."],
        "question": "Which town has the mill that Bo Rask bought?",
        "answer": "Elmsby",
        "supporting_facts": [[0], [1]],
        "distractors": [["Elm", ["Elms are trees."], 17.5], ["Ash", ["Ashes are trees."], 9.0]],
    }
]

TATQA_ROWS: list[Row] = [
    {
        "table": {
            "uid": "t1",
            "table": [["(in thousands)", "2019", "2018"], ["Sales | net", "$1,250", "$1,000"]],
        },
        "paragraphs": [
            {"uid": "p2", "order": 2, "text": "Sales grew in Oslo and Bergen."},
            {"uid": "p1", "order": 1, "text": "The table shows sales."},
        ],
        "questions": [
            {
                "uid": "q1",
                "question": "What was the change in sales in 2019?",
                "answer": 25,
                "answer_type": "arithmetic",
                "answer_from": "table",
                "rel_paragraphs": [],
                "scale": "percent",
            },
            {
                "uid": "q2",
                "question": "Where did sales grow?",
                "answer": ["Oslo", "Bergen"],
                "answer_type": "multi-span",
                "answer_from": "text",
                "rel_paragraphs": ["2"],
                "scale": "",
            },
            {
                "uid": "q3",
                "question": "What were the sales in 2018?",
                "answer": ["$1,000"],
                "answer_type": "span",
                "answer_from": "table-text",
                "rel_paragraphs": ["1"],
                "scale": "thousand",
            },
        ],
    }
]

LEVAL_ROWS: list[Row] = [
    {
        "task": "quality",
        "id": "quality-0",
        "source": "own",
        "context": "The lamp went out. Iris lit a candle.",
        "questions": ["What did Iris light?\n\n (A) A lamp\n (B) A candle\n (C) A fire\n (D) Hay"],
        "answers": ["(B) A candle"],
        "tokens": 9,
    },
    {
        "task": "coursera",
        "id": "coursera-0",
        "source": "own",
        "context": "Both clay and sand hold water.",
        "questions": [
            "Question 1. What holds water?\nA. clay\nB. sand\nC. glass\nD. air",
            "Question 2. What is clay?\nA. soil\nB. gas\nC. light\nD. song",
        ],
        "answers": ["AB", "A"],
        "tokens": 8,
    },
    {
        "task": "sci_fi",
        "id": "sci_fi-0",
        "source": "own",
        "context": "On Orn, water flows uphill.",
        "questions": ["Water flows uphill, True or False?"],
        "answers": ["True [fact: False]"],
        "tokens": 7,
    },
    {
        "task": "scientific_qa",
        "id": "scientific_qa-0",
        "source": "own",
        "context": "We train on two corpora, Reva and Tolk.",
        "questions": ["Which corpora are used?"],
        "answers": ["Reva and Tolk"],
        "tokens": 9,
    },
]


def mrcr_row(num_needles: int, *, filler: str = "I weep and have no eyes.") -> Row:
    """Return a row whose wanted reply is the sixth message; `filler` makes it long."""
    chat = [dict(message) for message in TAPIR_CHAT]
    chat[4]["content"] = filler
    return {
        "prompt": json.dumps(chat),
        "answer": "aB3dE5fG7hA tapir dreams of mango rain.",
        "random_string_to_prepend": "aB3dE5fG7h",
        "n_needles": num_needles,
        "desired_msg_index": 5,
        "total_messages": len(chat),
        "n_chars": sum(len(message["content"]) for message in chat),
        "date_added": "12-05-2025",
    }


def docmath_row(subset: str, number: int = 0) -> Row:
    """Return a question about three paragraphs, two of which are evidence."""
    return {
        "question_id": f"{subset}-testmini-{number}",
        "source": "" if subset == "complong" else "tatqa",
        "question": "What did both mills earn together, in thousands?",
        "paragraphs": [
            "\nThis is a report.",
            f"The north mill earned {number + 1},200 thousand.",
            "The south mill earned 34.5 thousand.\n",
        ],
        "table_evidence": [],
        "paragraph_evidence": [1, 2],
        "python_solution": "def solution():\n    return 1200 + 34.5",
        "ground_truth": 1000 * (number + 1) + 234.5,
    }


def longbench_v1_row(dataset: str, *, length: int = 10) -> Row:
    """Return a question of a dataset of LongBench v1."""
    is_chinese = dataset.endswith("_zh") or dataset in ("dureader", "vcsum", "lsht")
    return {
        "input": "Who keeps the bees?",
        "context": "Mira keeps the bees. {input} Olav keeps the hens.",
        "answers": ["Mira", "Mira Lund"],
        "length": length,
        "dataset": dataset,
        "language": "zh" if is_chinese else "en",
        "all_classes": ["Person", "Place"] if dataset in ("trec", "lsht") else None,
        "_id": f"id-{dataset}",
    }


def write_json_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write rows as JSON Lines, and return the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def write_json(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write rows as a JSON array, and return the file."""
    path.write_text(json.dumps(list(rows), indent=2, ensure_ascii=False), "utf-8")
    return path


def write_docmath(folder: Path) -> Path:
    """Write one question of each subset of test-mini; return the first file."""
    for subset in ("complong", "compshort", "simplong", "simpshort"):
        write_json_lines(folder / f"{subset}_testmini.jsonl", [docmath_row(subset)])
    return folder / "complong_testmini.jsonl"


def write_mrcr(folder: Path) -> Path:
    """Write one row of each number of needles; return the first file."""
    for needles in (2, 4, 8):
        write_json_lines(folder / f"{needles}needle.jsonl", [mrcr_row(needles)])
    return folder / "2needle.jsonl"


def write_longbench_v1(folder: Path) -> Path:
    """Write one question of each dataset, and return the file of hotpotqa."""
    for name in DATASETS:
        write_json_lines(folder / f"{name}.jsonl", [longbench_v1_row(name)])
    return folder / "hotpotqa.jsonl"


WRITERS: Mapping[str, Callable[[Path], Path]] = {
    "corpusqa": lambda folder: write_json_lines(folder / "128k_4domains.jsonl", CORPUSQA_ROWS),
    "docmath": write_docmath,
    "frames": lambda folder: write_json_lines(folder / "test.jsonl", FRAMES_ROWS),
    "hotpotqa": write_longbench_v1,
    "hotpotqa-distractor": lambda folder: write_json(
        folder / "hotpot_dev_distractor_v1.json", HOTPOT_ROWS
    ),
    "leval": lambda folder: write_json_lines(folder / "dev.jsonl", LEVAL_ROWS),
    "longbench-v1": write_longbench_v1,
    "longbench-v1-qa": write_longbench_v1,
    "longbench-v2": lambda folder: write_json(folder / "data.json", LONGBENCH_V2_ROWS),
    "mrcr": write_mrcr,
    "tatqa": lambda folder: write_json(folder / "tatqa_dataset_dev.json", TATQA_ROWS),
}
"""Writes the files of a benchmark into a folder, and returns one of them."""
