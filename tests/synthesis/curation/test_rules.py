from dataclasses import replace

import pytest

from longloom.records import BlockKind, Document, DocumentKind
from longloom.synthesis.config import CurationConfig
from longloom.synthesis.curation.languages import language_of
from longloom.synthesis.curation.rules import drop_reason
from longloom.synthesis.documents.building import DocumentBuilder

ENGLISH = (
    "The keeper of the lighthouse wrote down the weather every evening, and in the spring of the "
    "second year he began to note the ships that passed as well. Most of them were fishing boats "
    "from the harbour in the north, but now and then a larger vessel came close to the rocks, and "
    "he would stay awake until it was out of sight. His sister kept the books of the station. She "
    "counted the barrels of oil, the wicks and the panes of glass that had to be replaced. When "
    "the inspector arrived in June, he found that nothing was missing and that both accounts "
    "agreed with each other, which he had not seen at any other station on this coast."
)
SAMPLES = {
    "de": "Der Wärter des Leuchtturms schrieb jeden Abend das Wetter auf, und im zweiten Jahr "
    "begann er, auch die Schiffe zu notieren, die an ihm vorbei fuhren. Die meisten waren Boote "
    "aus dem Hafen im Norden, aber ab und zu kam ein größeres Schiff nahe an die Felsen, und er "
    "blieb wach, bis es nicht mehr zu sehen war. Seine Schwester führte die Bücher der Station "
    "und zählte die Fässer, die Dochte und die Scheiben aus Glas, die ersetzt werden mussten.",
    "fr": "Le gardien du phare notait chaque soir le temps qu'il faisait, et dans la deuxième "
    "année il a commencé à noter aussi les navires qui passaient. La plupart étaient des bateaux "
    "de pêche du port qui se trouve au nord, mais de temps en temps un navire plus grand venait "
    "près des rochers, et il ne dormait pas avant de ne plus le voir. Sa soeur tenait les comptes "
    "de la station et comptait les barils, les mèches et les vitres pour les remplacer.",
    "es": "El guardián del faro anotaba cada noche el tiempo que hacía, y en el segundo año "
    "empezó a anotar también los barcos que pasaban. La mayor parte eran barcos de pesca del "
    "puerto que está en el norte, pero de vez en cuando un barco más grande se acercaba a las "
    "rocas, y no dormía hasta que ya no lo veía. Su hermana llevaba las cuentas de la estación y "
    "contaba los barriles, las mechas y los vidrios que había que cambiar por otros.",
    "it": "Il guardiano del faro scriveva ogni sera che tempo faceva, e nel secondo anno cominciò "
    "a scrivere anche le navi che passavano. La maggior parte erano barche da pesca del porto che "
    "si trova a nord, ma di tanto in tanto una nave più grande si avvicinava agli scogli, e non "
    "dormiva finché non la vedeva più. La sorella teneva i conti della stazione e contava i barili "
    "di olio, gli stoppini e i vetri che dovevano essere cambiati con altri nella torre.",
    "pt": "O guarda do farol anotava todas as noites o tempo que fazia, e no segundo ano começou "
    "a anotar também os navios que passavam. A maior parte eram barcos de pesca do porto que fica "
    "no norte, mas de vez em quando um navio maior vinha para perto das rochas, e ele não dormia "
    "até que já não o via. A sua irmã fazia as contas da estação e contava os barris, os pavios e "
    "os vidros que era preciso trocar por outros na torre do farol, como nos outros anos.",
    "nl": "De wachter van de vuurtoren schreef elke avond op wat voor weer het was, en in het "
    "tweede jaar begon hij ook de schepen te noteren die voorbij kwamen. De meeste waren boten uit "
    "de haven in het noorden, maar nu en dan kwam er een groter schip dicht bij de rotsen, en dan "
    "bleef hij wakker tot het niet meer te zien was. Zijn zus hield de boeken van het station bij "
    "en telde de vaten, de lonten en de ruiten die vervangen moesten worden door andere.",
}
POLISH = (
    "Latarnik zapisywał każdego wieczoru pogodę, a w drugim roku zaczął zapisywać także statki, "
    "które przepływały obok. Większość stanowiły łodzie rybackie z portu na północy, lecz czasem "
    "większy okręt zbliżał się niebezpiecznie do skał i wtedy czuwał, dopóki nie zniknął mu z "
    "oczu. Siostra prowadziła księgi stacji. "
)


def document(
    text: str, *, genre: str = "text", kind: DocumentKind = DocumentKind.GENERAL
) -> Document:
    builder = DocumentBuilder(title="T", kind=kind, genre=genre, source="t", licence="MIT")
    for paragraph in text.split("\n\n"):
        builder.block(BlockKind.PARAGRAPH, paragraph)
    return builder.build().document


def reason(text: str, **given: object) -> str:
    config = CurationConfig()
    return drop_reason(document(text, **given), config, num_tokens=100)  # type: ignore[arg-type]


def test_plain_english_is_kept() -> None:
    assert reason(ENGLISH) == ""


@pytest.mark.parametrize("language", sorted(SAMPLES))
def test_latin_languages_are_told_apart_by_common_words(language: str) -> None:
    assert language_of(SAMPLES[language]) == language
    assert reason(SAMPLES[language]) == f"language: {language}"


def test_wanted_languages_are_kept() -> None:
    config = CurationConfig(languages=("de", "en"))
    assert drop_reason(document(SAMPLES["de"]), config, num_tokens=100) == ""
    everything = CurationConfig(languages=())
    assert drop_reason(document(SAMPLES["fr"]), everything, num_tokens=100) == ""


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("zh", "灯塔看守人每天晚上记录天气" * 50),
        ("ja", "灯台守は毎晩天気を書きとめた" * 50),
        ("ko", "등대지기는 매일 저녁 날씨를 적었다 " * 35),
        ("ru", "Смотритель маяка каждый вечер записывал погоду " * 35),
        ("ar", "كان حارس المنارة يدون الطقس كل مساء " * 35),
    ],
)
def test_scripts_name_their_language(language: str, text: str) -> None:
    assert language_of(text) == language
    assert reason(text) == f"language: {language}"


def test_an_english_text_with_foreign_quotations_is_kept() -> None:
    assert reason(f"{ENGLISH}\n\n{ENGLISH[:300]}\n\n{SAMPLES['fr'][:200]}") == ""


def test_running_text_of_an_unlisted_language_is_dropped() -> None:
    different = " ".join(POLISH.replace("statki", f"statki{number}") for number in range(9))
    assert reason(different) == "language: not en"


def test_a_list_of_names_has_no_language() -> None:
    names = " ".join(f"Ada{number} Byron{number} Kowalska{number}" for number in range(200))
    assert reason(names) == ""


def test_repeated_lines_and_paragraphs_are_dropped() -> None:
    line = "Sign in to read the whole article on this site"
    fraction = 11 * len(line) / (12 * len(line) + len(ENGLISH))
    assert fraction > 0.4
    expected = f"repetition: {fraction:.0%} of lines repeat"
    assert reason("\n".join([ENGLISH, *[line] * 12])) == expected


def test_one_phrase_over_and_over_is_dropped() -> None:
    words = " ".join(f"best price for you today number{number}" for number in range(80))
    # `best price for you` takes up 4 of every 6 words.
    assert reason(words) == "repetition: 67% of words in one phrase"


def test_symbols_and_bare_figures_are_dropped() -> None:
    assert reason("<<>> ## a1 " * 60) == "symbols: 55% of characters"
    assert reason(f"{'12 345 6 ' * 200} the of") == "symbols: 100% of words without a letter"


def test_tables_code_and_dialogues_are_not_judged_like_prose() -> None:
    figures = "\n".join(f"{number} | {number * 7 % 11} | {number * 3}" for number in range(200))
    assert reason(figures, genre="table") == ""
    code = "\n".join(f"    self.x{number} = {{}}  # ->" for number in range(100))
    assert reason(code, kind=DocumentKind.CODE, genre="code") == ""
    talk = "\n\n".join(["User: Yes.", "System: Anything else?"] * 40 + [ENGLISH])
    assert reason(talk, kind=DocumentKind.DIALOGUE, genre="dialogue") == ""


def test_tables_inside_a_document_are_not_judged() -> None:
    builder = DocumentBuilder(
        title="T", kind=DocumentKind.GENERAL, genre="text", source="t", licence="MIT"
    )
    builder.block(BlockKind.PARAGRAPH, ENGLISH)
    builder.block(BlockKind.TABLE, "\n".join(["| -- | -- |"] * 500))
    assert drop_reason(builder.build().document, CurationConfig(), num_tokens=900) == ""


def test_bytes_that_were_no_text_are_dropped() -> None:
    broken = replace(document(ENGLISH), text=ENGLISH + "\ufffd\x01" * 50)
    found = drop_reason(broken, CurationConfig(), num_tokens=100)
    assert found == f"not text: {100 / (len(ENGLISH) + 100):.0%} of characters"


def test_length_is_bounded_on_both_sides() -> None:
    config = CurationConfig(min_document_tokens=30, max_document_characters=100)
    assert drop_reason(document("Short."), config, num_tokens=29.5) == "shorter than 30 tokens"
    assert drop_reason(document(ENGLISH), config, num_tokens=99) == "longer than 100 characters"
