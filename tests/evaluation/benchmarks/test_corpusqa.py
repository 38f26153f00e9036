"""CorpusQA: the official messages unchanged, the documents cut out of them."""

from pathlib import Path

import pytest

from longloom.errors import DataError
from longloom.evaluation.benchmark import ReadSettings
from longloom.evaluation.benchmarks.catalogue import BENCHMARKS
from official_files import CORPUS_CONTENT, CORPUSQA_ROWS, WRITERS, write_json_lines

SETTINGS = ReadSettings(count_tokens=len)
BENCHMARK = BENCHMARKS["corpusqa"]


def test_messages_are_the_official_ones_and_the_documents_the_context(tmp_path: Path) -> None:
    WRITERS["corpusqa"](tmp_path)
    found = BENCHMARK.read(tmp_path, SETTINGS)
    first, second = found.questions
    asked = found.ask(first)
    assert asked.message == CORPUS_CONTENT
    assert [(message.role, message.content) for message in asked.history] == [
        ("system", "You read reports.")
    ]
    assert asked.context == (
        "# Document 1:\nAlder School teaches 120 pupils.\n\n"
        "# Document 2:\nBirch School teaches 80 pupils.\n"
    )
    assert asked.query == (
        "# Question:\nWhich schools teach more than 100 pupils?\n\n"
        "# Output requirements:\nEnd with a line of the form: The answer is: xxx"
    )
    assert asked.problem == "Which schools teach more than 100 pupils?"
    assert (first.golds, second.golds) == (("['Alder School']",), ("[]",))
    assert [q.facets["domain"] for q in found.questions] == ["education_en", "financial_zh"]
    assert found.ask(second).history == ()


def test_frame_ahead_of_the_documents_is_asked_too(tmp_path: Path) -> None:
    content = "Requirements: be brief.\n\n" + CORPUS_CONTENT
    row = {**CORPUSQA_ROWS[0], "prompt": [{"role": "user", "content": content}]}
    write_json_lines(tmp_path / "128k_4domains.jsonl", [row])
    found = BENCHMARK.read(tmp_path, SETTINGS)
    asked = found.ask(found.questions[0])
    assert asked.message == content
    assert asked.query.startswith("Requirements: be brief.\n\n# Question:")


def test_question_is_found_without_its_heading(tmp_path: Path) -> None:
    question = CORPUSQA_ROWS[0]["question"]
    content = f"# Document 1:\nAlder.\n\nNow: {question} End with The answer is: xxx"
    row = {**CORPUSQA_ROWS[0], "prompt": [{"role": "user", "content": content}]}
    path = write_json_lines(tmp_path / "128k_4domains.jsonl", [row])
    found = BENCHMARK.read(tmp_path, SETTINGS)
    asked = found.ask(found.questions[0])
    assert asked.context == "# Document 1:\nAlder.\n\nNow: "
    assert asked.message == content
    write_json_lines(path, [{**row, "question": "Who?"}])
    with pytest.raises(DataError, match=r"128k_4domains\.jsonl, byte 0: the prompt has neither"):
        BENCHMARK.read(tmp_path, SETTINGS)


def test_rules_decide_in_strict_mode_alone(tmp_path: Path) -> None:
    WRITERS["corpusqa"](tmp_path)
    first, second = BENCHMARK.read(tmp_path, SETTINGS).questions
    right = BENCHMARK.score(first, 'I counted.\nThe answer is: ["Alder School"]')
    wrong = BENCHMARK.score(first, "The answer is: ['Birch School']")
    assert (right.strict, wrong.strict) == (1.0, 0.0)
    assert BENCHMARK.score(second, "The answer is: []").strict == 1.0
    assert (right.parity, wrong.parity) == (0.0, 0.0)
    assert BENCHMARK.judge is not None


def test_sizes_are_files_of_their_own(tmp_path: Path) -> None:
    WRITERS["corpusqa"](tmp_path)
    with pytest.raises(DataError, match=r"CorpusQA 4M needs 4m_4domains\.jsonl .*not on the hub"):
        BENCHMARKS["corpusqa-4m"].read(tmp_path, SETTINGS)
    write_json_lines(tmp_path / "1m_4domains.jsonl", CORPUSQA_ROWS)
    assert len(BENCHMARKS["corpusqa-1m"].read(tmp_path, SETTINGS).questions) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prompt": []}, "'prompt' is empty"),
        ({"prompt": [{"role": "assistant", "content": "x"}]}, "the last message is of 'assistant'"),
        ({"prompt": ["x"]}, "is no object with `content`"),
    ],
)
def test_damaged_prompts_are_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    path = write_json_lines(tmp_path / "128k_4domains.jsonl", [CORPUSQA_ROWS[0] | changes])
    with pytest.raises(DataError, match=message) as caught:
        BENCHMARK.read(tmp_path, SETTINGS)
    assert f"{path}, byte 0" in str(caught.value)
