"""Carry an evaluation out: ask, score, judge, sum up, write."""

import importlib.util
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from longloom.errors import DataError, MissingDependencyError
from longloom.evaluation.asking.answers import Answer, AnswerLog
from longloom.evaluation.asking.asking_judge import AskedJudge, open_judge
from longloom.evaluation.asking.one_answer import SINGLE_PASS, Asking
from longloom.evaluation.asking.preparing import Preparations
from longloom.evaluation.asking.runner import Progress, answer_all
from longloom.evaluation.asking.settings import AskingConfig
from longloom.evaluation.benchmark import ReadSettings
from longloom.evaluation.questions import Asked, Question, QuestionSet
from longloom.evaluation.results import BenchmarkResults, EvaluationResults, write_results
from longloom.evaluation.scoring_run import score_answers
from longloom.evaluation.summary import summarise
from longloom.memory import MemoryAgent, MemoryConfig
from longloom.memory.journal_file import JournalFile
from longloom.models.protocols import ChatSampler
from longloom.recipes.evaluating.put import asking_of, chosen_of, stated_limits
from longloom.recipes.evaluating.run_folder import JOURNAL_FILE, check_inputs
from longloom.recipes.evaluating.targets import Target, Targets
from longloom.recipes.run_config import RunConfig
from longloom.recipes.verbs.read_model import reading_memory
from longloom.rewards.judge_config import JudgeConfig
from longloom.rollout import Agent
from longloom.rollout.call_limits import LimitedChat, OldestFirst
from longloom.runlog import RunFolder

MEMORY = "memory"

AskedOf = Callable[[str, str], Asked | None]
"""Finds the text of a question by benchmark and id."""
OnProgress = Callable[[Progress], None]
"""Is told after every answer."""
Notify = Callable[[str], None]
"""Is told what a person should read, in whole lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationPlan:
    """What one command asks, resolved."""

    config: RunConfig
    """The recipe whose prompts, memory and reward hold."""
    targets: Targets
    """What is asked."""
    asking: AskingConfig
    """How."""
    agent: str
    """By whom: `single_pass`, `memory`, `closed_book`."""
    overrides: Sequence[str]
    """Changed settings of the recipe: those of the memory that were stated."""
    judge: JudgeConfig | None
    """Who judges."""
    is_local: bool
    """Whether the model runs in this process."""
    places: Mapping[str, Any]
    """Where it was all found (`named`, `files`, `generated`, `split`), to find it again."""

    def memory(self, window_tokens: int) -> MemoryConfig:
        """Return how the memory agent reads with a window; answers are not traced back."""
        found = reading_memory(self.config, self.overrides, window_tokens)
        return found.replace(citations=False)

    def settings(self, model: str, window_tokens: int) -> dict[str, Any]:
        """Return all that shapes the answers, as run.yaml holds it."""
        memory = self.config.memory.model_dump(mode="json") if self.agent == MEMORY else None
        return {
            "targets": [target.benchmark.name for target in self.targets.targets],
            "model": model,
            "window_tokens": window_tokens,
            "agent": self.agent,
            "template": self.config.template,
            "asking": self.asking.model_dump(mode="json"),
            "memory": memory,
            "judge": self.judge.model_dump(mode="json") if self.judge else None,
            **self.places,
        }


async def run_evaluation(
    plan: EvaluationPlan,
    chat: ChatSampler,
    folder: Path,
    *,
    on_progress: OnProgress | None,
    notify: Notify,
) -> tuple[EvaluationResults, AskedOf]:
    """Ask and score all targets, and write the results into `folder`.

    Also returned: what finds the text of a question again, by benchmark and id.

    Raises:
        ConfigError: files were changed since their questions were answered.
        DataError: official files are damaged or hold no question, or the disk is full.
        ModelError: the model or the judge is away; what was answered is kept.
    """
    started = time.perf_counter()
    settings = plan.settings(chat.name, chat.window_tokens)
    sets = _read_all(plan, chat, notify)
    check_inputs(RunFolder(folder), {name: one.source for name, one in sets.items()})
    limits = OldestFirst(plan.asking.concurrency, plan.asking.max_tokens_in_flight)
    found: list[BenchmarkResults] = []
    with ExitStack() as opened:
        log = opened.enter_context(AnswerLog(folder))
        agent: Agent | None = None
        if plan.agent == MEMORY:
            journal = opened.enter_context(JournalFile(folder / JOURNAL_FILE))
            agent = MemoryAgent(plan.memory(chat.window_tokens), journal=journal)
        async with open_judge(plan.judge, folder) as judge:
            one_run = _Run(plan, chat, log, limits, judge, agent, sets, on_progress, notify)
            for target in plan.targets.targets:
                if sets[target.benchmark.name].questions:
                    found.append(await one_run.benchmark(target))
    results = EvaluationResults(
        model=chat.name,
        agent=plan.agent,
        suite=plan.targets.label,
        settings=settings,
        benchmarks=tuple(found),
        seconds=time.perf_counter() - started,
    )
    write_results(folder, results, summarise(results))
    questions = {
        (name, question.question_id): question
        for name, one in sets.items()
        for question in one.questions
    }

    def asked_of(benchmark: str, question_id: str) -> Asked | None:
        question = questions.get((benchmark, question_id))
        return None if question is None else sets[benchmark].ask(question)

    return results, asked_of


def _read_all(plan: EvaluationPlan, chat: ChatSampler, notify: Notify) -> dict[str, QuestionSet]:
    """Read the questions of all benchmarks: what is wrong with a file costs no call."""
    settings = ReadSettings(
        seed=plan.asking.seed,
        count_tokens=chat.tokens.count,
        max_questions=plan.asking.max_questions,
    )
    targets = plan.targets.targets
    for target in targets:
        _check_extras(target)
        if target.benchmark.source is None and not target.folder.exists():
            notify(f"{target.benchmark.title} is made: {target.folder}")
        if target.benchmark.agent is not None and plan.agent != SINGLE_PASS:
            notify(f"{target.benchmark.title} has an agent of its own; {plan.agent} is not used")
    sets = {one.benchmark.name: one.benchmark.read(one.folder, settings) for one in targets}
    for target in targets:
        if not sets[target.benchmark.name].questions:
            notify(f"{target.benchmark.title}: {target.folder} holds no question of it; left out")
    if not any(one.questions for one in sets.values()):
        titles = ", ".join(target.benchmark.title for target in targets)
        raise DataError(
            f"the files in {targets[0].folder} hold no question of {titles}; give the official "
            "files, or take another benchmark"
        )
    return sets


def _check_extras(target: Target) -> None:
    missing = [name for name in target.benchmark.uses if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingDependencyError(
            f"{target.benchmark.title} is scored with {', '.join(missing)}, which is not "
            "installed; run `pip install 'longloom[eval]'`"
        )


@dataclass(frozen=True, slots=True)
class _Run:
    """What all benchmarks of a run share."""

    plan: EvaluationPlan
    chat: ChatSampler
    log: AnswerLog
    limits: OldestFirst
    judge: AskedJudge | None
    agent: Agent | None
    sets: dict[str, QuestionSet]
    on_progress: OnProgress | None
    notify: Notify

    async def benchmark(self, target: Target) -> BenchmarkResults:
        """Ask and score one benchmark."""
        benchmark, asking = target.benchmark, self.plan.asking
        found = self.sets[benchmark.name]
        chosen = chosen_of(benchmark, found, asking)
        num_samples = asking.num_samples or benchmark.num_samples
        put = self._asking(target)
        progress = await answer_all(
            found,
            chosen,
            put,
            num_samples=num_samples,
            chat=self.chat,
            log=self.log,
            limits=self.limits,
            on_progress=self.on_progress,
            prices=(asking.prompt_price, asking.answer_price),
        )
        if failed := [
            answer for answer in self._answers(target, chosen, num_samples) if answer.error
        ]:
            self.notify(
                f"{benchmark.title}: {len(failed)} of {progress.num_total} answers failed, the "
                f"first with: {failed[0].error}"
            )
        if self.judge is not None and benchmark.judge is not None:
            self.notify(f"{benchmark.title}: {self.judge.name} judges the answers")
        questions = await score_answers(
            benchmark,
            found,
            chosen,
            log=self.log,
            num_samples=num_samples,
            thinking=asking.thinking,
            judge=self.judge,
        )
        is_judged = benchmark.judge is not None
        return BenchmarkResults(
            name=benchmark.name,
            title=benchmark.title,
            measure=benchmark.measure,
            questions=questions,
            facets=benchmark.facets,
            mean_over=benchmark.mean_over,
            num_official=benchmark.source.num_questions if benchmark.source else None,
            source=found.source,
            notes=(*found.notes, *self._notes(found, len(chosen))),
            judge=self.judge.name if self.judge is not None and is_judged else "",
            is_lower_bound=is_judged and self.judge is None,
            max_prompt_tokens=put.max_prompt_tokens if self.agent is None else 0,
            max_new_tokens=put.params.max_new_tokens,
            usage=progress.usage,
        )

    def _answers(
        self, target: Target, chosen: Sequence[Question], num_samples: int
    ) -> Iterator[Answer]:
        for question in chosen:
            for index in range(num_samples):
                yield self.log[target.benchmark.name, question.question_id, index]

    def _asking(self, target: Target) -> Asking:
        benchmark = target.benchmark
        put = asking_of(
            target,
            self.plan.asking,
            agent=self.plan.agent,
            reader=self.agent,
            window_tokens=self.chat.window_tokens,
            is_threaded=not self.plan.is_local,
        )
        stated = stated_limits(benchmark, self.plan.asking)
        if (put.max_prompt_tokens, put.params.max_new_tokens) != stated:
            self.notify(
                f"{benchmark.title}: the model's window is {self.chat.window_tokens} tokens; "
                f"prompts of at most {put.max_prompt_tokens} and answers of at most "
                f"{put.params.max_new_tokens} are asked, not {stated[0]} and {stated[1]}"
            )
        if benchmark.prepare is None:
            return put
        preparations = Preparations(
            benchmark=benchmark.name,
            prepare=benchmark.prepare,
            folder=target.folder,
            chat=LimitedChat(self.chat, self.limits, self.limits.next_age()),
            params=put.params,
            log=self.log,
            key=f"{put.key}/preparations",
        )
        return replace(put, preparations=preparations)

    def _notes(self, found: QuestionSet, num_chosen: int) -> list[str]:
        if num_chosen == len(found.questions):
            return []
        return [f"{num_chosen} of {len(found.questions)} questions were asked, chosen by the seed"]
