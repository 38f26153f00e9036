"""Comparisons by algebra in processes: what they say, what kills them, and that none is left."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from longloom.errors import ConfigError, MissingDependencyError
from longloom.evaluation.scoring import math_workers
from longloom.evaluation.scoring.math_workers import MathWorkers
from longloom.evaluation.scoring.mathematics import score_mathematics

ENDLESS = "9^{9^{9^{9}}}"
HOSTILE = (
    "\x00 \ud800 \u202e",
    "__import__('os').abort()",
    "\\frac{" * 60 + "1" + "}{2}" * 60,
    "{}" * 1_000,
)


@pytest.fixture(scope="module")
def workers():
    with MathWorkers() as opened:
        yield opened


def children():
    """Return the ids of this process's children, dead but unread ones included."""
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        return set(file.read().split())


@pytest.mark.parametrize(
    ("prediction", "gold", "is_equal"),
    [
        ("\\frac{1}{2}", "0.5", True),
        ("x=5", "5", True),
        ("2\\sqrt{2}", "\\sqrt{8}", True),
        ("\\{2, 1\\}", "\\{1, 2\\}", True),
        ("x+1", "x-1", False),
    ],
)
def test_equal_formulas_are_equal(workers, prediction, gold, is_equal):
    assert workers.is_equal(prediction, gold) is is_equal


def test_score_asks_the_workers(workers):
    score = score_mathematics("\\boxed{\\sqrt{8}}", ["2\\sqrt{2}"], by_algebra=workers.is_equal)
    assert (score.parity, score.strict) == (0, 1)


def test_hostile_formulas_are_no_error():
    with MathWorkers(limit_seconds=0.3) as workers:
        assert not any(workers.is_equal(text, "5") for text in HOSTILE)


def test_too_long_and_too_deep_formulas_reach_no_worker():
    before = children()
    with MathWorkers() as workers:
        assert workers.is_equal("1" * 1_000_000, "1") is None
        assert workers.is_equal("{" * 10_000, "1") is None
        assert workers.counts == {"refused": 2}
        assert children() == before


def test_endless_formula_costs_its_worker_and_the_next_one_is_served():
    before = children()
    with MathWorkers(limit_seconds=0.3) as workers:
        assert workers.is_equal(ENDLESS, "3") is None
        assert children() == before
        assert workers.is_equal("2^2", "4") is True
        assert workers.counts == {"lost": 1, "compared": 1}
        assert len(children() - before) == 1
    assert children() == before


def test_worker_that_dies_is_an_undecided_answer(monkeypatch, tmp_path):
    script = tmp_path / "worker.py"
    script.write_text("import sys\nprint('{\"ready\": true}', flush=True)\nsys.stdin.readline()\n")
    monkeypatch.setattr(math_workers, "_SCRIPT", script)
    with MathWorkers() as workers:
        assert workers.is_equal("1", "1") is None
        assert workers.counts == {"lost": 1}


@pytest.mark.parametrize("line", ["nonsense", "[]", "x" * 1_000, '{"ready": true}'])
def test_worker_that_answers_nonsense_is_an_undecided_answer(monkeypatch, tmp_path, line):
    script = tmp_path / "worker.py"
    script.write_text(f"print('{{\"ready\": true}}', flush=True)\ninput()\nprint({line!r})\n")
    monkeypatch.setattr(math_workers, "_SCRIPT", script)
    with MathWorkers() as workers:
        assert workers.is_equal("1", "1") is None
        assert workers.counts == {"lost": 1}


def test_several_threads_share_the_workers():
    golds = [str(number) for number in range(8)]
    with MathWorkers(2) as workers, ThreadPoolExecutor(4) as threads:
        verdicts = list(threads.map(workers.is_equal, ["3"] * 8, golds))
    assert verdicts == [gold == "3" for gold in golds]


def test_no_workers_are_refused():
    with pytest.raises(ConfigError, match="num_workers is 0; expected at least 1"):
        MathWorkers(0)


def test_missing_math_verify_names_the_pip_line(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'longloom\[eval\]'"):
        MathWorkers()
