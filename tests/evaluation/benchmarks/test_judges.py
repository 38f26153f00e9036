"""What judges are shown: the stated answer, the whole reply where none was, and the first gold."""

import pytest

from longloom.evaluation.benchmark import JudgeRule
from longloom.evaluation.benchmarks.judges import CORPUSQA, DOCMATH, FRAMES, QWENLONG
from longloom.evaluation.questions import Asked, Question
from longloom.evaluation.scoring.score import Score
from longloom.rewards.judge import Verdict

QUESTION = Question(question_id="q", golds=("Elmsby", "the town of Elmsby"))
ASKED = Asked(context="c", query="Which town? Form.", problem="Which town?")
NONE = Score(parity=0.0, strict=0.0)


@pytest.mark.parametrize(
    ("rule", "score", "shown"),
    [
        (QWENLONG, Score(parity=0.0, strict=0.0, extracted="Oslo"), "Oslo"),
        (QWENLONG, Score(parity=0.0, strict=0.0, parity_extracted="Rome"), "Rome"),
        (QWENLONG, NONE, "None"),
        (DOCMATH, NONE, "I say 7."),
        (CORPUSQA, NONE, "I say 7."),
        (FRAMES, Score(parity=0.0, strict=0.0, extracted="Oslo"), "I say 7."),
    ],
)
def test_judge_sees_question_answer_and_first_gold(
    rule: JudgeRule, score: Score, shown: str
) -> None:
    prompt = rule.prompt(QUESTION, ASKED, score, "I say 7.")
    for part in ("Which town?", shown, "Elmsby"):
        assert part in prompt.user
    assert "the town of Elmsby" not in prompt.user
    assert "Form." not in prompt.user


def test_query_is_shown_where_there_is_no_problem() -> None:
    bare = Asked(context="", query="Which river?")
    assert "Which river?" in QWENLONG.prompt(QUESTION, bare, NONE, "").user


@pytest.mark.parametrize("rule", [QWENLONG, DOCMATH, CORPUSQA])
def test_verdicts_are_read_by_the_rule_of_the_benchmark(rule: JudgeRule) -> None:
    assert rule.parse("They agree. [[YES]]").parity
    assert rule.parse("They agree. [[YES]]").strict is Verdict.YES
    assert rule.parse("[[NO]]").strict is Verdict.NO
    assert rule.parse("YES would be wrong: [[NO]]").parity is (rule is not CORPUSQA)
