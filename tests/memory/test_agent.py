import json
import shutil

import pytest

from longloom.errors import ConfigError, ModelError
from longloom.memory import MemoryAgent, MemoryConfig
from longloom.memory.work import at_once, in_thread
from longloom.models.folder import load_model
from longloom.models.local_sampler import LocalSampler
from longloom.records import Completion, FinishReason
from longloom.rollout import EventKind, TokenChat, run_attempts
from longloom.text.prompts import EMPTY_MEMORY
from longloom.text.sections import SectionCutter
from longloom.text.tokenizer import FolderTokenizer
from longloom.text.tokenizer_tokens import TokenizerTokens
from questions import make_attempt

COMPACT = MemoryConfig(
    chunk_tokens=20,
    memory_tokens=40,
    wording="compact",
    decomposition="off",
    num_repairs=0,
    overflow="keep",
)
READ = (EventKind.SECTION_READ, EventKind.SECTION_FAILED)
DOCUMENT = "first line here\nsecond line here\n\nthird line\nand the last one"


class ScriptedSampler:
    """A model that says what it is told to; `None` is a failure."""

    def __init__(self, tokenizer, replies):
        self.tokenizer = tokenizer
        self.window_tokens = 10_000
        self.requests = []
        self._replies = list(replies)

    async def sample(self, request):
        self.requests.append(request)
        reply = self._replies.pop(0)
        if reply is None:
            raise ModelError("the model is gone")
        ids = (*self.tokenizer.encode(reply), self.tokenizer.end_id)
        return Completion(
            token_ids=ids,
            logprobs=(-1.0,) * len(ids),
            entropies=(0.5,) * len(ids),
            finish_reason=FinishReason.STOP,
        )

    def prompts(self):
        return [self.tokenizer.decode(request.prompt_ids) for request in self.requests]


@pytest.fixture(scope="module")
def tokenizer(tiny_folder):
    return FolderTokenizer(tiny_folder)


def run(tokenizer, replies, text=DOCUMENT, config=COMPACT, **changes):
    sampler = ScriptedSampler(tokenizer, replies)
    events = []
    (rollout,) = run_attempts(
        MemoryAgent(config),
        [make_attempt(text, **changes)],
        sampler=TokenChat(sampler),
        emit=events.append,
    )
    return sampler, rollout, events


def note(text, plan="p"):
    return f"<memory>{text}</memory><plan>{plan}</plan>"


def between(text, opening, closing):
    return text.partition(opening)[2].partition(closing)[0]


def test_every_section_is_read_once_and_in_order(tokenizer):
    cutter = SectionCutter(DOCUMENT, TokenizerTokens(tokenizer))
    chunks = list(cutter.sections(COMPACT.chunk_tokens))
    assert len(chunks) == 4
    sampler, rollout, _ = run(tokenizer, [note("m")] * 4 + ["answer"])
    sections = [between(prompt, "<section>", "</section>") for prompt in sampler.prompts()[:-1]]
    assert "".join(DOCUMENT[chunk.start : chunk.end] for chunk in chunks) == DOCUMENT
    pieces = [DOCUMENT[chunk.start : chunk.end] for chunk in chunks]
    assert sections == [piece.strip("\n") for piece in pieces]
    assert (len(rollout.turns), rollout.final_text, rollout.error) == (5, "answer", "")


def test_memory_and_plan_go_from_turn_to_turn_and_the_plan_not_into_the_answer(tokenizer):
    replies = [note(f"notes {i}", f"plan {i}") for i in range(4)]
    sampler, _, _ = run(tokenizer, [*replies, "answer"])
    prompts = sampler.prompts()
    assert [between(prompt, "<memory>", "</memory>") for prompt in prompts] == [
        EMPTY_MEMORY, "notes 0", "notes 1", "notes 2", "notes 3",
    ]  # fmt: skip
    assert [between(prompt, "<plan>", "</plan>") for prompt in prompts[:-1]] == [
        EMPTY_MEMORY, "plan 0", "plan 1", "plan 2",
    ]  # fmt: skip
    assert "plan 3" not in prompts[-1]


def test_an_unusable_update_keeps_the_memory_and_is_reported(tokenizer):
    sampler, rollout, events = run(
        tokenizer, [note("kept"), "rubbish", note(""), note("new"), "answer"]
    )
    assert [between(prompt, "<memory>", "</memory>") for prompt in sampler.prompts()] == [
        EMPTY_MEMORY, "kept", "kept", "kept", "new",
    ]  # fmt: skip
    assert [event.kind for event in events if event.kind in READ] == [
        EventKind.SECTION_READ,
        EventKind.SECTION_FAILED,
        EventKind.SECTION_FAILED,
        EventKind.SECTION_READ,
    ]
    assert len(rollout.turns) == 5


def test_events_count_sections_and_carry_the_memory(tokenizer):
    _, _, events = run(tokenizer, [note(f"m{i}") for i in range(4)] + ["answer"])
    read = [event for event in events if event.kind in READ]
    assert [(event.section_index, event.num_sections) for event in read] == [
        (1, 4), (2, 4), (3, 4), (4, 4),
    ]  # fmt: skip
    assert [event.memory for event in read] == ["m0", "m1", "m2", "m3"]
    assert events[-1].message == "answer"


def test_each_turn_has_its_own_random_stream_and_its_own_limit(tokenizer):
    sampler, _, _ = run(tokenizer, [note("m")] * 4 + ["answer"], key="seed/step", max_new_tokens=7)
    assert [request.key for request in sampler.requests] == [
        f"seed/step/turn-{turn}" for turn in range(5)
    ]
    limits = [request.params.max_new_tokens for request in sampler.requests]
    assert limits == [40, 40, 40, 40, 7]


def test_work_in_threads_reads_the_same(tokenizer):
    config = COMPACT.replace(citations=True)

    def read(work):
        sampler = ScriptedSampler(tokenizer, [note("third line")] * 4 + ["third line"])
        events = []
        (rollout,) = run_attempts(
            MemoryAgent(config, work=work),
            [make_attempt(DOCUMENT)],
            sampler=TokenChat(sampler),
            emit=events.append,
        )
        (answered,) = [event for event in events if event.kind is EventKind.ANSWERED]
        return rollout.final_text, sampler.prompts(), answered.citations

    assert read(in_thread) == read(at_once)


class DictJournal(dict):
    def put(self, key, record):
        self[key] = record


def test_a_journal_serves_one_model_with_one_tokenizer(tokenizer, tmp_path, tiny_folder):
    journal = DictJournal()

    def num_calls(name, tokenizer):
        sampler = ScriptedSampler(tokenizer, [note("m")] * 4 + ["answer"])
        agent = MemoryAgent(COMPACT, journal=journal)
        run_attempts(agent, [make_attempt(DOCUMENT)], sampler=TokenChat(sampler, name=name))
        return len(sampler.requests)

    shutil.copytree(tiny_folder, tmp_path / "other")
    settings = json.loads((tmp_path / "other" / "tokenizer_config.json").read_text("utf-8"))
    settings["added_later"] = True
    (tmp_path / "other" / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    assert num_calls("model@1", tokenizer) == 5
    assert num_calls("model@1", FolderTokenizer(tiny_folder)) == 1  # the answer alone
    assert num_calls("model@2", tokenizer) == 5
    assert num_calls("model@1", FolderTokenizer(tmp_path / "other")) == 5
    with pytest.raises(ConfigError, match="the model has no name"):
        num_calls("", tokenizer)


def test_a_failure_of_the_model_gives_a_failed_rollout_with_the_turns_so_far(tokenizer):
    _, rollout, events = run(tokenizer, [note("m"), None])
    assert (len(rollout.turns), rollout.final_text, rollout.error) == (1, "", "the model is gone")
    assert events[-1].kind is EventKind.FAILED
    assert events[-1].message == "the model is gone"


def test_a_document_shorter_than_a_section_is_read_in_one(tokenizer):
    sampler, rollout, _ = run(tokenizer, [note("m"), "answer"], text="short")
    assert "<section>short</section>" in sampler.prompts()[0]
    assert len(rollout.turns) == 2


def test_an_empty_document_is_answered_from_the_empty_memory(tokenizer):
    sampler, rollout, events = run(tokenizer, ["answer"], text="")
    assert f"<memory>{EMPTY_MEMORY}</memory>" in sampler.prompts()[0]
    assert (len(rollout.turns), rollout.final_text) == (1, "answer")
    assert events[0].num_sections == 0


def test_the_full_wording_asks_for_the_answer_form(tokenizer):
    config = COMPACT.replace(wording="full")
    sampler, _, _ = run(tokenizer, [note("m"), "answer"], text="short", config=config)
    assert "Therefore, the answer is (insert answer here)" in sampler.prompts()[-1]
    assert "Therefore, the answer is" not in sampler.prompts()[0]


def test_many_agents_share_a_real_model_and_repeat_to_the_bit(tiny_folder, tokenizer):
    model = load_model(tiny_folder)
    attempts = [make_attempt(DOCUMENT, key=f"k{number}") for number in range(3)]

    def rollouts():
        return run_attempts(
            MemoryAgent(COMPACT), attempts, sampler=TokenChat(LocalSampler(model, tokenizer))
        )

    first = rollouts()
    assert first == rollouts()
    assert {len(rollout.turns) for rollout in first} == {5}
    assert len({rollout.final_text for rollout in first}) == 3


def test_a_window_too_small_for_a_section_is_a_failed_rollout(tiny_folder, tokenizer):
    sampler = LocalSampler(load_model(tiny_folder), tokenizer)
    config = COMPACT.replace(memory_tokens=1_000)
    (rollout,) = run_attempts(
        MemoryAgent(config), [make_attempt(DOCUMENT)], sampler=TokenChat(sampler)
    )
    assert "do not fit the window" in rollout.error
    assert rollout.turns == ()
