"""Calls are read out of replies; nothing is executed and nothing takes long."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longloom.evaluation.benchmarks.bfcl_memory.calls import (
    MAX_CALLS,
    MAX_CHARACTERS,
    Call,
    parse_calls,
)


def test_the_official_form_is_read() -> None:
    reply = "[core_memory_add(key='name', value=\"Ann's cat\"), core_memory_list_keys()]"
    assert parse_calls(reply) == (
        Call(name="core_memory_add", arguments={"key": "name", "value": "Ann's cat"}),
        Call(name="core_memory_list_keys", arguments={}),
    )


@pytest.mark.parametrize(
    ("reply", "arguments"),
    [
        ("f(a=1, b=-2.5, c=True, d=None)", {"a": 1, "b": -2.5, "c": True, "d": None}),
        (
            "[f(a=[1, 'x', (2,)], b={'k': 'v', 3: []})]",
            {"a": [1, "x", [2]], "b": {"k": "v", "3": []}},
        ),
        ("```python\n[f(a='x')]\n```", {"a": "x"}),
        ("`[f(a='x')]`", {"a": "x"}),
        ("[f(a='one ' 'two')]", {"a": "one two"}),
        ('[f(a="""two\n"lines" end""")]', {"a": 'two\n"lines" end'}),
        (r"[f(a='tab\t \x41\u00e9 \q')]", {"a": "tab\t Aé \\q"}),
        (r"[f(a=r'C:\new')]", {"a": r"C:\new"}),
        (r"[f(a='half \ud800')]", {"a": "half \ufffd"}),
        ("[f(a=word)]", {"a": "word"}),
        ("[f(a='x',)]", {"a": "x"}),
        ('{"name": "f", "arguments": {"a": "x"}}', {"a": "x"}),
        ('[{"name": "f", "parameters": {"a": 2}}]', {"a": 2}),
        ('<tool_call>\n{"name": "f", "arguments": {"a": "x"}}\n</tool_call>', {"a": "x"}),
    ],
)
def test_other_forms_are_read(reply: str, arguments: dict[str, object]) -> None:
    assert parse_calls(reply) == (Call(name="f", arguments=arguments),)


def test_several_blocks_are_several_calls() -> None:
    block = '<tool_call>{"name": "f", "arguments": {}}</tool_call>'
    assert parse_calls(f"{block}\n {block}") == (Call(name="f", arguments={}),) * 2


def test_an_empty_list_is_no_call_at_all() -> None:
    assert parse_calls("[]") == ()


def test_arguments_without_a_name_are_counted() -> None:
    assert parse_calls("[f('x', a=1)]") == (Call(name="f", arguments={"a": 1}, num_unnamed=1),)


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "Lisbon.",
        "{'answer': 'Lisbon', 'context': 'she said so'}",
        '{"answer": "Lisbon", "context": "she said so"}',
        "I call [f(a=1)] now",
        "[f(a=1)] done",
        "f(a=1) f(a=2)",
        "[f(a=__import__('os').system('true'))]",
        "[f(a=g(b=1))]",
        "[f(a='x' + 'y')]",
        "[f(a=f'{x}')]",
        "[f(a=1, a=2)]",
        "[f(a='unclosed)]",
        "[f(a='broken\nline')]",
        "[f(a=1",
        "<tool_call>f</tool_call>",
        "<tool_call>{}",
        r"[f(a='\U00110000')]",
    ],
)
def test_everything_else_is_an_answer(reply: str) -> None:
    assert parse_calls(reply) is None


def test_a_call_is_written_as_python_writes_it() -> None:
    assert str(Call(name="f", arguments={"a": "it's", "b": 1})) == 'f(a="it\'s", b=1)'


def test_length_number_and_nesting_are_bounded() -> None:
    assert parse_calls(f"[f(a='{'x' * MAX_CHARACTERS}')]") is None
    assert parse_calls(f"[{', '.join(['f()'] * MAX_CALLS)}]") is not None
    assert parse_calls(f"[{', '.join(['f()'] * (MAX_CALLS + 1))}]") is None
    assert parse_calls(f"[f(a={'[' * 9}{']' * 9})]") is not None
    assert parse_calls(f"[f(a={'[' * 12}{']' * 12})]") is None
    assert parse_calls(f"[f(a={'9' * 200})]") is None


@pytest.mark.parametrize(
    "part",
    ["'", '"', "'''", "\\", "(", "[", "{", "f(", "a=", "-", "- ", " ", "\n", "f(a=", "9", "a."],
)
def test_hostile_replies_take_no_time(part: str) -> None:
    reply = ("[f(a=" + part * MAX_CHARACTERS)[: MAX_CHARACTERS - 1]
    started = time.perf_counter()
    parse_calls(reply)
    parse_calls(part * (MAX_CHARACTERS // len(part)))
    assert time.perf_counter() - started < 1.0


@given(st.text(alphabet="[](){}'\"\\=,:-.frab19 \n`<>tool_call/", max_size=60))
def test_no_reply_raises(reply: str) -> None:
    calls = parse_calls(reply)
    assert calls is None or all(isinstance(call, Call) for call in calls)


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,8}", fullmatch=True).filter(
            lambda name: name not in ("true", "false", "null")
        ),
        st.one_of(st.text(), st.integers(-(10**20), 10**20), st.booleans(), st.none()),
        max_size=4,
    )
)
def test_what_is_written_is_read_again(arguments: dict[str, object]) -> None:
    call = Call(name="f", arguments=arguments)
    kept = {
        name: value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
        for name, value in arguments.items()
    }
    assert parse_calls(f"[{call}]") == (Call(name="f", arguments=kept),)
