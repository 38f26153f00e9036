"""CorpusQA (Tongyi Lab, 2025): tables counted and compared over hundreds of reports.

Facts of the official `infer.py` and `eval.py` (Tongyi-Zhiwen/CorpusQA, MIT): a row is {id, prompt,
question, answer}; the prompt is a chat whose user message holds `# Document i:` blocks, the
question and the requirements of the output; the beginning of an id is its domain; `[]` is a
legitimate answer. The messages are sent as they are: the context is cut out of the user message
without a change.
"""

from collections.abc import Callable
from pathlib import Path

from longloom.errors import DataError
from longloom.evaluation.benchmark import Benchmark, HubFiles, ReadSettings, Source
from longloom.evaluation.benchmarks.chats import chat_of
from longloom.evaluation.benchmarks.files import find_files, questions_of_rows
from longloom.evaluation.benchmarks.judges import CORPUSQA
from longloom.evaluation.questions import Asked, Question, QuestionSet
from longloom.evaluation.rows import Row, RowPlace, describe, text_of
from longloom.evaluation.scoring.corpusqa import score_corpusqa

NUM_QUESTIONS = 329
"""Of each size: 1,316 over 128K, 1M, 4M and 10M tokens."""
DOMAINS = ("education_en", "financial_en", "financial_zh", "real_estate_en")
_FIRST_DOCUMENT = "# Document"
_QUESTION = "\n# Question"


def _question(row: Row, place: RowPlace) -> Question:
    question_id = text_of(row, "id", place)
    if "answer" not in row:
        raise DataError(f"{describe(place)}: field 'answer' is missing; give the official file")
    _ask(row, place)  # damage is said before the first question is asked
    domain = next((name for name in DOMAINS if question_id.startswith(name)), "other")
    return Question(
        question_id=question_id,
        # As the official judge prompt shows it, lists as Python writes them.
        golds=(str(row["answer"]),),
        facets={"domain": domain},
    )


def _ask(row: Row, place: RowPlace) -> Asked:
    *history, last = chat_of(row, "prompt", place)
    if last.role != "user":
        raise DataError(
            f"{describe(place)}: the last message is of {last.role!r}; expected the user's; give "
            "the official file"
        )
    question = text_of(row, "question", place).strip()
    start, end = _context_span(last.content, question, place)
    before, after = last.content[:start], last.content[end:]
    return Asked(
        before=before,
        context=last.content[start:end],
        after=after,
        query="\n\n".join(part for part in (before.strip(), after.strip()) if part),
        problem=question,
        history=tuple(history),
    )


def _context_span(content: str, question: str, place: RowPlace) -> tuple[int, int]:
    """Return where the documents stand: from the first heading to that of the question."""
    start = max(0, content.find(_FIRST_DOCUMENT))
    end = content.rfind(_QUESTION)
    if end < start:
        end = content.rfind(question) if question else -1
    if end < start:
        raise DataError(
            f"{describe(place)}: the prompt has neither the heading '# Question' nor the text of "
            "`question` behind its documents; give the official file"
        )
    return start, end


def _benchmark(name: str, size: str, *, is_on_hub: bool) -> Benchmark:
    file = f"{size.lower()}_4domains.jsonl"
    return Benchmark(
        name=name,
        title=f"CorpusQA {size}",
        measure="judge",
        source=Source(
            files=(file,),
            address=(
                "https://huggingface.co/datasets/Tongyi-Zhiwen/CorpusQA"
                if is_on_hub
                else "https://github.com/Tongyi-Zhiwen/CorpusQA (this size is not on the hub)"
            ),
            licence="MIT",
            num_questions=NUM_QUESTIONS,
            hub=HubFiles(repository="Tongyi-Zhiwen/CorpusQA", files=(file,)) if is_on_hub else None,
        ),
        temperature=0.0,
        read=_reader(name),
        score=lambda question, text: score_corpusqa(text, question.golds),
        judge=CORPUSQA,
        facets=("domain",),
    )


def _reader(name: str) -> Callable[[Path, ReadSettings], QuestionSet]:
    def read(folder: Path, settings: ReadSettings) -> QuestionSet:
        """Read the questions of one size.

        Raises:
            DataError: the file is missing, damaged or of another format.
        """
        benchmark = next(benchmark for benchmark in BENCHMARKS if benchmark.name == name)
        paths = find_files(folder, benchmark)
        return questions_of_rows(paths, question=_question, ask=_ask, num_official=NUM_QUESTIONS)

    return read


BENCHMARKS = (
    _benchmark("corpusqa", "128K", is_on_hub=True),
    _benchmark("corpusqa-1m", "1M", is_on_hub=True),
    _benchmark("corpusqa-4m", "4M", is_on_hub=False),
)
"""The sizes that the paper reports."""
