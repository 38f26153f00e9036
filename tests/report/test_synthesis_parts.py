from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from longloom.report.column_chart import ColumnChart, compact, render_columns
from longloom.report.excerpts import cut_excerpts
from longloom.report.program_drawing import describe_answers, draw_program, draw_shape
from longloom.report.synthesis_sample import balanced_sample
from longloom.report.synthesis_tables import number_columns


@st.composite
def marked_texts(draw: st.DrawFn) -> tuple[str, list[tuple[int, int]]]:
    text = draw(st.text(alphabet="ab \n", min_size=1, max_size=80))
    starts = draw(st.lists(st.integers(0, len(text) - 1), min_size=1, max_size=5))
    return text, [(start, draw(st.integers(start + 1, len(text)))) for start in starts]


@given(marked_texts(), st.integers(0, 30))
def test_excerpts_are_parts_of_the_text_and_mark_exactly_the_evidence(
    marked: tuple[str, list[tuple[int, int]]], reach: int
) -> None:
    text, spans = marked
    excerpts = cut_excerpts(text, {"d": spans}, {"d": (0, len(text))}, reach=reach)
    places = set()
    for excerpt in excerpts:
        position = excerpt.start
        for kind, piece in excerpt.segments:
            assert text[position : position + len(piece)] == piece
            if kind == "evidence":
                places |= set(range(position, position + len(piece)))
            position += len(piece)
    assert places == {place for start, end in spans for place in range(start, end)}
    assert sum(excerpt.num_spans for excerpt in excerpts) == len(spans)


def test_excerpt_ends_with_its_document() -> None:
    text = "first one.\n\nsecond two.\n\nthird three."
    (excerpt,) = cut_excerpts(text, {"d": [(19, 22)]}, {"d": (12, 23)}, reach=300)
    assert excerpt.segments == (("plain", "second "), ("evidence", "two"), ("plain", "."))
    assert excerpt.depth_fraction == 19 / 37


def test_evidence_outside_its_document_is_left_out() -> None:
    assert cut_excerpts("one two", {"d": [(4, 7)]}, {"d": (0, 3)}, reach=5) == []


def test_every_task_and_genre_comes_before_any_comes_thrice() -> None:
    keys = [("a", "x", "q", 1)] * 50 + [("a", "y", "q", 1)] * 2 + [("b", "x", "q", 2)] * 3
    chosen = Counter(keys[place][:2] for place in balanced_sample(keys, 8))
    assert chosen == {("a", "x"): 3, ("a", "y"): 2, ("b", "x"): 3}


@given(st.integers(0, 30), st.integers(0, 9))
def test_sample_holds_no_place_twice_and_repeats_with_its_seed(num_wanted: int, seed: int) -> None:
    keys = [("ab"[n % 2], "xyz"[n % 3], "pq"[n % 4 // 2], n % 5) for n in range(20)]
    chosen = balanced_sample(keys, num_wanted, seed=seed)
    assert len(set(chosen)) == len(chosen) == min(20, num_wanted)
    assert chosen == balanced_sample(keys, num_wanted, seed=seed)


def test_text_that_is_no_program_is_one_plain_line() -> None:
    (line,) = draw_program("not JSON <b>")
    assert (line.depth, line.step, line.parts) == (0, "not JSON <b>", ())


def test_program_of_unknown_steps_is_drawn_all_the_same() -> None:
    lines = draw_program('{"kind": "chain_of", "through": {"op": "hop", "length": 3}}')
    assert [(line.depth, line.role, line.step) for line in lines] == [
        (0, "", "chain of"),
        (1, "through", "hop"),
    ]
    assert lines[1].parts == (("setting", "length", "3"),)


def test_deep_program_is_cut_not_recursed_into() -> None:
    lines = draw_program('{"op":"a","of":' * 900 + '{"op":"a"}' + "}" * 900)
    assert len(lines) == 121
    assert lines[-1].step == "... and 1 more branches"


def test_shape_shows_its_constants_as_slots() -> None:
    (line,) = draw_shape('{"op": "named"}')
    assert line.parts == (("slot", "entity", ""),)


def test_many_answers_are_counted() -> None:
    assert describe_answers(["b", "a"]) == "a; b"
    assert describe_answers("dcba") == "4 found: a; b; c; ..."
    assert describe_answers([]) == "nothing"
    assert describe_answers(["1.4210526315"]) == "1.421052..."


def test_many_documents_end_in_one_column() -> None:
    assert number_columns({1: 5, 3: 2}) == (("1", 5), ("2", 0), ("3", 2))
    assert number_columns({7: 5, 8: 1, 12: 2}) == (("7", 5), ("8+", 3))
    assert number_columns({}) == ()


def test_column_heights_are_in_proportion_and_labels_escaped() -> None:
    svg = render_columns(ColumnChart(title="<t>", columns=(("<a>", 10), ("b", 5))))
    assert "<t>" not in svg
    assert "&lt;a&gt;" in svg
    assert 'height="154.0"' in svg  # 220 less 24 above and 42 below
    assert 'height="77.0"' in svg
    assert render_columns(ColumnChart(title="t", columns=(("a", 0),))) == ""


def test_counts_are_written_shortly() -> None:
    assert [compact(n) for n in (7, 999, 1_234, 99_600, 2_500_000)] == [
        "7", "999", "1.2K", "100K", "2.5M",
    ]  # fmt: skip
