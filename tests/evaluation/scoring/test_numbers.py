"""Arithmetic without eval, DocMath, mathematics: what is a number, and when two are the same."""

import ast
import random
import re

import pytest

from longloom.evaluation.scoring import arithmetic, docmath, mathematics
from longloom.evaluation.scoring.arithmetic import evaluate


def both(score):
    return score.parity, score.strict


def python_value(text):
    """Compute a tree of Python's own parser: what `eval` would give, for operators alone."""

    def value(node):
        match node:
            case ast.Expression():
                return value(node.body)
            case ast.Constant():
                return node.value
            case ast.UnaryOp(op=ast.USub()):
                return -value(node.operand)
            case ast.UnaryOp():
                return +value(node.operand)
            case ast.BinOp():
                left, right = value(node.left), value(node.right)
                return OPERATORS[type(node.op)](left, right)
            case _:
                raise ValueError

    try:
        return value(ast.parse(text.strip(), mode="eval"))
    except (SyntaxError, ValueError, ArithmeticError, TypeError):
        return None


OPERATORS = {
    ast.Add: lambda a, b: a + b,
    ast.BitXor: lambda a, b: a ^ b,
    ast.Div: lambda a, b: a / b,
    ast.FloorDiv: lambda a, b: a // b,
    ast.Mod: lambda a, b: a % b,
    ast.Mult: lambda a, b: a * b,
    ast.Pow: lambda a, b: (a**b).real,
    ast.Sub: lambda a, b: a - b,
}


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_arithmetic_equals_pythons_own():
    generator = random.Random(5)
    pieces = ["1", "2", "0", "3.5", ".", "-", "+", "*", "/", "//", "(", ")", " ", "e", "^", "%"]
    num_values = 0
    for _ in range(6_000):
        num_pieces = generator.randint(2, 5)
        text = "".join(generator.choice([*pieces, "**", "1_0"]) for _ in range(num_pieces))
        # Two powers in a row may be beyond any bound; an exponent with an underscore is not read.
        if text.count("**") > 1 or ("e" in text and "_" in text) or re.search(r"\d{4}", text):
            continue
        expected = python_value(text)
        if isinstance(expected, int) and expected.bit_length() > arithmetic.MAX_BITS:
            continue
        assert evaluate(text) == expected, text
        num_values += expected is not None
    assert num_values > 200


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-2**2", -4),
        ("2**-1", 0.5),
        ("2**3**2", 512),
        ("2^3", 1),
        ("math.pow(10, 2)*3", 300),
        ("True", 1),
        ("1_000", 1000),
    ],
)
def test_arithmetic_by_hand(text, value):
    assert evaluate(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "007",
        "5 6",
        "1/0",
        "abc",
        "max(1, 2)",
        "[1, 2]",
        "1,2",
        "9**9**9",
        "2**4097",
        "(-8)"[:3],
    ],
)
def test_what_is_no_arithmetic_or_beyond_the_bounds_is_none(text):
    assert evaluate(text) is None


def test_arithmetic_is_bounded_in_characters_nesting_and_bits():
    deepest = arithmetic.MAX_NESTING
    assert evaluate("(" * deepest + "1" + ")" * deepest) == 1
    assert evaluate("(" * (deepest + 1) + "1" + ")" * (deepest + 1)) is None
    assert evaluate("1" * arithmetic.MAX_CHARACTERS) == int("1" * 200)
    assert evaluate("1" * (arithmetic.MAX_CHARACTERS + 1)) is None
    assert evaluate("2**2000*2**2000") == 2**4000
    assert evaluate("2**2048*2**2048") is None


def docmath_score(answer, gold):
    return both(docmath.score_docmath(f"Therefore, the answer is {answer}.", [gold]))


@pytest.mark.parametrize(
    ("reason", "answer", "gold", "expected"),
    [
        ("within 0.15 percent", "7.55", "7.54", (1, 1)),
        ("percent scaling", "0.1234", "12.34", (1, 1)),
        ("percent scaling", "1234%", "12.34", (1, 1)),
        ("wrong sign", "-7.54", "7.54", (1, 0)),
        ("any power of ten", "7540", "7.54", (1, 0)),
        ("equal after rounding up to 2 decimals", "0.001", "0.004", (1, 0)),
        ("a word before the number", "about 7.54", "7.54", (0, 1)),
        ("a unit", "7.54 million dollars", "7.54", (1, 1)),
        ("two numbers", "7.54 or 8", "7.54", (1, 1)),
        ("two numbers and no choice", "between 7 and 7.54", "7", (0, 0)),
        ("nothing but a yes", "yes", "yes", (0, 1)),
        ("a small gold in powers", "0.00002", "2e-05", (1, 1)),
        ("a wrong number", "8", "7.54", (0, 0)),
    ],
)
def test_strict_docmath_wants_the_number_itself(reason, answer, gold, expected):
    assert docmath_score(answer, gold) == expected, reason


def test_strict_docmath_takes_no_text_for_zero():
    assert docmath.l1_accuracy("abc", "0")
    assert both(docmath.score_docmath("the answer is abc", ["0"])) == (0, 0)


def test_official_docmath_rounds_up_at_3_decimals_and_l1_at_2():
    score = docmath.score_docmath("the answer is 0.001", ["0.004"])
    assert (score.parity, score.parts["official"]) == (1, 0)


def test_lists_and_texts_are_no_zero():
    for answer in ("[1,2]", "(1, 2)", "'a'", "(a)"):
        assert not docmath.l1_accuracy(answer, "0"), answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("so \\boxed{20\\text{4}} and \\boxed{113}.", "113"),
        ("\\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
        ("\\boxed{204} or \\boxed{20", "204"),
        ("Answer: 5\nthen\n**ANSWER: 204**", "204"),
        ("Therefore, the answer is 7.", "7"),
        ("204", None),
        ("\\boxed{}", None),
        ("<think>\\boxed{1}", None),
    ],
)
def test_final_answer_is_the_last_closed_box_or_the_last_stated(text, answer):
    assert mathematics.extract_final_answer(text) == answer


@pytest.mark.parametrize(
    ("answer", "gold", "expected"),
    [
        ("204", "204", (1, 1)),
        ("070", "70", (1, 1)),
        ("204.0", "204", (0, 1)),
        ("1,234", "1234", (0, 1)),
        ("-3", "3", (0, 0)),
        ("$\\dfrac{1}{2}$", "0.5", (0, 1)),
        ("2/4", "\\frac{1}{2}", (0, 1)),
        ("0.33", "1/3", (0, 0)),
    ],
)
def test_strict_mathematics_compares_values(answer, gold, expected):
    score = mathematics.score_mathematics(f"\\boxed{{{answer}}}", [gold])
    assert both(score) == expected
    assert score.parts["undecided"] == 0


def test_what_is_no_number_is_left_to_algebra():
    asked = []

    def by_algebra(prediction, gold):
        asked.append((prediction, gold))
        return True

    reply = "\\boxed{(x+1)^2}"
    assert both(mathematics.score_mathematics(reply, ["x^2"], by_algebra=by_algebra)) == (0, 1)
    assert asked == [("(x+1)^2", "x^2")]
    undecided = mathematics.score_mathematics(reply, ["x^2"], by_algebra=lambda *_: None)
    assert (undecided.strict, undecided.parts["undecided"]) == (0, 1)
    assert mathematics.score_mathematics(reply, ["x^2"]).parts["undecided"] == 1


def test_numbers_never_reach_algebra():
    def refuse(prediction, gold):
        raise AssertionError((prediction, gold))

    mathematics.score_mathematics("\\boxed{3}", ["4"], by_algebra=refuse)


def test_long_and_deep_answers_are_not_compared_by_algebra():
    assert mathematics.is_comparable("{" * 64 + "x" * 1_000 + "}" * 64)
    assert not mathematics.is_comparable("{" * 65 + "}" * 65)
    assert not mathematics.is_comparable("x" * 2_001)
