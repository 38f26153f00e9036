from pathlib import Path

from longloom.records import Split
from longloom.synthesis.corpus_steps import SettledCorpus
from longloom.synthesis.weaving.collections import plan_collections, tokens_of


def _corpus(*tokens_by_shard: dict[tuple[str, Split], float]) -> SettledCorpus:
    places = range(len(tokens_by_shard))
    return SettledCorpus(
        documents=tuple(Path(f"documents/{place}") for place in places),
        facts=tuple(Path(f"facts/{place}") for place in places),
        decisions=Path("decisions.json"),
        digest="",
        tokens_by_shard=tokens_by_shard,
    )


def _train(**tokens: float) -> dict[tuple[str, Split], float]:
    return {(genre, Split.TRAIN): number for genre, number in tokens.items()}


def test_small_genres_stand_together_with_the_shards_that_hold_them() -> None:
    corpus = _corpus(_train(law=10), _train(novel=20), _train(law=5, table=5))
    (only,) = plan_collections(corpus, max_tokens=100)
    assert only.genres == ("law", "novel", "table")
    assert only.documents == corpus.documents
    assert only.facts == corpus.facts


def test_groups_are_closed_before_they_grow_too_large() -> None:
    corpus = _corpus(_train(law=40, novel=40, table=40))
    collections = plan_collections(corpus, max_tokens=100)
    assert [source.genres for source in collections] == [("law", "novel"), ("table",)]


def test_a_large_genre_is_cut_into_runs_of_shards() -> None:
    corpus = _corpus(*(_train(law=60) for _ in range(5)), _train(novel=10))
    collections = plan_collections(corpus, max_tokens=130)
    assert [(source.genres, len(source.documents)) for source in collections] == [
        (("law",), 2),
        (("law",), 2),
        (("law",), 1),
        (("novel",), 1),
    ]
    assert [tokens_of(corpus, source, "law", Split.TRAIN) for source in collections] == [
        120,
        120,
        60,
        0,
    ]


def test_held_out_documents_count_too() -> None:
    corpus = _corpus({("law", Split.TRAIN): 60, ("law", Split.HELD_OUT): 60}, _train(law=60))
    assert [len(source.documents) for source in plan_collections(corpus, max_tokens=130)] == [1, 1]
