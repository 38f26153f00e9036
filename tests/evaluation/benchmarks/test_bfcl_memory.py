"""BFCL's memory benchmark, from its files to a scored answer, with a scripted model."""

import asyncio
import json
from pathlib import Path

import pytest

from longloom.errors import DataError, ModelError
from longloom.evaluation.benchmark import ReadSettings
from longloom.evaluation.benchmarks.bfcl_memory.benchmark import BENCHMARK
from longloom.evaluation.questions import Question, QuestionSet
from longloom.records import Context, Rollout, SamplingParams
from longloom.rollout import Attempt
from longloom.rollout.asking import asked_example
from scripted_chat import ScriptedChat

SHARED = Path(__file__).parents[4] / "shared/data/bench-bfcl-memory"
SETTINGS = ReadSettings(count_tokens=len)
PARAMS = SamplingParams(temperature=0.7, top_p=0.95, max_new_tokens=100)


def said(*texts: str) -> list[list[dict[str, str]]]:
    return [[{"role": "user", "content": text}] for text in texts]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    def write(name: str, *rows: object) -> None:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")

    write(
        "BFCL_v4_memory.json",
        {
            "id": "memory_9-student-0",
            "question": said("What is my parrot called?"),
            "involved_classes": ["MemoryAPI"],
            "scenario": "student",
        },
        {
            "id": "memory_10-student-1",
            "question": said("Which exam is on Monday?"),
            "involved_classes": ["MemoryAPI"],
            "scenario": "student",
        },
    )
    write(
        "possible_answer/BFCL_v4_memory.json",
        {"id": "memory_9-student-0", "ground_truth": ["Quill"], "source": "called Quill"},
        {"id": "memory_10-student-1", "ground_truth": ["optics", "physics"], "source": "Monday"},
    )
    write(
        "memory_prereq_conversation/memory_student.json",
        {
            "id": "memory_prereq_1-student-0",
            "question": said("Hello.", "My parrot is called Quill."),
            "scenario": "student",
        },
        {
            "id": "memory_prereq_2-student-1",
            "question": said("On Monday I sit the exam in optics."),
            "scenario": "student",
        },
    )
    return tmp_path


def read(folder: Path) -> tuple[QuestionSet, dict[str, Question]]:
    found = BENCHMARK.read(folder, SETTINGS)
    return found, {one.question_id: one for one in found.questions}


def prepare(folder: Path, group: str, chat: ScriptedChat) -> str:
    assert BENCHMARK.prepare is not None
    return asyncio.run(BENCHMARK.prepare(folder, group, sampler=chat, params=PARAMS, key="seed-0"))


def answer(folder: Path, question_id: str, snapshot: str, chat: ScriptedChat) -> Rollout:
    found, by_id = read(folder)
    assert BENCHMARK.agent is not None
    asked = found.ask(by_id[question_id])
    agent = BENCHMARK.agent(folder, by_id[question_id], asked, snapshot)
    attempt = Attempt(
        example=asked_example(asked.query, context_id=question_id),
        context=Context(context_id=question_id, text="", parts=()),
        rollout_index=0,
        policy_version=0,
        params=PARAMS,
        key="k",
    )
    return asyncio.run(agent(attempt, sampler=chat, emit=lambda event: None))


def test_every_question_is_asked_of_every_back_end(folder: Path) -> None:
    found, by_id = read(folder)
    assert [one.question_id for one in found.questions] == [
        "memory_kv_9-student-0",
        "memory_kv_10-student-1",
        "memory_rec_sum_9-student-0",
        "memory_rec_sum_10-student-1",
        "memory_vector_9-student-0",
        "memory_vector_10-student-1",
    ]
    one = by_id["memory_vector_10-student-1"]
    assert one.golds == ("optics", "physics")
    assert one.group == "vector/student"
    assert one.facets == {"backend": "vector", "scenario": "student"}
    asked = found.ask(one)
    assert (asked.context, asked.message) == ("", "Which exam is on Monday?")
    assert "scenario student: 2 of 50 questions" in found.notes
    assert any("not comparable" in note for note in found.notes)
    assert set(found.source) == {
        "BFCL_v4_memory.json",
        "possible_answer/BFCL_v4_memory.json",
        "memory_prereq_conversation/memory_student.json",
    }


def keeper(request):
    """Keep what the user says in the archival memory, and answer by searching it."""
    message = request.message
    if message == "My parrot is called Quill.":
        return "<think>worth it</think>[archival_memory_add(key='parrot_name', value='Quill')]"
    if message == "On Monday I sit the exam in optics.":
        return '```python\n[core_memory_add(key="monday_exam", value="optics")]\n```'
    if message == "What is my parrot called?":
        return "[archival_memory_key_search(query='parrot')]"
    if message == "Which exam is on Monday?":
        exam = "optics" if "optics" in request.history[0].content else "unknown"
        return f"{{'answer': '{exam}', 'context': 'it is in the core memory'}}"
    if "archival_memory_key_search" in message:
        return "[archival_memory_retrieve(key='parrot_name')]"
    if "archival_memory_retrieve" in message:
        name = "Quill" if "Quill" in message else "unknown"
        return f"{{'answer': '{name}', 'context': 'you said so'}}"
    return "Noted."


def test_a_memory_is_kept_from_conversations_to_a_right_answer(folder: Path) -> None:
    chat = ScriptedChat(keeper)
    snapshot = prepare(folder, "kv/student", chat)
    assert json.loads(snapshot)["memory"] == {
        "core_memory": {"monday_exam": "optics"},
        "archival_memory": {"parrot_name": "Quill"},
    }
    # Hello; parrot, its result; then, in a new conversation, the exam and its result.
    assert [len(one.history) for one in chat.requests] == [1, 3, 5, 1, 3]
    assert len({one.key for one in chat.requests}) == 5

    _, by_id = read(folder)
    parrot = answer(folder, "memory_kv_9-student-0", snapshot, chat)
    assert parrot.error == ""
    assert BENCHMARK.score(by_id["memory_kv_9-student-0"], parrot.final_text).parity == 1.0
    exam = answer(folder, "memory_kv_10-student-1", snapshot, chat)
    score = BENCHMARK.score(by_id["memory_kv_10-student-1"], exam.final_text)
    assert (score.parity, score.strict) == (1.0, 1.0)
    wrong = BENCHMARK.score(by_id["memory_kv_10-student-1"], "{'answer': 'algebra'}")
    assert (wrong.parity, wrong.strict) == (0.0, 0.0)


def test_the_chat_of_a_call_has_the_official_form(folder: Path) -> None:
    chat = ScriptedChat(keeper)
    prepare(folder, "kv/student", chat)
    after_call = chat.requests[2]
    assert [one.role for one in after_call.history] == [
        "system",
        "user",
        "assistant",
        "user",
        "assistant",
    ]
    # Thinking is not sent back.
    assert after_call.history[4].content == (
        "[archival_memory_add(key='parrot_name', value='Quill')]"
    )
    assert after_call.message == repr(
        [
            {
                "role": "tool",
                "name": "archival_memory_add(key='parrot_name', value='Quill')",
                "content": '{"status": "Key added."}',
            }
        ]
    )
    system = after_call.history[0].content
    assert system.endswith(
        "What the core memory holds from earlier conversations:\n"
        "There is no content in the core memory at this point."
    )
    assert "You are a study assistant" in system
    assert '"name": "archival_memory_key_search"' in system
    assert "{'answer'" not in system
    question = ScriptedChat(keeper)
    answer(folder, "memory_kv_10-student-1", prepare(folder, "kv/student", chat), question)
    assert "{'answer': a short" in question.requests[0].history[0].content
    assert '"monday_exam": "optics"' in question.requests[0].history[0].content


@pytest.mark.parametrize("backend", ["rec_sum", "vector"])
def test_other_back_ends_keep_a_memory_too(backend: str, folder: Path) -> None:
    name = {"rec_sum": "memory_append", "vector": "core_memory_add"}[backend]

    def keep_all(request):
        if request.message.startswith("[{'role': 'tool'") or request.message == "Hello.":
            return "Noted."
        return f"[{name}(text={request.message!r})]"

    snapshot = prepare(folder, f"{backend}/student", ScriptedChat(keep_all))

    def recall(request):
        return "Quill" if "called Quill" in request.history[0].content else "unknown"

    chat = ScriptedChat(recall)
    rollout = answer(folder, f"memory_{backend}_9-student-0", snapshot, chat)
    assert rollout.final_text == "Quill"


def test_questions_do_not_change_the_memory_of_others(folder: Path) -> None:
    snapshot = prepare(folder, "kv/student", ScriptedChat(keeper))

    def clearing(request):
        if "tool" in request.message:
            return "cleared"
        return "[core_memory_clear()]"

    first = ScriptedChat(clearing)
    answer(folder, "memory_kv_10-student-1", snapshot, first)
    second = ScriptedChat(keeper)
    rollout = answer(folder, "memory_kv_10-student-1", snapshot, second)
    assert "optics" in rollout.final_text


def test_a_model_that_never_answers_fails(folder: Path) -> None:
    chat = ScriptedChat(lambda request: "[core_memory_list_keys()]")
    snapshot = prepare(folder, "kv/student", chat)
    # The first turn of each conversation is given up, and its conversation with it.
    assert len(chat.requests) == 2 * 21
    asking = ScriptedChat(lambda request: "[core_memory_list_keys()]")
    rollout = answer(folder, "memory_kv_9-student-0", snapshot, asking)
    assert len(asking.requests) == 21
    assert rollout.final_text == ""
    assert "21 replies with calls and no answer" in rollout.error


def test_a_model_that_fails_leaves_no_snapshot_and_a_failed_answer(folder: Path) -> None:
    broken = ScriptedChat(lambda request: ModelError("gone"))
    with pytest.raises(ModelError, match="gone"):
        prepare(folder, "kv/student", broken)
    snapshot = prepare(folder, "kv/student", ScriptedChat(keeper))
    assert answer(folder, "memory_kv_9-student-0", snapshot, broken).error == "gone"


def test_files_that_do_not_fit_are_refused(folder: Path) -> None:
    answers = folder / "possible_answer/BFCL_v4_memory.json"
    kept = answers.read_text()
    answers.write_text(kept.splitlines()[0])
    with pytest.raises(DataError, match="'memory_10-student-1' has no answer"):
        read(folder)
    answers.write_text(kept)
    conversations = folder / "memory_prereq_conversation/memory_student.json"
    conversations.rename(conversations.with_name("memory_finance.json"))
    with pytest.raises(DataError, match="memory_student"):
        read(folder)
    conversations.with_name("memory_finance.json").unlink()
    with pytest.raises(DataError, match=r"needs memory_prereq_conversation/memory_\*\.json"):
        read(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scenario": "pirate"}, "scenario 'pirate' is unknown"),
        ({"question": []}, "no list of turns"),
        ({"question": [[{"role": "tool", "content": "x"}]]}, "no list of turns"),
        ({"id": "memory_10-student-1"}, "there twice"),
    ],
)
def test_damaged_questions_are_refused(folder: Path, change: dict, message: str) -> None:
    path = folder / "BFCL_v4_memory.json"
    first, second = map(json.loads, path.read_text().splitlines())
    path.write_text("\n".join(map(json.dumps, [{**first, **change}, second])))
    with pytest.raises(DataError, match=message):
        read(folder)


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not there")
def test_official_files_are_read() -> None:
    found = BENCHMARK.read(SHARED, SETTINGS)
    assert len(found.questions) == 3 * 75
    assert all(found.ask(one).query and one.golds for one in found.questions)
    chat = ScriptedChat(lambda request: "Noted.")
    prepare(SHARED, "rec_sum/notetaker", chat)
    # Five conversations of 5, 4, 5, 5 and 5 turns.
    assert len(chat.requests) == 24
