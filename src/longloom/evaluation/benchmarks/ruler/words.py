"""Words, numbers and sentences that RULER's haystacks are made of. All of them are ours.

RULER takes its words from the package wonderwords and its prose from Paul Graham's essays. Prose
comes from a given `haystack.txt`, or, without one, from the sentences that are put together here.
"""

import random
import uuid
from collections.abc import Iterator

_ADJECTIVES = """
    able amber ample ancient angry arctic autumn azure bitter blank bold brave brief bright
    brisk broad bronze calm careful cheap chilly civic clean clear clever cloudy coarse cold
    cosy crisp cruel curious curly damp daring dark deep dense distant double dry dull dusty
    eager early eastern elder elegant empty equal exact faint fair famous fast fierce final fine
    firm flat fond foreign formal frail frank fresh frosty full gentle giant glad gloomy golden
    grand grave great green grim happy hard harsh hasty heavy hidden hollow honest huge humble
    hungry idle inner iron jolly keen kind large late lazy lean light little lively local lonely
    long loud loyal lucky main marble mellow mild minor misty modest mossy mute narrow neat
    nimble noble noisy northern odd old open orange outer pale patient plain polite proud pure
    quick quiet rapid rare ready red rich ripe rough round royal rural rusty sacred salty
    scarlet secret sharp shiny short shy silent silver simple sleepy slim slow small smooth
    snowy sober soft solid sour southern spare steady steep stern stiff stout strange strict
    strong sturdy subtle sudden sunny sweet swift tall tame tender thick thin tidy tiny tired
    tough tranquil true urban vast velvet violet vivid warm weary western white wide wild windy
    wise witty wooden young
"""
ADJECTIVES = tuple(_ADJECTIVES.split())
"""Adjectives of one word each, without repetition."""

_NOUNS = """
    acorn anchor ankle apple apron arch arrow attic axle badge bakery balcony bamboo banner
    barley barn barrel basin basket beacon beaver bell bench berry blanket boat bonnet bottle
    bridge brook broom bucket button cabin cable camel candle canoe canyon carpet castle cedar
    cellar chain chair chapel cherry chimney circle cliff clock cloud clover coast collar comet
    compass copper corner cottage cotton cradle crane crater cricket crown cupboard curtain
    daisy desert diary donkey door dragon drawer drum eagle easel elbow engine fable falcon farm
    feather fence fern ferry fiddle field flag flame flute forest fork fountain fox garden
    garlic gate glacier glove goose grain granite grape hammer harbour harvest hazel hedge
    helmet heron hill hinge honey horizon horn hotel island ivory jacket jar jewel journal
    kettle key kitchen kite ladder lagoon lake lamp lantern laurel leaf ledger lemon lentil
    letter library lighthouse lily lion lizard locket loom magnet mantle maple market marsh
    meadow melon mill mirror mitten monk moon mortar mosaic moth mountain museum napkin needle
    nest nettle oak oar oasis ocean olive onion orchard organ otter oven owl oyster paddle
    palace panther parcel parrot pasture path pear pebble pencil pepper piano pigeon pillar
    pillow pilot plate plough pocket pond poplar potato prairie pulley pump quarry quilt rabbit
    raft rail rain raven reed ribbon ridge river road robin rocket roof rope rudder saddle sail
    salmon sandal satchel saucer scarf school seed shadow shed shell shore shovel sickle signal
    sled slope snail sparrow spindle spoon spring squirrel stable staircase station stone stove
    stream street summit swallow table tailor teapot temple tent thimble thistle thorn tiger
    timber torch tower trail train trumpet tulip tunnel turnip turtle valley vessel village vine
    violin wagon wallet walnut water wheat wheel whistle willow window winter wolf workshop wren
"""
NOUNS = tuple(_NOUNS.split())
"""Nouns of one word each, without repetition."""

NOISE = "Grass grows by the path. Clouds drift over the hill. The lamp is on. We walk out and back."
"""One line of the haystack that says nothing."""

_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"
_SYLLABLES = tuple(consonant + vowel for consonant in _CONSONANTS for vowel in _VOWELS)
NUM_MADE_WORDS = len(_SYLLABLES) ** 3
"""Words that `made_word` has: 343,000."""

_WHEN = ("In the morning", "At noon", "Late in the day", "After the rain", "That winter", "Later")
_DOES = (
    "carried", "counted", "covered", "described", "drew", "found", "lifted", "measured", "mended",
    "moved", "painted", "polished", "remembered", "sold", "studied", "washed",
)  # fmt: skip
_WHERE = ("behind", "beside", "beyond", "near", "over", "under")


def number(dice: random.Random) -> str:
    """Return a number of seven digits."""
    return str(dice.randint(10**6, 10**7 - 1))


def identifier(dice: random.Random) -> str:
    """Return a UUID of version 4."""
    return str(uuid.UUID(int=dice.getrandbits(128), version=4))


def compound(dice: random.Random) -> str:
    """Return one of 12 million compounds of two adjectives and a noun: `calm-amber-violin`."""
    return f"{dice.choice(ADJECTIVES)}-{dice.choice(ADJECTIVES)}-{dice.choice(NOUNS)}"


def made_word(index: int) -> str:
    """Return a word that can be pronounced, another one for every index: `tamelu`."""
    syllables: list[str] = []
    for _ in range(3):
        index, place = divmod(index, len(_SYLLABLES))
        syllables.append(_SYLLABLES[place])
    return "".join(syllables)


def distinct_words(dice: random.Random, num_words: int) -> list[str]:
    """Return words that all differ: English ones, or made ones where there are too few."""
    english = sorted({*ADJECTIVES, *NOUNS})
    if num_words <= len(english):
        return dice.sample(english, num_words)
    return [made_word(index) for index in dice.sample(range(NUM_MADE_WORDS), num_words)]


def filler_sentences(dice: random.Random) -> Iterator[str]:
    """Yield sentences without end; digits and hyphens do not occur in them."""
    while True:
        yield (
            f"{dice.choice(_WHEN)} the {dice.choice(ADJECTIVES)} {dice.choice(NOUNS)} and the "
            f"{dice.choice(NOUNS)} {dice.choice(_WHERE)} it were what somebody "
            f"{dice.choice(_DOES)}."
        )
