from longloom.records import BlockKind, DocumentKind
from longloom.synthesis.miniature.documents.rendering import RawBlock, render_document
from longloom.synthesis.miniature.facts import RELATIONS, extract_facts, statement


def _document(kind: DocumentKind, block_kind: BlockKind, text: str):
    return render_document(
        title="t",
        kind=kind,
        source="s",
        licence="unknown",
        blocks=[RawBlock(kind=block_kind, text=text)],
    )


def test_every_fact_of_the_builtin_corpus_quotes_its_statement(builtin_corpus) -> None:
    relations = set()
    for document in builtin_corpus.documents:
        for fact in extract_facts(document):
            stated = document.text[fact.start : fact.end]
            assert stated == statement(fact.relation, fact.subject, fact.value)
            relations.add(fact.relation)
    expected = {"calls", "default", "defined_in", "imports", "inherits", "overrides", "parameters"}
    expected |= {"raises", "related", "requires", "version", "licence"}
    assert expected <= relations


def test_outline_facts_carry_relation_number_and_certainty() -> None:
    document = _document(DocumentKind.CODE, BlockKind.CODE, "base A B\nparameters f 2")
    first, second = extract_facts(document)
    assert (first.relation, first.subject, first.value) == ("inherits", "A", "B")
    assert (first.is_number, first.certainty) == (False, 2)
    assert (second.is_number, document.text[second.start : second.end]) == (True, "parameters f 2")


def test_table_facts_take_the_column_as_relation() -> None:
    document = _document(DocumentKind.GENERAL, BlockKind.TABLE, "size Ulm 126.5")
    (fact,) = extract_facts(document)
    assert (fact.relation, fact.is_number, fact.certainty) == ("size", True, 1)


def test_prose_of_three_words_is_no_fact() -> None:
    assert not extract_facts(_document(DocumentKind.GENERAL, BlockKind.PARAGRAPH, "I came here"))


def test_statement_words_tell_relations_apart() -> None:
    words = [relation.word for relation in RELATIONS.values()]
    topics = [relation.topic for relation in RELATIONS.values() if relation.topic]
    assert len(set(words)) == len(words)
    assert len(set(topics)) == len(topics)
