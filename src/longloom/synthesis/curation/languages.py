"""Which language a text is written in, by its letters and its most common words.

Function words make up a third to a half of running text in the seven Latin-script languages below
and are hardly shared, so their counts decide without a model. Other scripts name their language,
or the most spoken of those that use them. What is neither (names, formulas, a list of places) has
no language here: the caller must not take that for a foreign one.
"""

import re
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

UNKNOWN = ""
"""Too few common words to tell, or a language that is not listed."""

_COMMON_WORDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        language: frozenset(words.split())
        for language, words in {
            "en": "the of and to in is that it for was on are as with be by at from this have or "
            "not an had which were has but you your his her they their we all been will would "
            "can if there when who what shall may any such",
            "de": "der die das und ist nicht von zu den mit sich auf für des dem im ein eine einer "
            "eines einem einen als auch es an er sie wird werden bei aus nach wie oder aber wir "
            "ich sind hat durch über zum zur war noch nur",
            "fr": "le la les des et est un une du dans que qui pour pas sur au aux par plus ne se "
            "ce cette ces il elle nous vous ils sont avec être son sa ses mais ou comme leur été "
            "d l en était",
            "es": "el la los las de que y en un una es por con no para se su al lo del como más "
            "pero sus le ha este esta son entre cuando muy sin sobre también fue hay era está "
            "desde todo nos",
            "it": "il di che e la un a per una non sono con si da come le dei del della nel alla "
            "più anche ma gli al lo i su delle nella questo questa è ha essere dal stato degli "
            "dalla ai l",
            "pt": "de que e o a do da em um uma para com não os no se na por mais as dos como mas "
            "ao ele das à seu sua ou quando muito nos já também só pelo pela até isso ela são foi "
            "está era",
            "nl": "de het een en van in is dat op te zijn met voor niet aan er om ook als dan maar "
            "bij nog uit door naar heeft ze hij werd deze die wordt of over worden hebben tot was "
            "geen haar",
        }.items()
    }
)
LANGUAGES = tuple(_COMMON_WORDS)
"""Languages told apart by their words."""

_SCRIPTS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\u1100-\u11ff\uac00-\ud7af]")),
    ("zh", re.compile("[\u3400-\u9fff]")),
    ("ar", re.compile("[\u0600-\u06ff]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
    ("el", re.compile("[\u0370-\u03ff]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
)
"""Scripts with the language they stand for; Japanese before Chinese, because it uses both."""

_WORD = re.compile(r"[^\W\d_]{2,}")
_LETTER = re.compile(r"[^\W\d_]")
_MIN_DIFFERENT_WORDS = 5
_SCRIPT_FRACTION = 0.3
_KANA_FRACTION = 0.05
_WINDOW_CHARACTERS = 10_000
_NUM_WINDOWS = 5


def word_fractions(text: str) -> dict[str, float]:
    """Return for each listed language the share of the words that are common words of it.

    Words of one letter are not counted; fewer than five different words say nothing.
    """
    counts = Counter(_WORD.findall(sample_of(text).lower()))
    total = sum(counts.values()) or 1
    fractions: dict[str, float] = {}
    for language, words in _COMMON_WORDS.items():
        found = [counts[word] for word in words if word in counts]
        fractions[language] = sum(found) / total if len(found) >= _MIN_DIFFERENT_WORDS else 0.0
    return fractions


def script_language(text: str) -> str:
    """Return the language that a text's script stands for; `UNKNOWN` for Latin script."""
    sample = sample_of(text)
    if sample.isascii():
        return UNKNOWN
    num_letters = len(_LETTER.findall(sample)) or 1
    for language, script in _SCRIPTS:
        wanted = _KANA_FRACTION if language == "ja" else _SCRIPT_FRACTION
        if len(script.findall(sample)) >= wanted * num_letters:
            return language
    return UNKNOWN


def language_of(text: str, *, min_fraction: float = 0.1) -> str:
    """Return the language of a text, or `UNKNOWN`.

    Args:
        text: running text; of a long one five windows are read.
        min_fraction: share of the words that must be common words of the language.
    """
    script = script_language(text)
    if script:
        return script
    fractions = word_fractions(text)
    best = max(LANGUAGES, key=lambda language: fractions[language])
    return best if fractions[best] >= min_fraction else UNKNOWN


def sample_of(text: str) -> str:
    """Return a text, or five windows of it if it is long."""
    if len(text) <= _NUM_WINDOWS * _WINDOW_CHARACTERS:
        return text
    step = (len(text) - _WINDOW_CHARACTERS) // (_NUM_WINDOWS - 1)
    starts = range(0, len(text) - _WINDOW_CHARACTERS + 1, step)
    return " ".join(text[start : start + _WINDOW_CHARACTERS] for start in starts)
