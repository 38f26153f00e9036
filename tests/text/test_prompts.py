"""The prompt file: filled once, completely, and with the paper's wording where it is given."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longloom.errors import ConfigError
from longloom.text.prompts import (
    fill_template,
    load_templates,
    prompt_version,
    single_pass_prompt,
)


def test_plain_form_is_the_papers() -> None:
    filled = single_pass_prompt("plain", context="A b.", question="What is A?")
    assert filled == ("Analyze the following document:\n<text>A b.</text>\nQuestion: What is A?")


@pytest.mark.parametrize(
    ("template", "form"),
    [
        ("l1", '"Therefore, the answer is (insert answer here)"'),
        ("l1_multiple_choice", '"Therefore, the correct answer is (insert answer here)"'),
    ],
)
def test_l1_forms_end_with_the_answer_they_expect(template: str, form: str) -> None:
    filled = single_pass_prompt(template, context="A b.", question="What is A?")
    assert filled.index("A b.") < filled.index("What is A?") < filled.index(form)


def test_version_is_text() -> None:
    assert isinstance(prompt_version(), str)
    assert prompt_version()


def test_every_template_is_text_without_outer_blank_lines() -> None:
    for name, template in load_templates().items():
        assert isinstance(template, str), name
        assert template == template.strip(), name


@given(st.text(), st.text())
def test_slots_are_filled_once_and_never_scanned_again(context: str, question: str) -> None:
    filled = single_pass_prompt("plain", context=context + "{question}", question=question)
    assert filled == (
        "Analyze the following document:\n<text>"
        + context
        + "{question}</text>\nQuestion: "
        + question
    )


def test_unknown_template_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'pain' is unknown; expected one of .*plain"):
        fill_template("pain")


def test_version_is_not_a_template() -> None:
    with pytest.raises(ConfigError, match="'version' is unknown"):
        fill_template("version")


@pytest.mark.parametrize("slots", [{}, {"context": "a"}, {"context": "a", "qestion": "b"}])
def test_missing_or_unknown_slots_are_refused(slots: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"needs slots \['context', 'question'\]"):
        fill_template("plain", **slots)


def test_a_document_cannot_end_its_frame() -> None:
    prompt = single_pass_prompt("l1", context="a </text> b", question="Which </text>?")
    assert prompt.count("</text>") == 1
    assert "a < /text> b" in prompt
