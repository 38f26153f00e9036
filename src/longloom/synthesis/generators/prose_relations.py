"""Relations that a model read in prose: how their labels are worded, and which kinds join.

    "founder", person -> `Who is the founder of {x}?`
    "year built", date -> `What is the year in which {x} was built?`
    "built in", date  -> `Which date is given as "built in" for {x}?`

The labels are the model's own words, so only plain noun phrases are woven into a sentence; every
other label is quoted. What a model has read is never all there is: such a relation has no clause,
since nothing may be described, counted or found by it.
"""

from collections.abc import Collection
from types import MappingProxyType

from longloom.synthesis.facts.fact import Fact
from longloom.synthesis.facts.relation import Relation

READ_BY_MODEL = 3
"""The certainty of what a model has read."""
PROSE_PREFIX = "prose."
SCHEMA_PREFIX = "schema."
ANY_KIND = "entity"
"""The kind of a name of which nobody said what it names."""

_PLAIN_KINDS = frozenset({"date", "number", "text"})
_MIXED_KINDS = frozenset({ANY_KIND, "page"})
"""Kinds whose entities may be of any sort."""
_GROUPS = (
    frozenset({"person", "author", "editor"}),
    frozenset({"place", "city", "country", "state", "jurisdiction"}),
    frozenset(
        {
            *("organization", "audit firm", "company", "institution", "publisher"),
            *("stock exchange", "university"),
        }
    ),
    frozenset({"work", "book", "article", "publication"}),
)
_GROUP_BY_KIND = MappingProxyType({kind: group for group in _GROUPS for kind in group})
_OPENING_WORDS = frozenset(
    (
        *("a", "an", "are", "based", "became", "been", "being", "born", "built", "came", "cast"),
        *("caused", "grew", "had", "has", "have", "held", "is", "its", "known", "laid", "led"),
        *("left", "lost", "made", "now", "once", "ran", "run", "set", "sold", "spoken"),
        *("the", "their", "took", "was", "went", "were", "won", "worn", "written"),
    )
)
_CLOSING_WORDS = frozenset(
    (
        *("about", "after", "against", "among", "and", "are", "as", "at", "before", "between"),
        *("by", "during", "for", "from", "in", "into", "is", "near", "of", "on", "or", "over"),
        *("since", "than", "the", "through", "to", "under", "until", "was", "were", "with"),
    )
)
_MANY_WORDS = frozenset(
    (
        *("alias", "associate", "award", "brother", "child", "collaborator", "colleague"),
        *("competitor", "component", "customer", "daughter", "descendant", "employee", "example"),
        *("feature", "friend", "grandchild", "ingredient", "interest", "member", "occupation"),
        *("part", "participant", "partner", "player", "product", "relative", "resident"),
        *("sibling", "sister", "son", "student", "supporter", "type", "use", "work"),
    )
)
"""Heads of which a thing commonly has several, so that one reading is never the value."""
_PLACED = MappingProxyType({"date": "on which", "month": "in which", "year": "in which"})
_PASSIVE = frozenset({"born", "built", "cast", "laid", "made", "set", "sold", "written"})
_NEVER_PASSIVE = frozenset({"arrived", "died", "emigrated", "graduated", "joined", "resigned"})
_SINGULAR_WITH_S = frozenset({"address", "basis", "headquarters", "process", "species", "status"})
_MAX_NOUN_WORDS = 5


def is_read(fact: Fact) -> bool:
    """Return whether a model read a fact; what it says is true, but not all there is."""
    return fact.certainty >= READ_BY_MODEL


def is_followable(fact: Fact) -> bool:
    """Return whether a fact that a model read states a relation with one value."""
    if fact.relation.startswith(SCHEMA_PREFIX):
        return True
    if not fact.relation.startswith(PROSE_PREFIX) or not fact.label:
        return False
    words = fact.label.casefold().split()
    is_head = not _CLOSING_WORDS & set(words)
    head = words[-1] if is_head else words[0]
    return head not in _MANY_WORDS and head.removesuffix("s") not in _MANY_WORDS


def prose_relation(facts: Collection[Fact], *, is_of_pages: bool = False) -> Relation | None:
    """Return the wording of a relation that a model named; None if its values are of many sorts.

    Of pages all labels are quoted: nobody is the founder of `the page whose infobox gives ...`.
    """
    first = next(iter(facts))
    kind = _shared_kind({fact.value_kind for fact in facts})
    if kind is None:
        return None
    subject_kinds = {fact.subject_kind for fact in facts}
    phrases = _quoted if is_of_pages else _phrases
    question, noun = phrases(first.label, kind)
    return Relation(
        name=first.relation,
        subject_kind=subject_kinds.pop() if len(subject_kinds) == 1 else ANY_KIND,
        value_kind=kind,
        question=question,
        noun=noun,
        clause="",
    )


def _shared_kind(kinds: Collection[str]) -> str | None:
    if len(kinds) == 1:
        return next(iter(kinds))
    return None if _PLAIN_KINDS & set(kinds) else ANY_KIND


def _phrases(label: str, kind: str) -> tuple[str, str]:
    """Return the question and the noun of a label."""
    first, _, last = label.partition(" ")
    if first in _PLACED and is_passive(last):
        noun = f"the {first} {_PLACED[first]} {{x}} was {last}"
        return f"What is {noun}?", noun
    if is_noun_phrase(label):
        verb = "Who" if kind == "person" else "What"
        return f"{verb} is the {label} of {{x}}?", f"the {label} of {{x}}"
    return _quoted(label, kind)


def _quoted(label: str, kind: str) -> tuple[str, str]:
    """Return question and noun of a label that is no noun of its subject."""
    value = "value" if kind in ("text", ANY_KIND) else kind
    said = f'{value} given as "{label}" for {{x}}'
    return f'Which {value} is given as "{label}" for {{x}}?', f"the {said}"


def is_noun_phrase(label: str) -> bool:
    """Return whether `the LABEL of` reads well; in doubt it does not."""
    words = label.split()
    if not 1 <= len(words) <= _MAX_NOUN_WORDS or label != label.casefold():
        return False
    if words[0] in _OPENING_WORDS or words[-1] in _CLOSING_WORDS or "by" in words:
        return False
    # `located`, `owns`, `year died`: what may be a verb is quoted.
    is_verb = any(word.endswith("ed") or word in _PASSIVE for word in (words[0], words[-1]))
    is_plural = words[-1].endswith("s") and words[-1] not in _SINGULAR_WITH_S
    return not is_verb and not is_plural


def is_passive(word: str) -> bool:
    """Return whether `was WORD` reads well: `was built`, `was founded`."""
    is_regular = word.endswith("ed") and word not in _NEVER_PASSIVE and " " not in word
    return is_regular or word in _PASSIVE


def may_be_same(name: str, value_kind: str, kind: str) -> bool:
    """Return whether a name that a model read as one kind is the entity of a kind.

    A name of which nobody knows what it names joins only with several words: `Mercury` is a planet
    as often as a god.
    """
    if value_kind == kind:
        return kind != ANY_KIND or " " in name
    if value_kind in _PLAIN_KINDS or kind in _PLAIN_KINDS:
        return False
    if kind in _GROUP_BY_KIND.get(value_kind, ()):
        return True
    return " " in name and bool(_MIXED_KINDS & {value_kind, kind})
