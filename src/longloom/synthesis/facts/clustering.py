"""One name for each entity of a corpus: which spellings of a name are the same one.

Conservative: chains over documents join on names, so a wrong merge makes wrong questions while a
missed one only loses some. Merged are, within one kind of entity,

1. spellings that differ in case, accents, full stops, spacing or the form of a company's suffix;
2. people with and without a middle name or initial, if the corpus holds one such person only;
3. people by initial and surname, if one person of the same genre fits, by their full name;
4. aliases that documents state (`article.alias`), if no two entities claim them.

Left out are titles, sections, rows and identifiers in code, where case or a full stop may be all
that tells two things apart. Clustering of the paper: QwenLong-L1.5, section 3.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from longloom.synthesis.facts.fact import Fact

_PEOPLE = frozenset({"author", "editor", "person"})
_ORGANISATIONS = frozenset(
    {
        "audit firm",
        "city",
        "company",
        "country",
        "institution",
        "journal",
        "jurisdiction",
        "organization",
        "state",
        "stock exchange",
        "university",
    }
)
_SUFFIXES = {
    "co": "company",
    "corp": "corporation",
    "inc": "incorporated",
    "ltd": "limited",
}
_ALIAS_ENDINGS = (".alias", ".also_known_as", ".redirect")
_PUNCTUATION = str.maketrans({".": " ", ",": " ", "'": "", "\u2019": "", "\u2010": "-"})
_MIN_SURNAME_CHARACTERS = 3
_MAX_NAME_CHARACTERS = 120

_Key = tuple[str, ...]


def canonical_names(facts: Iterable[Fact]) -> dict[str, str]:
    """Return the name to use for each spelling that is not the one to use."""
    uses_by_kind: dict[str, Counter[str]] = defaultdict(Counter)
    genres: dict[str, set[str]] = defaultdict(set)
    aliases: dict[str, set[str]] = defaultdict(set)
    for fact in facts:
        if fact.relation.endswith(_ALIAS_ENDINGS):
            aliases[fact.value].add(fact.subject)
            continue
        for name, kind in ((fact.subject, fact.subject_kind), (fact.value, fact.value_kind)):
            if kind in _PEOPLE | _ORGANISATIONS and len(name) <= _MAX_NAME_CHARACTERS:
                uses_by_kind["person" if kind in _PEOPLE else kind][name] += 1
                genres[name].add(fact.relation.partition(".")[0])
    renamed: dict[str, str | None] = {}
    for kind in sorted(uses_by_kind):
        uses = uses_by_kind[kind]
        spelled = _same_spelling(uses, is_person=kind == "person")
        found = dict(spelled)
        if kind == "person":
            found |= _without_middle_names(uses, spelled)
            found |= _by_initials(uses, _followed(found), genres)
        for name, chosen in _followed(found).items():
            # A spelling that two kinds would rename differently keeps its name.
            renamed[name] = chosen if renamed.get(name, chosen) == chosen else None
    stated = {name: next(iter(of)) for name, of in aliases.items() if len(of) == 1}
    for name, chosen in sorted(stated.items()):
        if name != chosen and chosen not in stated:
            renamed.setdefault(name, chosen)
    return _followed({name: chosen for name, chosen in renamed.items() if chosen is not None})


def spelling_key(name: str, *, is_person: bool) -> _Key:
    """Return what all spellings of a name share: plain words in small letters."""
    plain = unicodedata.normalize("NFKD", name)
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    words = plain.casefold().translate(_PUNCTUATION).split()
    return tuple(words) if is_person else tuple(_SUFFIXES.get(word, word) for word in words)


def _same_spelling(uses: Mapping[str, int], *, is_person: bool) -> dict[str, str]:
    groups: dict[_Key, list[str]] = defaultdict(list)
    for name in uses:
        key = spelling_key(name, is_person=is_person)
        # A single word is an initialism or an identifier as often as it is a name.
        if len(key) > 1:
            groups[key].append(name)
    renamed: dict[str, str] = {}
    for names in groups.values():
        best = min(names, key=lambda name: (-_care(name), -uses[name], name))
        renamed |= {name: best for name in names if name != best}
    return renamed


def _care(name: str) -> int:
    """Return how carefully a name is written: mixed case, then accents."""
    is_mixed = not name.isupper() and not name.islower()
    words = [word for word in name.split() if word[:1].isalpha()]
    is_capitalised = all(word[:1].isupper() or word in _PARTICLES for word in words)
    return 4 * is_mixed + 2 * is_capitalised + (not name.isascii())


_PARTICLES = frozenset(
    {"and", "da", "de", "del", "der", "di", "du", "la", "of", "the", "van", "von"}
)


def _without_middle_names(uses: Mapping[str, int], spelled: Mapping[str, str]) -> dict[str, str]:
    """Merge `Ada Lovelace` and `Ada K. Lovelace` if no other middle name is about."""
    groups: dict[tuple[str, str], dict[_Key, str]] = defaultdict(dict)
    for name in sorted(uses):
        key = spelling_key(name, is_person=True)
        if len(key) >= 2 and len(key[0]) > 1 and len(key[-1]) >= _MIN_SURNAME_CHARACTERS:
            groups[key[0], key[-1]][key[1:-1]] = spelled.get(name, name)
    renamed: dict[str, str] = {}
    for by_middle in groups.values():
        middles = [middle for middle in by_middle if middle]
        is_one_initial = len(middles) == 1 and len(middles[0]) == 1 and len(middles[0][0]) == 1
        if () in by_middle and is_one_initial:
            short, long = by_middle[()], by_middle[middles[0]]
            best, other = (long, short) if uses[long] > uses[short] else (short, long)
            renamed[other] = best
    return renamed


def _by_initials(
    uses: Mapping[str, int], found: Mapping[str, str], genres: Mapping[str, set[str]]
) -> dict[str, str]:
    """Merge `A. Lovelace` into the one full name of its genre that it fits."""
    full: dict[tuple[str, str], set[str]] = defaultdict(set)
    for name in sorted(uses):
        key = spelling_key(name, is_person=True)
        if len(key) >= 2 and len(key[0]) > 1 and len(key[-1]) >= _MIN_SURNAME_CHARACTERS:
            full[key[0][0], key[-1]].add(found.get(name, name))
    renamed: dict[str, str] = {}
    for name in sorted(uses):
        key = spelling_key(name, is_person=True)
        if len(key) != 2 or len(key[0]) != 1 or name in found:
            continue
        fitting = full.get((key[0], key[-1]), set())
        if len(fitting) == 1:
            (other,) = fitting
            if genres[name] & genres[other]:
                renamed[name] = other
    return renamed


def _followed(renamed: Mapping[str, str]) -> dict[str, str]:
    """Return the renaming with every name going to its last one."""
    followed: dict[str, str] = {}
    for name in renamed:
        seen = {name}
        target = renamed[name]
        while target in renamed and target not in seen:
            seen.add(target)
            target = renamed[target]
        if target != name:
            followed[name] = target
    return followed
