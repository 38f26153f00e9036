"""Multi-agent self-evolution: propose, solve, verify, and ask for something harder.

    cluster, category: propose -> rules -> closed book -> k solvers -> verifier votes -> history
                          ^------------- three latest accepted questions ----------------|

QwenLong-L1.5, section 3 (the engine is SPELL's). A question is accepted only if more than half of
the solvers reach the proposer's answer; whether two answers are the same is decided by rule where
it can be, else by more than half of the verifier's votes. What it leaves out: the roles are not
trained here. Departures: evidence is quoted and located, the options of multiple choice are put in
order by us so that letters are balanced, and documents that speak to a model are left out.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from longloom.models.endpoint.messages import user_request
from longloom.records import Document
from longloom.rewards import Verdict, judge_prompt, normalize_answer, parse_verdict
from longloom.synthesis.endpoint.attempts import PosedQuestion, attempt
from longloom.synthesis.endpoint.closed_book import closed_book_fault
from longloom.synthesis.endpoint.fencing import speaks_to_a_model
from longloom.synthesis.endpoint.parsing import ReplyFormatError, visible_reply
from longloom.synthesis.endpoint.selfplay_records import (
    Cluster,
    ProposedQuestion,
    SelfplayConfig,
    SelfplayModels,
)
from longloom.synthesis.endpoint.selfplay_roles import (
    CATEGORIES,
    LETTERS,
    REWARD_RULE_BY_FORM,
    AnswerForm,
    Category,
    Proposal,
    is_plainly_same,
    proposer_prompt,
    read_proposal,
)
from longloom.synthesis.endpoint.yields import Dropped, Yield, run_each

DISAGREE = "solvers do not reach the answer"


@dataclass(frozen=True, slots=True)
class _Line:
    """One cluster in one category; its rounds follow each other."""

    cluster: Cluster
    category: Category

    @property
    def key(self) -> str:
        return f"{self.cluster.cluster_id}:{self.category.name}"


async def evolve(
    models: SelfplayModels,
    clusters: Sequence[Cluster],
    categories: Sequence[str] = tuple(CATEGORIES),
    config: SelfplayConfig | None = None,
) -> Yield[ProposedQuestion]:
    """Return the accepted questions of all clusters and categories.

    Inputs of the yield are pairs of cluster and category; each gives `num_rounds` outcomes.
    """
    settings = config or SelfplayConfig()
    lines = [
        _Line(cluster, CATEGORIES[category]) for cluster in clusters for category in categories
    ]

    async def run(line: _Line) -> list[ProposedQuestion | Dropped]:
        return await _Evolution(models, line, settings).run()

    return await run_each(lines, run, lambda line: line.key)


class _Evolution:
    """The rounds of one cluster and category."""

    def __init__(self, models: SelfplayModels, line: _Line, config: SelfplayConfig) -> None:
        self._models = models
        self._line = line
        self._config = config
        self._random = Random(f"{config.seed}:{line.key}")
        self._accepted: list[tuple[ProposedQuestion, str]] = []
        documents = line.cluster.documents
        self._spoken = [d for d in documents if speaks_to_a_model(f"{d.title}\n{d.text}")]
        self._documents = [d for d in documents if d not in self._spoken]
        self._letters: list[str] = []

    async def run(self) -> list[ProposedQuestion | Dropped]:
        """Play every round; a failed round is counted and the next one begins."""
        if self._spoken or not self._documents:
            reason = "speaks to a model" if self._spoken else "no documents"
            titles = ", ".join(document.title for document in self._spoken)
            return [Dropped(key=self._line.key, reason=reason, details=titles[:200])]
        outcomes: list[ProposedQuestion | Dropped] = []
        for round_number in range(self._config.num_rounds):
            outcome = await self._play(round_number)
            if isinstance(outcome, ProposedQuestion):
                outcomes.append(outcome)
                continue
            reason, _, details = outcome.partition("\n")
            key = f"{self._line.key}:{round_number}"
            outcomes.append(Dropped(key=key, reason=reason, details=details))
        return outcomes

    async def _play(self, round_number: int) -> ProposedQuestion | str:
        """Return an accepted question, or why there is none (first line) with details."""
        seen = self._draw_documents()
        letter = self._next_letter()
        prompt = proposer_prompt(self._line.category, seen, self._history())
        reply = await self._models.proposer.complete(
            user_request(
                prompt,
                temperature=self._config.proposer_temperature,
                top_p=self._config.solver.top_p,
                max_new_tokens=self._config.max_new_tokens,
                seed=self._config.seed,
                sample_index=round_number,
            )
        )
        try:
            proposal = read_proposal(reply, self._line.category, seen, letter=letter)
        except ReplyFormatError as error:
            return f"reply of another form\n{str(error)[:200]}"
        if isinstance(proposal, str):
            return proposal
        fault = self._fault_beside_others(proposal)
        return fault if fault is not None else await self._test(proposal)

    async def _test(self, proposal: Proposal) -> ProposedQuestion | str:
        """Return the question if it is grounded and solved, or why not."""
        posed = self._posed(proposal)
        config = self._config
        blind = await attempt(self._models.solver, posed, config.closed_book, is_closed_book=True)
        fault = closed_book_fault(posed, blind, config.closed_book)
        if fault is not None:
            return f"{fault}\n{blind.num_right} of {blind.num_samples} right"
        attempts = await attempt(self._models.solver, posed, config.solver)
        answers = sorted({answer for answer in attempts.answers if answer})
        verdicts = await asyncio.gather(*(self._is_same(posed, answer) for answer in answers))
        is_same_by_answer = dict(zip(answers, verdicts, strict=True))
        num_right = sum(is_same_by_answer[answer][0] for answer in attempts.answers if answer)
        if 2 * num_right <= attempts.num_samples:
            return f"{DISAGREE}\n{num_right} of {attempts.num_samples} reach {posed.answer!r}"
        num_votes = sum(votes for _, votes in verdicts)
        accepted = self._accept(proposal, posed, (num_right, attempts.num_samples, num_votes))
        shown = proposal.options[LETTERS.index(posed.answer)] if proposal.options else posed.answer
        self._accepted.append((accepted, shown))
        return accepted

    async def _is_same(self, posed: PosedQuestion, answer: str) -> tuple[bool, int]:
        """Return whether an answer is the proposer's, and how many votes that took."""
        by_rule = is_plainly_same(posed.answer, answer, posed.reward_rule)
        if by_rule is not None:
            return by_rule, 0
        num_votes = self._config.num_votes
        request = user_request(
            judge_prompt(posed.question, answer, posed.answer),
            temperature=0.0 if num_votes == 1 else 0.7,
            seed=self._config.seed,
        )
        replies = await asyncio.gather(
            *(
                self._models.verifier.complete(replace(request, sample_index=index))
                for index in range(num_votes)
            )
        )
        num_yes = sum(
            reply.is_complete and parse_verdict(visible_reply(reply)) is Verdict.YES
            for reply in replies
        )
        return 2 * num_yes > num_votes, num_votes

    def _draw_documents(self) -> list[Document]:
        """Return the documents for the next proposal: those quoted by the history, and new ones."""
        latest = self._accepted[-self._config.history_questions :] if self._accepted else []
        used = {quote.doc_id for question, _ in latest for quote in question.quotes}
        others = [document for document in self._documents if document.doc_id not in used]
        num_new = min(self._config.documents_per_proposal, len(others))
        drawn = {document.doc_id for document in self._random.sample(others, num_new)}
        return [d for d in self._documents if d.doc_id in used or d.doc_id in drawn]

    def _next_letter(self) -> str:
        """Return where the correct option goes: every letter once in four, in a drawn order."""
        if not self._letters:
            self._letters = self._random.sample(LETTERS, len(LETTERS))
        return self._letters.pop()

    def _history(self) -> list[tuple[str, str]]:
        num_shown = self._config.history_questions
        shown = self._accepted[-num_shown:] if num_shown else []
        return [(question.question, answer) for question, answer in shown]

    def _fault_beside_others(self, proposal: Proposal) -> str | None:
        wanted = min(self._config.min_quoted_documents, len(self._documents))
        if len({quote.doc_id for quote in proposal.quotes}) < wanted:
            return "evidence from too few documents"
        folded = normalize_answer(proposal.question.partition("\n")[0])
        earlier = {
            normalize_answer(question.question.partition("\n")[0]) for question, _ in self._accepted
        }
        return "question asked before" if folded in earlier else None

    def _posed(self, proposal: Proposal) -> PosedQuestion:
        documents = self._line.cluster.documents
        texts = "\n\n".join(f"{document.title}\n\n{document.text}" for document in documents)
        digest = hashlib.sha256()
        for part in (proposal.question, proposal.answer, *(d.doc_id for d in documents)):
            digest.update(f"{len(part)}:{part}".encode("utf-8", "surrogatepass"))
        return PosedQuestion(
            question_id=digest.hexdigest()[:32],
            question=proposal.question,
            answer=proposal.answer,
            reward_rule=REWARD_RULE_BY_FORM[self._line.category.form],
            context=texts,
        )

    def _accept(
        self, proposal: Proposal, posed: PosedQuestion, votes: tuple[int, int, int]
    ) -> ProposedQuestion:
        category = self._line.category
        return ProposedQuestion(
            question_id=posed.question_id,
            question=proposal.question,
            answer=proposal.answer,
            task_type=category.task_type,
            ability=category.name,
            reward_rule=posed.reward_rule,
            options=proposal.options,
            doc_ids=tuple(document.doc_id for document in self._line.cluster.documents),
            quotes=proposal.quotes,
            history_depth=len(self._accepted),
            num_solver_right=votes[0],
            num_solvers=votes[1],
            num_verifier_votes=votes[2],
        )


def letters_used(questions: Sequence[ProposedQuestion]) -> dict[str, int]:
    """Return how often each letter is the answer of a multiple choice."""
    choices = [
        q.answer for q in questions if q.reward_rule is REWARD_RULE_BY_FORM[AnswerForm.CHOICE]
    ]
    return {letter: choices.count(letter) for letter in LETTERS}
