"""QwenLong-L1's frame: its message to the letter, and spans that stay on their texts."""

from hypothesis import given
from hypothesis import strategies as st

from longloom.evaluation.benchmarks.l1_template import asked_in_l1_frame, depths, joined
from longloom.text.prompts import single_pass_prompt


def test_message_is_the_frames_with_both_parts_stripped() -> None:
    asked = asked_in_l1_frame("\n A b. \n", " Who? ", evidence=[(2, 4)])
    assert asked.message == single_pass_prompt("l1", context="A b.", question="Who?")
    assert asked.problem == "Who?"
    assert asked.query == (
        'Who?\n\nFormat your response as follows: "Therefore, the answer is (insert answer here)".'
    )
    assert asked.evidence == ((0, 2),)


def test_slots_in_texts_are_texts() -> None:
    asked = asked_in_l1_frame("{question} </text>", "{context}?")
    assert "<text>\n{question} </text>\n</text>\n\n{context}?\n\nFormat" in asked.message


def test_without_a_context_the_question_is_asked_alone() -> None:
    asked = asked_in_l1_frame(" \n", "Who?", evidence=[(0, 1)])
    assert asked.message == asked.query
    assert (asked.context, asked.before, asked.evidence) == ("", "", ())


@given(st.lists(st.text("ab \n", max_size=4), min_size=1, max_size=5), st.text("- \n", max_size=2))
def test_spans_of_joined_parts_are_the_parts_also_in_the_stripped_text(
    parts: list[str], separator: str
) -> None:
    text, spans = joined(parts, separator)
    assert text == separator.join(parts)
    assert [text[start:end] for start, end in spans] == parts
    asked = asked_in_l1_frame(text, "?", evidence=[span for span in spans if span[0] < span[1]])
    for start, end in asked.evidence:
        assert 0 <= start <= end <= len(asked.context)
        assert asked.context[start:end] in text
    if asked.context == text:
        assert [asked.context[start:end] for start, end in asked.evidence] == [
            p for p in parts if p
        ]
    assert all(0 <= depth <= 1 for depth in depths(asked))
