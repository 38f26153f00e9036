"""The 21 datasets of LongBench v1: figures of `config/dataset2maxlen.json`, `pred.py` and its page.

A table of data.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """What is particular about one dataset."""

    num_questions: int
    """In its file."""
    max_new_tokens: int
    """Limit of its answers."""
    template: str
    """Our prompt for it: `longbench_v1_...` in `text/prompts.yaml`."""
    num_even: int = 0
    """Questions of it in LongBench-E; 0 if it is not there."""
    is_chat: bool = True
    """Whether the original puts its prompt into a chat template."""
    asks_ahead: bool = False
    """Whether the prompt says what to do only ahead of the context."""


DATASETS: Mapping[str, Dataset] = {
    "2wikimqa": Dataset(num_questions=200, max_new_tokens=32, template="passages", num_even=300),
    "dureader": Dataset(num_questions=200, max_new_tokens=128, template="passages_zh"),
    "gov_report": Dataset(num_questions=200, max_new_tokens=512, template="report", num_even=300),
    "hotpotqa": Dataset(num_questions=200, max_new_tokens=32, template="passages", num_even=300),
    "lcc": Dataset(
        num_questions=500,
        max_new_tokens=64,
        template="code",
        num_even=300,
        is_chat=False,
        asks_ahead=True,
    ),
    "lsht": Dataset(
        num_questions=200,
        max_new_tokens=64,
        template="news_type_zh",
        is_chat=False,
        asks_ahead=True,
    ),
    "multi_news": Dataset(num_questions=200, max_new_tokens=512, template="news", num_even=294),
    "multifieldqa_en": Dataset(num_questions=150, max_new_tokens=64, template="text", num_even=150),
    "multifieldqa_zh": Dataset(num_questions=200, max_new_tokens=64, template="text_zh"),
    "musique": Dataset(num_questions=200, max_new_tokens=32, template="passages"),
    "narrativeqa": Dataset(num_questions=200, max_new_tokens=128, template="story"),
    "passage_count": Dataset(
        num_questions=200,
        max_new_tokens=32,
        template="count",
        num_even=300,
        asks_ahead=True,
    ),
    "passage_retrieval_en": Dataset(
        num_questions=200,
        max_new_tokens=32,
        template="retrieval",
        num_even=300,
        asks_ahead=True,
    ),
    "passage_retrieval_zh": Dataset(
        num_questions=200, max_new_tokens=32, template="retrieval_zh", asks_ahead=True
    ),
    "qasper": Dataset(num_questions=200, max_new_tokens=128, template="article", num_even=224),
    "qmsum": Dataset(num_questions=200, max_new_tokens=512, template="meeting"),
    "repobench-p": Dataset(
        num_questions=500,
        max_new_tokens=64,
        template="code",
        num_even=300,
        is_chat=False,
        asks_ahead=True,
    ),
    "samsum": Dataset(
        num_questions=200,
        max_new_tokens=128,
        template="dialogues",
        num_even=300,
        is_chat=False,
        asks_ahead=True,
    ),
    "trec": Dataset(
        num_questions=200,
        max_new_tokens=64,
        template="question_type",
        num_even=300,
        is_chat=False,
        asks_ahead=True,
    ),
    "triviaqa": Dataset(
        num_questions=200,
        max_new_tokens=32,
        template="examples",
        num_even=300,
        is_chat=False,
        asks_ahead=True,
    ),
    "vcsum": Dataset(num_questions=200, max_new_tokens=512, template="meeting_zh", asks_ahead=True),
}
"""By name, in alphabetical order."""
