import json
import pickle
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from longloom.errors import DataError
from longloom.synthesis.curation.benchmark_files import (
    BenchmarkQuestion,
    BenchmarkRecord,
    read_benchmark,
)
from longloom.synthesis.curation.decontamination import (
    Benchmarks,
    ngram_hashes,
    word_hashes,
    words_of,
)

SHARED = Path(__file__).parents[4] / "shared/data"
LONG_QUESTION = (
    "Which of the two harbours named in the report handled more grain in the year after the "
    "second pier had been rebuilt?"
)
SHORT_QUESTION = "Which harbour handled more grain in the year?"


def prose(seed: int, num_words: int) -> str:
    random = Random(seed)
    return " ".join(f"w{random.randrange(3_000)}" for _ in range(num_words))


def benchmarks(
    *, contexts: tuple[str, ...] = (), questions: tuple[tuple[str, str], ...] = ()
) -> Benchmarks:
    asked = tuple(
        BenchmarkQuestion(question=question, answers=(answer,)) for question, answer in questions
    )
    return Benchmarks.of([BenchmarkRecord(name="b:1", questions=asked, contexts=contexts)])


def test_ngrams_are_told_apart_by_words_and_their_order() -> None:
    first = ngram_hashes(word_hashes(["a", "b", "c", "a", "b"]), 2)
    assert len(first) == 3  # ab, bc, ca; ab again
    assert not set(first) & set(ngram_hashes(word_hashes(["b", "a", "d"]), 2))
    assert len(ngram_hashes(word_hashes(["a", "b"]), 13)) == 1
    assert not len(ngram_hashes(word_hashes([]), 13))


def test_a_document_that_holds_half_of_a_context_is_found() -> None:
    context = prose(1, 212)  # 200 runs of 13 words
    held = " ".join(context.split(" ")[:112])  # 100 of them
    found = benchmarks(contexts=(context,)).document_overlap(f"{prose(2, 5_000)} {held}")
    assert found == "benchmark: holds 50% of b:1"
    less = " ".join(context.split(" ")[:105])
    assert benchmarks(contexts=(context,)).document_overlap(f"{prose(2, 5_000)} {less}") == ""


def test_a_document_a_fifth_of_which_stands_in_a_long_context_is_found() -> None:
    context = prose(1, 5_000)
    piece = " ".join(context.split(" ")[1_000:1_100])  # 88 runs
    found = benchmarks(contexts=(context,)).document_overlap(f"{piece} {prose(3, 300)}")
    # 88 runs of 388 are shared.
    assert found == "benchmark: 23% of it stands in b:1"
    assert benchmarks(contexts=(context,)).document_overlap(f"{piece} {prose(3, 800)}") == ""


def test_one_shared_clause_does_not_condemn_a_document() -> None:
    clause = prose(9, 30)
    shared = benchmarks(contexts=(f"{prose(1, 100)} {clause} {prose(2, 100)}",))
    assert shared.document_overlap(f"{prose(3, 60)} {clause}") == ""


def test_short_contexts_condemn_no_document_by_themselves() -> None:
    short = prose(1, 40)
    assert benchmarks(contexts=(short,)).document_overlap(f"{short} {prose(2, 500)}") == ""


def test_a_copy_with_an_edit_in_every_line_is_found_by_its_signature() -> None:
    words = prose(1, 600).split(" ")
    # An edit takes 5 of 12 shingles: 7 of 17 are shared, 41%.
    edited = [f"x{place}" if place % 12 == 0 else word for place, word in enumerate(words)]
    found = benchmarks(contexts=(" ".join(words),)).document_overlap(" ".join(edited))
    assert " like b:1" in found


def test_a_document_that_holds_a_question_and_its_answer_is_found() -> None:
    known = benchmarks(questions=((LONG_QUESTION, "Greyport"), (SHORT_QUESTION, "Saltmouth")))
    text = prose(2, 300)
    assert known.document_overlap(f"{text} {LONG_QUESTION} Greyport.") == (
        "benchmark: holds a question of b:1"
    )
    assert known.document_overlap(f"{text} {LONG_QUESTION} No answer.") == ""
    assert known.document_overlap(f"{SHORT_QUESTION.upper()} {text} saltmouth") == (
        "benchmark: holds a question of b:1"
    )
    assert known.document_overlap(f"Saltmouth {text} Greyport") == ""


def test_questions_are_found_with_small_changes() -> None:
    known = benchmarks(questions=((LONG_QUESTION, "Greyport"),))
    assert known.question_overlap(LONG_QUESTION, "other").startswith("benchmark: ")
    changed = LONG_QUESTION.replace("rebuilt", "finished")
    assert known.question_overlap(changed, "other").startswith("benchmark: ")
    assert known.question_overlap("Which of the harbours is older, A or B?", "Greyport") == ""


def test_short_questions_count_only_with_their_answer() -> None:
    known = benchmarks(questions=(("Who wrote it?", "Ada Byron"),))
    assert known.question_overlap("Who wrote it?", "Grace Hopper") == ""
    assert known.question_overlap("who wrote it", "ada byron.") == "benchmark: 100% like b:1"


def test_long_answers_are_found_by_themselves() -> None:
    answer = prose(5, 20)
    known = benchmarks(questions=(("What is said?", answer),))
    assert known.question_overlap("Repeat the third reply of the clerk.", answer) == (
        "benchmark: its answer is that of b:1"
    )
    assert known.question_overlap("Repeat the third reply of the clerk.", prose(6, 20)) == ""


def test_benchmarks_survive_pickling_and_have_a_digest_of_their_texts() -> None:
    known = benchmarks(contexts=(prose(1, 200),), questions=((LONG_QUESTION, "Greyport"),))
    again = pickle.loads(pickle.dumps(known))
    assert again.digest == known.digest
    assert again.question_overlap(LONG_QUESTION, "") == known.question_overlap(LONG_QUESTION, "")
    assert benchmarks(contexts=(prose(2, 200),)).digest != known.digest


def test_empty_benchmarks_and_texts_overlap_with_nothing() -> None:
    assert benchmarks().document_overlap(prose(1, 100)) == ""
    assert benchmarks().question_overlap("", "") == ""
    assert benchmarks(contexts=(prose(1, 100),)).document_overlap("") == ""


def written(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    lines = isinstance(content, list) and name.endswith(".jsonl")
    text = "\n".join(map(json.dumps, content)) if lines else json.dumps(content)  # type: ignore[call-overload]
    path.write_text(text, "utf-8")
    return path


def test_tables_with_paragraphs_and_questions_are_read(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "tables.json",
        [
            {
                "table": {"uid": "u1", "table": [["", "2020"], ["Grain", "12"]]},
                "paragraphs": [{"uid": "u2", "order": 1, "text": "All in tonnes."}],
                "questions": [
                    {"uid": "q", "question": "How much grain?", "answer": 12, "scale": ""},
                    {"uid": "r", "question": "Which goods?", "answer": ["Grain", "Salt"]},
                ],
            }
        ],
    )
    (record,) = read_benchmark(path)
    assert record.name == "tables.json:1"
    assert [(asked.question, asked.answers) for asked in record.questions] == [
        ("How much grain?", ("12",)),
        ("Which goods?", ("Grain", "Salt")),
    ]
    assert record.contexts == ("All in tonnes.", "2020 Grain 12")


def test_paragraphs_with_titles_and_sentences_are_read(tmp_path: Path) -> None:
    row = {"_id": "x1", "question": "Who?", "answer": "Ada", "context": [["T", ["One.", "Two."]]]}
    (record,) = read_benchmark(written(tmp_path, "hops.jsonl", [row]))
    assert record.name == "hops.jsonl:x1"
    assert record.contexts == ("T One. Two.",)


def test_parallel_lists_of_questions_and_answers_are_read(tmp_path: Path) -> None:
    row = {"id": "d", "context": "A long text.", "questions": ["A?", "B?"], "answers": ["1", "2"]}
    (record,) = read_benchmark(written(tmp_path, "long.jsonl", [row]))
    assert [(asked.question, asked.answers) for asked in record.questions] == [
        ("A?", ("1",)),
        ("B?", ("2",)),
    ]
    assert record.contexts == ("A long text.",)


def test_answers_of_another_file_are_joined_and_conversations_are_contexts(tmp_path: Path) -> None:
    turn = [{"role": "user", "content": "Hello"}]
    written(tmp_path, "q.json", [{"id": "m1", "question": [[{"role": "user", "content": "Who?"}]]}])
    written(tmp_path, "talk.json", [{"id": "t1", "question": [turn, turn, turn]}])
    (tmp_path / "answers").mkdir()
    written(tmp_path / "answers", "a.json", [{"id": "m1", "ground_truth": ["Ada"], "source": "s"}])
    asked, talk = read_benchmark(tmp_path)
    assert asked.questions == (BenchmarkQuestion(question="Who?", answers=("Ada",)),)
    assert talk.contexts == ("Hello Hello Hello",)


def test_parquet_with_question_columns_is_read(tmp_path: Path) -> None:
    path = tmp_path / "q.parquet"
    rows = [{"prompt": "Who?", "target": "Ada", "document": "Ada did it."}]
    pq.write_table(pa.Table.from_pylist(rows), path)
    (record,) = read_benchmark(path)
    assert record.questions == (BenchmarkQuestion(question="Who?", answers=("Ada",)),)
    assert record.contexts == ("Ada did it.",)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"other": 1}', "not json"])
def test_files_without_questions_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "b.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"b\.json"):
        Benchmarks.load([path])


def test_a_missing_benchmark_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.json"):
        Benchmarks.load([tmp_path / "none.json"])


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not there")
def test_a_document_made_of_a_real_benchmark_text_is_found() -> None:
    path = SHARED / "bench-leval/dev.jsonl"
    known = Benchmarks.load([path])
    assert known.num_questions > 1_000
    with path.open(encoding="utf-8") as stream:
        contexts = [json.loads(line)["context"] for line in stream]
    for context in contexts:
        words = words_of(context)
        middle = " ".join(words[len(words) // 4 : len(words) // 4 * 3])
        if len(words) > 200:
            assert known.document_overlap(f"{middle} {prose(1, 500)}")
