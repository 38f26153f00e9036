"""Restatements: two documents state different values of one thing, and the later one counts.

Real ones are standings of a table on different days, a balance that a later report classes anew,
the organization of an author some years on. The dates stand in the documents themselves, and both
statements and both dates are evidence.
"""

from longloom.synthesis.facts.document_dates import RELATION as DATED
from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.generators.anchors import is_answer
from longloom.synthesis.generators.draft import Draft
from longloom.synthesis.generators.filing_lines import worded_day
from longloom.synthesis.generators.inquiry import Inquiry
from longloom.synthesis.generators.questions import answer_format
from longloom.synthesis.generators.wording import listed, relation_head
from longloom.synthesis.programs.graph import Named
from longloom.synthesis.programs.graph_sets import LatestStatement

_NAMED_SHARE = 0.5
_CELL_SHARE = 0.25
"""There are very many cells, so most are passed over; a certainty of 0 or 1 is guessed."""


def restated(inquiry: Inquiry) -> Draft | None:
    """Ask for what the later of two documents says where they disagree."""
    if not inquiry.disputes:
        return None
    # Few relations beside the many columns of tables: each relation has its turn.
    relation = inquiry.rng.choice(sorted({one.fact.relation for one in inquiry.disputes}))
    one = inquiry.rng.choice([one for one in inquiry.disputes if one.fact.relation == relation])
    titles = inquiry.rng.sample(list(one.by_title), 2)
    first, second = (one.by_title[title] for title in titles)
    worded = inquiry.asker.relation(relation)
    is_fair = worded is not None and is_answer(first.value) and is_answer(second.value)
    if not is_fair or worded is None or first.value == second.value:
        return None
    if relation.startswith("cell.") and (
        inquiry.rng.random() > _CELL_SHARE or {first.value, second.value} & {"0", "1"}
    ):
        return None
    is_pair = len(one.by_title) == 2 and inquiry.rng.random() > _NAMED_SHARE
    program = LatestStatement(
        Named(first.subject), relation, first.period_end, DATED, () if is_pair else tuple(titles)
    )
    execution = program.execute(inquiry.world)
    if execution.only_answer is None:
        return None
    return inquiry.draft(
        _question(first, relation_head(worded), [] if is_pair else titles),
        program,
        answer=execution.only_answer,
        ability="restatement",
        num_hops=2,
        value_kind=first.value_kind,
    )


def _question(fact: Fact, head: str, titles: list[str]) -> str:
    how = answer_format(fact.value, fact.value_kind, fact.unit)
    if fact.relation.startswith("cell."):
        if fact.value_kind == "number":
            how = " Answer with the number as the table shows it."
        named = listed([f'"{title}"' for title in titles])
        which = f"the tables {named}" if titles else "two tables with dates in their names"
        return (
            f'In the documents given, {which} differ in the "{fact.label}" of {fact.subject}. '
            f"What does the later of the two, by the dates in their names, give?{how}"
        )
    if fact.unit == "USD":
        how = " Answer with the full number of US dollars."
    when = f" as of {worded_day(fact.period_end)}" if len(fact.period_end) == 10 else ""
    which = listed(titles) if titles else "two of the documents given"
    among = " in the documents given" if titles else ""
    said = head.replace("{x}", fact.subject)
    return (
        f"{which[:1].upper()}{which[1:]}{among} differ in the {said}{when}. What does the later "
        f"of the two state?{how}"
    )
