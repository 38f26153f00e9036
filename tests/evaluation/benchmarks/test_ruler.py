"""RULER's samples: needles where they are said to be, within their length, the same every time."""

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from longloom.errors import DataError
from longloom.evaluation.benchmark import ReadSettings
from longloom.evaluation.benchmarks.ruler.benchmark import BENCHMARKS, LENGTHS
from longloom.evaluation.benchmarks.ruler.generate import ANSWER_TOKENS, CHAT_TOKENS
from longloom.evaluation.benchmarks.ruler.needles import NEEDLE_TASKS
from longloom.evaluation.benchmarks.ruler.words import (
    ADJECTIVES,
    NOUNS,
)
from longloom.evaluation.questions import Asked, Question, QuestionSet

_PIECE = re.compile(r"\w{1,5}|[^\w\s]")
MAX_TOKENS = 4_096
RULER = BENCHMARKS["ruler-4k"]


def count_tokens(text: str) -> int:
    """Count pieces of words of five letters, and marks."""
    return len(_PIECE.findall(text))


SETTINGS = ReadSettings(count_tokens=count_tokens, max_questions=3, seed=7)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> QuestionSet:
    return RULER.read(tmp_path_factory.mktemp("ruler"), SETTINGS)


def asked_of(found: QuestionSet, task: str) -> list[tuple[Question, Asked]]:
    return [(one, found.ask(one)) for one in found.questions if one.facets["task"] == task]


def test_every_task_is_there(found: QuestionSet) -> None:
    counts = Counter(one.facets["task"] for one in found.questions)
    assert counts == dict.fromkeys([*NEEDLE_TASKS, "cwe", "fwe", "vt"], 3)
    assert any("3 questions of each task" in note for note in found.notes)
    assert any("no haystack.txt" in note for note in found.notes)
    assert sum("is left out" in note for note in found.notes) == 2


def test_prompt_and_answer_fill_the_length_and_no_more(found: QuestionSet) -> None:
    for one in found.questions:
        prompt = count_tokens(found.ask(one).message)
        task = one.facets["task"]
        assert one.max_new_tokens == ANSWER_TOKENS[task]
        total = prompt + ANSWER_TOKENS[task] + CHAT_TOKENS
        assert total <= MAX_TOKENS, one.question_id
        assert total > 0.97 * MAX_TOKENS, one.question_id


@pytest.mark.parametrize("task", NEEDLE_TASKS)
def test_needles_are_there_once_at_their_depth(found: QuestionSet, task: str) -> None:
    kind = NEEDLE_TASKS[task].kind
    for one, asked in asked_of(found, task):
        assert len(one.golds) == len(asked.evidence) == len(one.depths)
        needles = [asked.context[start:end] for start, end in asked.evidence]
        for (start, end), depth, needle in zip(asked.evidence, one.depths, needles, strict=True):
            match = re.fullmatch(rf"One of the special magic {kind} for (\S+) is: (\S+)\.", needle)
            assert match is not None
            assert match[2] in one.golds
            assert match[1] in asked.after
            assert depth == pytest.approx((start + end) / 2 / len(asked.context))
        for gold in one.golds:
            assert asked.message.count(gold) == 1
            assert sum(gold in needle for needle in needles) == 1
        if len(one.golds) == 1:
            low, high = map(int, one.facets["depth"].rstrip("%").split("-"))
            assert low / 100 <= one.depths[0] <= high / 100
        else:
            assert "depth" not in one.facets


def test_keys_that_are_asked_for_are_no_other_needles(found: QuestionSet) -> None:
    for task in ("niah_multikey_1", "niah_multikey_2", "niah_multikey_3", "niah_multiquery"):
        for one, asked in asked_of(found, task):
            keys = re.findall(r"special magic \w+ for (\S+) is:", asked.context)
            assert len(set(keys)) == len(keys) >= 4
            values = re.findall(r" is: (\S+)\.", asked.context)
            assert len(set(values)) == len(values)
            assert set(one.golds) <= set(values)
    one, asked = asked_of(found, "niah_multivalue")[0]
    keys = re.findall(r"special magic \w+ for (\S+) is:", asked.context)
    assert len(keys) == len(one.golds) == 4
    assert len(set(keys)) == 1


def test_haystacks_are_what_their_task_says(found: QuestionSet) -> None:
    lines = asked_of(found, "niah_single_1")[0][1].context.split("\n")
    assert sorted(Counter(lines).values())[0] == 1
    assert len(Counter(lines)) == 2
    prose = asked_of(found, "niah_single_2")[0][1].context
    assert "\n" not in prose
    assert len(set(prose.split(". "))) > 30
    assert len(asked_of(found, "niah_multikey_2")[0][1].context.split("\n")) > 100


def test_the_prompt_has_rulers_form(found: QuestionSet) -> None:
    _, asked = asked_of(found, "niah_single_1")[0]
    key = re.search(r"for (\S+) is", asked.context[slice(*asked.evidence[0])])
    assert key is not None
    assert asked.before == (
        "A special magic number is hidden in the text below. Keep it in mind: you are asked about "
        "the number afterwards.\n"
    )
    assert asked.after == (
        f"\nWhat is the special magic number for {key[1]} mentioned in the provided text? The "
        f"special magic number for {key[1]} mentioned in the provided text is"
    )
    assert asked.query == (
        f"What is the special magic number for {key[1]} mentioned in the provided text?"
    )
    plural = asked_of(found, "niah_multiquery")[0][1]
    assert plural.before.startswith("Some special magic numbers are hidden")
    assert re.search(
        r"\nWhat are all the special magic numbers for \S+, \S+, \S+, and \S+ mentioned in the "
        r"provided text\? The special magic numbers for .* mentioned in the provided text are$",
        plural.after,
    )


def test_variables_are_traced_to_their_value(found: QuestionSet) -> None:
    for one, asked in asked_of(found, "vt"):
        value = re.search(r"assigned the value (\d{5}) in", asked.query)
        assert value is not None
        known: set[str] = set()
        for line in asked.context.split("\n"):
            match = re.fullmatch(r"VAR ([A-Z]{5}) = (?:VAR )?(\w+)", line)
            if match and (match[2] == value[1] or match[2] in known):
                known.add(match[1])
        assert known == set(one.golds)
        assert len(one.golds) == 5
        assert value[1] not in asked.before
        assert asked.after.endswith(f"5 variables are assigned the value {value[1]}, they are: ")
        # The solved example is right too.
        example = re.search(r"12345, they are: ([A-Z ]+)\n", asked.before)
        assert example is not None
        assert [*re.findall(r"VAR ([A-Z]{3}) =", asked.before)] == example[1].split()


def test_common_words_are_the_most_common(found: QuestionSet) -> None:
    for one, asked in asked_of(found, "cwe"):
        words = asked.context.split()
        assert [number.rstrip(".") for number in words[::2]] == [
            str(place) for place in range(1, len(words) // 2 + 1)
        ]
        counts = Counter(words[1::2])
        assert {word for word, times in counts.items() if times == 30} == set(one.golds)
        assert len(one.golds) == 10
        assert set(counts.values()) == {30, 3}
        assert "depth" not in one.facets


def test_frequent_words_are_the_most_frequent_but_dots(found: QuestionSet) -> None:
    for one, asked in asked_of(found, "fwe"):
        ranked = Counter(asked.context.split()).most_common()
        assert ranked[0][0] == "...."
        assert [word for word, _ in ranked[1:4]] == list(one.golds)
        times = [count for _, count in ranked]
        assert times[1] > times[2] > times[3] > times[4]


def test_a_worked_score(found: QuestionSet) -> None:
    one = asked_of(found, "niah_multivalue")[0][0]
    assert RULER.score(one, ", ".join(one.golds)).parity == 1.0
    half = RULER.score(one, f"{one.golds[0]} and {one.golds[1]}")
    assert (half.parity, half.strict) == (0.5, 0.5)
    assert RULER.score(one, "I do not know").parity == 0.0
    # A longer number holds the gold, but is none.
    longer = RULER.score(one, f"1{one.golds[0]}")
    assert (longer.parity, longer.strict) == (0.25, 0.0)


def test_rows_are_in_rulers_format(tmp_path: Path) -> None:
    found = RULER.read(tmp_path, SETTINGS)
    lines = next(tmp_path.rglob("vt.jsonl")).read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["index"] for row in rows] == [0, 1, 2]
    asked = found.ask(next(one for one in found.questions if one.question_id == "vt/0"))
    assert rows[0]["input"] + rows[0]["answer_prefix"] == asked.message
    assert rows[0]["length"] == count_tokens(asked.message) + 30
    assert rows[0]["length_w_model_temp"] == rows[0]["length"] + 64
    assert len(rows[0]["outputs"]) == 5


def test_generation_is_deterministic_and_done_once(tmp_path: Path, found: QuestionSet) -> None:
    num_characters = 0

    def counting(text: str) -> int:
        nonlocal num_characters
        num_characters += len(text)
        return count_tokens(text)

    settings = ReadSettings(count_tokens=counting, max_questions=3, seed=7)
    first = RULER.read(tmp_path, settings)
    assert first.source == found.source
    assert first.questions == found.questions
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.jsonl")}
    num_characters = 0
    again = RULER.read(tmp_path, settings)
    assert again.questions == first.questions
    assert num_characters < 20_000  # the digest of the tokenizer alone
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.jsonl")} == times


@pytest.mark.parametrize(
    "settings",
    [
        ReadSettings(count_tokens=count_tokens, max_questions=3, seed=8),
        ReadSettings(count_tokens=count_tokens, max_questions=2, seed=7),
        ReadSettings(count_tokens=lambda text: -(-len(text) // 4), max_questions=3, seed=7),
    ],
)
def test_other_settings_make_other_rows(
    tmp_path: Path, found: QuestionSet, settings: ReadSettings
) -> None:
    RULER.read(tmp_path, SETTINGS)
    other = RULER.read(tmp_path, settings)
    assert other.source != found.source
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 2


KILLED_WHILE_WRITING = """
import os, re, signal, sys
from pathlib import Path
from longloom.evaluation.benchmark import ReadSettings
from longloom.evaluation.benchmarks.ruler.benchmark import BENCHMARKS

num_calls = 0

def count(text):
    global num_calls
    num_calls += 1
    if num_calls == 60:
        os.kill(os.getpid(), signal.SIGKILL)
    return len(re.findall(sys.argv[2], text))

settings = ReadSettings(count_tokens=count, max_questions=3, seed=7)
BENCHMARKS["ruler-4k"].read(Path(sys.argv[1]), settings)
"""


def test_a_killed_generation_is_taken_up_again(tmp_path: Path, found: QuestionSet) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", KILLED_WHILE_WRITING, str(tmp_path), _PIECE.pattern],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    finished = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("[!.]*.jsonl")}
    assert 0 < len(finished) < len(found.source)
    again = RULER.read(tmp_path, SETTINGS)
    assert again.source == found.source
    assert all(path.stat().st_mtime_ns == time for path, time in finished.items())


def test_given_prose_is_the_haystack(tmp_path: Path) -> None:
    sentences = [
        f"The {noun} is {adjective}." for noun, adjective in zip(NOUNS, ADJECTIVES, strict=False)
    ]
    (tmp_path / "haystack.txt").write_text("\n\n".join(sentences))
    found = RULER.read(tmp_path, SETTINGS)
    asked = asked_of(found, "niah_single_2")[0][1]
    assert asked.context.count("The acorn is able.") >= 2  # it is repeated, being short
    assert not any("haystack" in note for note in found.notes)
    (tmp_path / "haystack.txt").write_text(" \n")
    with pytest.raises(DataError, match="holds no text"):
        RULER.read(tmp_path, SETTINGS)


def test_questions_about_paragraphs_need_their_files(tmp_path: Path) -> None:
    paragraphs = [
        {
            "context": f"Lake {number} is {100 + number} metres deep. " + "It is cold. " * 30,
            "qas": [
                {
                    "question": f"How deep is lake {number}?",
                    "answers": [{"text": f"{100 + number}"}, {"text": f"{100 + number} metres"}],
                    "is_impossible": False,
                },
                {"question": "Who owns it?", "answers": [], "is_impossible": True},
            ],
        }
        for number in range(60)
    ]
    squad = {"version": "v2.0", "data": [{"title": "Lakes", "paragraphs": paragraphs}]}
    (tmp_path / "squad.json").write_text(json.dumps(squad))
    hotpot = [
        {
            "_id": f"q{number}",
            "question": f"Who built tower {number}?",
            "answer": f"Builder {number}",
            "supporting_facts": [[f"Tower {number}", 0]],
            "context": [[f"Tower {number}", [f"Builder {number} built it.", " It leans." * 40]]],
        }
        for number in range(60)
    ]
    (tmp_path / "hotpotqa.json").write_text(json.dumps(hotpot))
    found = RULER.read(tmp_path, SETTINGS)
    for task in ("qa_1", "qa_2"):
        for one, asked in asked_of(found, task):
            assert 20 < asked.context.count("Document ") < 60
            ((start, end),) = asked.evidence
            assert one.golds[0] in asked.context[start:end]
            assert asked.after.endswith(" Answer:")
            # One of several answers is enough, and no part of the score.
            assert RULER.score(one, one.golds[-1]).parity == 1.0
            assert RULER.score(one, "none").parity == 0.0
    assert not any("left out" in note for note in found.notes)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "squad.json").write_text('{"data": [{"paragraphs": [{}]}]}')
    with pytest.raises(DataError, match=r"squad.json is no SQuAD file"):
        RULER.read(tmp_path, SETTINGS)


def test_tasks_that_do_not_fit_are_left_out_and_said(tmp_path: Path) -> None:
    by_letters = ReadSettings(count_tokens=len, max_questions=2)
    found = RULER.read(tmp_path, by_letters)
    assert "cwe is left out: it does not fit the length" in found.notes
    assert "niah_single_1" in {one.facets["task"] for one in found.questions}
    assert all(len(found.ask(one).message) <= MAX_TOKENS for one in found.questions)
    with pytest.raises(DataError, match="no task of RULER fits 4096 tokens"):
        RULER.read(tmp_path, ReadSettings(count_tokens=lambda text: 100 * len(text)))


def test_lengths_are_rulers_and_longer() -> None:
    assert [tokens for tokens, _ in LENGTHS.values()] == [
        4_096 * 2**power for power in (0, 1, 2, 3, 4, 5, 8, 10)
    ]
