import pytest
from hypothesis import given
from hypothesis import strategies as st

from longloom.errors import DataError
from longloom.synthesis.miniature.fact import Fact
from longloom.synthesis.miniature.programs import (
    Chain,
    Choice,
    Difference,
    FactTable,
    Maximum,
    Reply,
    Sum,
    execute,
    from_json,
    to_json,
    trace,
)
from longloom.synthesis.miniature.questions import word_question


def _facts(*statements: str) -> FactTable:
    names = {"base": "inherits", "module": "defined_in", "callee": "calls"}
    facts = []
    for place, line in enumerate(statements):
        word, subject, value = line.split()
        facts.append(
            Fact(
                subject=subject,
                relation=names.get(word, word),
                value=value,
                is_number=value.isdigit(),
                doc_id=f"d{place}",
                start=100 * place,
                end=100 * place + len(line),
                certainty=2,
            )
        )
    return FactTable(facts)


FACTS = _facts(
    "base OrderedDict dict",
    "module dict builtins",
    "parameters f 2",
    "parameters g 5",
    "base Both A",
    "base Both B",
    "module A m",
    "module B m",
    "base Odd X",
)


@pytest.mark.parametrize(
    ("program", "answers"),
    [
        (Chain("OrderedDict", ("inherits",)), {"dict"}),
        (Chain("OrderedDict", ("inherits", "defined_in")), {"builtins"}),
        (Chain("Both", ("inherits",)), {"A", "B"}),
        (Chain("Both", ("inherits", "defined_in")), {"m"}),
        (Chain("nobody", ("inherits",)), set()),
        (Sum(Chain("f", ("parameters",)), Chain("g", ("parameters",))), {"7"}),
        (Difference(Chain("g", ("parameters",)), Chain("f", ("parameters",))), {"3"}),
        (Maximum(Chain("f", ("parameters",)), Chain("g", ("parameters",))), {"5"}),
        (Sum(Chain("f", ("parameters",)), Chain("Odd", ("inherits",))), set()),
        (Choice(Chain("OrderedDict", ("inherits",)), ("x", "dict", "y", "z")), {"B"}),
        (Choice(Chain("nobody", ("inherits",)), ("x", "dict", "y", "z")), set()),
        (Reply("class", 2), {"base Both A"}),
        (Reply("class", 5), set()),
        (Reply("class", 0), set()),
    ],
)
def test_execution_by_hand(program, answers) -> None:
    assert execute(program, FACTS) == answers


def test_trace_follows_the_order_of_use() -> None:
    chain = Chain("OrderedDict", ("inherits", "defined_in"))
    assert [fact.value for fact in trace(chain, FACTS)] == ["dict", "builtins"]
    total = Sum(Chain("g", ("parameters",)), Chain("f", ("parameters",)))
    assert [fact.subject for fact in trace(total, FACTS)] == ["g", "f"]
    assert [fact.value for fact in trace(Reply("class", 1), FACTS)] == ["dict"]


@pytest.mark.parametrize(
    ("program", "question"),
    [
        (Chain("OrderedDict", ("inherits",)), "What is the base of OrderedDict?"),
        (
            Chain("OrderedDict", ("inherits", "defined_in")),
            "What is the module of the base of OrderedDict?",
        ),
        (Reply("error", 2), "What is the second reply about an error?"),
        (
            Choice(Chain("f", ("calls",)), ("a", "b", "c", "d")),
            "What is the callee of f?\nA. a\nB. b\nC. c\nD. d",
        ),
        (
            Maximum(Chain("f", ("size",)), Chain("g", ("size",))),
            "What is the maximum of the size of f and the size of g?",
        ),
    ],
)
def test_wording(program, question: str) -> None:
    assert word_question(program) == question


_names = st.text(min_size=1, max_size=8)
_chains = st.tuples(_names, st.lists(_names, max_size=3).map(tuple))


@given(
    st.sampled_from(["chain", "choice", "reply", "sum"]),
    _chains,
    _chains,
    st.lists(_names, min_size=4, max_size=4).map(tuple),
    st.integers(),
)
def test_json_brings_the_same_program_back(kind, first, second, options, ordinal) -> None:
    program = {
        "chain": Chain(*first),
        "choice": Choice(Chain(*first), options),
        "reply": Reply(first[0], ordinal),
        "sum": Sum(Chain(*first), Chain(*second)),
    }[kind]
    assert from_json(to_json(program)) == program


@pytest.mark.parametrize("operation", [Sum, Difference, Maximum])
def test_json_keeps_operations_apart(operation) -> None:
    program = operation(Chain("f", ("parameters",)), Chain("g", ("parameters",)))
    assert from_json(to_json(program)) == program


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"kind":"import os"}',
        '{"kind":"chain","subject":1,"relations":[]}',
        '{"kind":"chain","subject":"f","relations":"ab"}',
        '{"kind":"reply","topic":"x","ordinal":true}',
        '{"kind":"sum","first":{"kind":"sum"},"second":1}',
        "[" * 100_000,
    ],
)
def test_damaged_program_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        from_json(text)


_edges = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), max_size=10)


@given(_edges, st.integers(min_value=1, max_value=3))
def test_chain_equals_all_walks(edges, num_hops: int) -> None:
    walks = {"a"}
    for _ in range(num_hops):
        walks = {end for start, end in edges if start in walks}
    table = _facts(*(f"base {start} {end}" for start, end in edges))
    assert execute(Chain("a", ("inherits",) * num_hops), table) == walks
