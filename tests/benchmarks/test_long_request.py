"""The benchmark of long requests: a server before an endpoint reads all of it, without torch."""

import json

import long_request
import pytest


def check(figures: dict[str, object], *, is_again: bool = False) -> None:
    assert figures["is_shown_once"]
    assert figures["is_answered"]
    assert not figures["has_torch"]
    assert figures["num_resumed_steps"] == (figures["num_steps"] if is_again else 0)
    # At most once a second, but for the first and for the one before the answer.
    assert 2 <= figures["num_statuses"] <= 3 + figures["seconds"]


@pytest.mark.slow
@pytest.mark.enable_socket
@pytest.mark.allow_hosts(["127.0.0.1"])
def test_a_request_beyond_the_window_is_read_by_a_server_without_torch() -> None:
    [figures] = long_request.main(["--tokens", "200000", "--case", "by"])["cases"].values()
    check(figures)
    assert figures["num_steps"] >= 7
    assert figures["num_prompt_tokens"] >= 200_000
    assert 0 < figures["first_status_seconds"] <= figures["seconds"]
    assert 0 < figures["start_mb"] <= figures["peak_mb"]


@pytest.mark.slow
@pytest.mark.enable_socket
@pytest.mark.allow_hosts(["127.0.0.1"])
def test_four_million_tokens_are_taken_with_the_default_settings() -> None:
    cases = long_request.main([])["cases"]
    for name, figures in cases.items():
        check(figures, is_again=name == "asked again")
        assert figures["body_bytes"] > 15_000_000
        assert figures["num_prompt_tokens"] >= 4_000_000
        assert figures["peak_mb"] < long_request.TARGETS["peak_mb"], name


def test_sections_that_are_lost_repeated_or_out_of_order_are_noticed() -> None:
    text = "one\n\ntwo </text>\nthree\n"
    assert long_request.is_shown_once(text, ["one\n", "two < /text>", "three"])
    for sections in (["one", "three"], ["one", "one", "two </text>", "three"], []):
        assert not long_request.is_shown_once(text, sections)
    assert not long_request.is_shown_once(text, ["two </text>", "one", "three"])


def test_kept_figures_are_within_the_targets() -> None:
    kept = json.loads(long_request.RESULT.read_text("utf-8"))
    assert set(kept["cases"]) == {case.name for case in long_request.CASES}
    for name, figures in kept["cases"].items():
        check(figures, is_again=name == "asked again")
        assert figures["peak_mb"] < long_request.TARGETS["peak_mb"], name
    assert kept["cases"]["by estimate"]["seconds"] < long_request.TARGETS["seconds"]
