"""One row at a time: what it means, or why it cannot be used."""

from pathlib import Path

import pytest

from longloom.errors import DataError
from longloom.records import RewardRule, Split, TaskType
from longloom.synthesis.published.places import RowPlace
from longloom.synthesis.rows.checking import RowsConfig, check_row

PLACE = RowPlace(Path("rows.jsonl"), 7)
ASK = "How many? Therefore, the answer is (insert answer here)"


def verl(**changes):
    row = {
        "data_source": "numerical",
        "prompt": [{"role": "user", "content": ASK}],
        "ability": "counting",
        "reward_model": {"style": "rule", "ground_truth": "5"},
        "extra_info": {"split": "train", "index": 3},
    }
    return {**row, **changes}


def refusal(row) -> str:
    with pytest.raises(DataError) as raised:
        check_row(row, PLACE, RowsConfig())
    return str(raised.value)


def test_row_of_verl_is_taken_as_it_is() -> None:
    chat = [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "Hello."},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": ASK},
    ]
    row = check_row(verl(prompt=chat), PLACE, RowsConfig())
    assert list(row.messages) == chat
    assert row.answer == "5"
    assert row.source.task_type is TaskType.NUMERICAL
    assert row.ability == "counting"
    assert row.split is Split.TRAIN
    assert row.question == ASK


@pytest.mark.parametrize("prompt_column", ["prompt", "messages"])
@pytest.mark.parametrize("answer_column", ["answer", "ground_truth", "solution"])
def test_row_of_trl_has_a_prompt_and_an_answer(prompt_column, answer_column) -> None:
    row = {prompt_column: [{"role": "user", "content": ASK}], answer_column: "5"}
    checked = check_row(row, PLACE, RowsConfig(tasks={"*": TaskType.NUMERICAL}))
    assert checked.answer == "5"
    assert checked.messages[-1]["content"] == ASK


def test_prompt_may_be_a_text_and_an_answer_a_number() -> None:
    row = {"prompt": ASK, "answer": 5}
    checked = check_row(row, PLACE, RowsConfig(tasks={"*": TaskType.NUMERICAL}))
    assert checked.messages == ({"role": "user", "content": ASK},)
    assert checked.answer == "5"


@pytest.mark.parametrize(
    ("source", "task", "rule"),
    [
        ("dialogue_memory", TaskType.DIALOGUE_MEMORY, RewardRule.SEQUENCE_MATCH),
        ("docmath_20000_40000", TaskType.NUMERICAL, RewardRule.NUMERIC),
        ("musique", TaskType.MULTI_HOP, RewardRule.COVER_EXACT_MATCH),
        ("openai/gsm8k", TaskType.NUMERICAL, RewardRule.NUMERIC),
    ],
)
def test_known_sources_name_their_task(source, task, rule) -> None:
    checked = check_row(verl(data_source=source), PLACE, RowsConfig())
    assert (checked.source.task_type, checked.source.reward_rule) == (task, rule)


def test_settings_name_the_task_of_other_sources_and_may_correct_known_ones() -> None:
    tasks = {"my/set": "multi_hop", "*": "numerical", "musique": "reading_comprehension"}
    config = RowsConfig(tasks=tasks)
    found = {
        name: check_row(verl(data_source=name), PLACE, config).source.task_type.value
        for name in ("my/set", "other", "musique", "multiple_choice")
        if name != "multiple_choice"
    }
    assert found == {
        "my/set": "multi_hop",
        "other": "numerical",
        "musique": "reading_comprehension",
    }


def test_unknown_source_is_refused_with_the_option_that_helps() -> None:
    said = refusal(verl(data_source="my/set"))
    assert said.startswith("rows.jsonl, row 7, column data_source: 'my/set'; expected one of ")
    assert "--task my/set=TASK" in said
    assert "--task TASK" in refusal(verl(data_source=None))


@pytest.mark.parametrize(
    ("answer", "source", "found"),
    [
        ("She had 3 and got 2.\n#### 5", "openai/gsm8k", "5"),
        ("(B) the second", "multiple_choice", "B"),
        ("Therefore, the answer is Paris.", "musique", "Paris"),
    ],
)
def test_answers_are_taken_out_of_what_stands_around_them(answer, source, found) -> None:
    row = verl(data_source=source, reward_model={"style": "rule", "ground_truth": answer})
    assert check_row(row, PLACE, RowsConfig()).answer == found


def test_solution_gives_its_last_box() -> None:
    row = {"prompt": ASK, "solution": r"First \boxed{1}, then \boxed{\text{7}}."}
    assert check_row(row, PLACE, RowsConfig(tasks={"*": "numerical"})).answer == "7"


def test_judge_is_told_the_question_and_never_the_document() -> None:
    config = RowsConfig()
    document = "<text>\nA long document.\n</text>\n\nWho wrote it?"
    asked = check_row(verl(prompt=[{"role": "user", "content": document}]), PLACE, config)
    assert asked.question == "Who wrote it?"
    stated = check_row(verl(extra_info={"question": "Who?"}), PLACE, config)
    assert stated.question == "Who?"
    long = [{"role": "user", "content": "x" * 10_000 + " Who?"}]
    assert check_row(verl(prompt=long), PLACE, config).question.endswith(" Who?")
    assert len(check_row(verl(prompt=long), PLACE, config).question) == 1_000


def test_suffix_ends_the_last_message_alone() -> None:
    chat = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
    row = check_row(verl(prompt=chat), PLACE, RowsConfig(suffix="\nSay it."))
    assert [message["content"] for message in row.messages] == ["s", "u\nSay it."]


@pytest.mark.parametrize("name", ["test", "val", "Validation", "held_out"])
def test_rows_that_say_so_are_held_out(name) -> None:
    assert check_row(verl(extra_info={"split": name}), PLACE, RowsConfig()).split is Split.HELD_OUT


@pytest.mark.parametrize(
    ("changes", "column", "value", "expected"),
    [
        ({"prompt": None}, "prompt", "nothing", "either prompt or messages"),
        ({"messages": []}, "prompt", "prompt and messages", "either"),
        ({"prompt": 5}, "prompt", "5", "a chat"),
        ({"prompt": []}, "prompt", "[]", "a chat"),
        ({"prompt": "  "}, "prompt.content", "  ", "some text"),
        ({"prompt": [{"role": "tool", "content": "x"}]}, "prompt.role", "tool", "one of system"),
        ({"prompt": ["x"]}, "prompt.role", "None", "one of system"),
        ({"prompt": [{"role": "user", "content": [1]}]}, "prompt.content", "[1]", "text"),
        (
            {"prompt": [{"role": "assistant", "content": "x"}]},
            "prompt.role",
            "assistant",
            "the last to be user",
        ),
        ({"prompt": "\ud800"}, "prompt.content", "surrogate", "valid Unicode"),
        ({"data_source": 5}, "data_source", "5", "text"),
        ({"reward_model": "5"}, "reward_model", "5", "style and ground_truth"),
        ({"reward_model": {}}, "reward_model.ground_truth", "nothing", "text"),
        (
            {"reward_model": {"ground_truth": {"target": ["5"]}}},
            "reward_model.ground_truth",
            "{'target': ['5']}",
            "text",
        ),
        ({"reward_model": None}, "answer", "nothing", "one of reward_model"),
        (
            {"reward_model": {"ground_truth": "x" * 1_001}},
            "reward_model.ground_truth",
            "1001 characters",
            "at most 1000",
        ),
        (
            {"data_source": "multiple_choice", "reward_model": {"ground_truth": "unknown"}},
            "reward_model.ground_truth",
            "unknown",
            "an answer for the rule choice",
        ),
    ],
)
def test_refusal_names_row_column_value_and_what_was_expected(
    changes, column, value, expected
) -> None:
    said = refusal(verl(**changes))
    assert said.startswith(f"rows.jsonl, row 7, column {column}: ")
    assert value in said
    assert expected in said


@pytest.mark.parametrize("answer", ["NaN", float("nan"), float("inf"), "many", "1/2", "3 to 4"])
def test_answer_of_a_numerical_row_must_be_a_number(answer) -> None:
    said = refusal(verl(reward_model={"ground_truth": answer}))
    assert said.startswith("rows.jsonl, row 7, column reward_model.ground_truth: ")
    assert str(answer) in said
    assert "expected one plain number" in said


@pytest.mark.parametrize("answer", ["1,024", "-3.5%", "$4", "yes", 0.25])
def test_numbers_and_truth_values_answer_numerical_rows(answer) -> None:
    checked = check_row(verl(reward_model={"ground_truth": answer}), PLACE, RowsConfig())
    assert checked.answer == str(answer)


def test_row_may_state_task_rule_and_split_in_columns_of_their_own() -> None:
    row = {"prompt": ASK, "answer": "five", "task_type": "numerical", "split": "held_out"}
    checked = check_row({**row, "reward_rule": "sequence_match"}, PLACE, RowsConfig())
    assert checked.source.task_type is TaskType.NUMERICAL
    assert checked.source.reward_rule is RewardRule.SEQUENCE_MATCH
    assert checked.split is Split.HELD_OUT
    # What `--task` says of all other rows is not of these.
    config = RowsConfig(tasks={"*": TaskType.MULTI_HOP})
    again = check_row({**row, "reward_rule": "sequence_match"}, PLACE, config)
    assert again.source == checked.source
    assert "column reward_rule: 'sum'; expected one of choice" in refusal(
        {**row, "reward_rule": "sum"}
    )


def test_row_that_is_no_object_is_refused() -> None:
    assert "column all: 'half a li'; expected a JSON object" in refusal("half a li")
