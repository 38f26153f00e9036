"""Read the facts of a document off its statement lines.

What it leaves out: prose. Only blocks that hold statements are read, so a sentence of three words
is never taken for a fact.
"""

from longloom.records import Block, BlockKind, Document, DocumentKind
from longloom.synthesis.miniature.fact import Fact
from longloom.synthesis.miniature.facts.relations import relation_of_word, states_number

_BY_MARKUP = 1
_BY_SYNTAX_TREE = 2


def extract_facts(document: Document) -> tuple[Fact, ...]:
    """Return every fact of `document` in the order of its text.

    Outlines of code state facts in code blocks (certainty 2, from the syntax tree); all other
    documents in table blocks (certainty 1, from markup): table rows, requirements, links.
    `document.text[fact.start:fact.end]` is the statement.
    """
    is_code = document.kind is DocumentKind.CODE
    wanted = BlockKind.CODE if is_code else BlockKind.TABLE
    certainty = _BY_SYNTAX_TREE if is_code else _BY_MARKUP
    return tuple(
        fact
        for block in document.blocks
        if block.kind is wanted
        for fact in _facts_of_block(document, block, certainty)
    )


def _facts_of_block(document: Document, block: Block, certainty: int) -> list[Fact]:
    facts = []
    start = block.start
    for line in document.text[block.start : block.end].split("\n"):
        words = line.split(" ")
        if len(words) == 3 and all(words):
            relation = relation_of_word(words[0])
            facts.append(
                Fact(
                    subject=words[1],
                    relation=relation,
                    value=words[2],
                    is_number=states_number(relation, words[2]),
                    doc_id=document.doc_id,
                    start=start,
                    end=start + len(line),
                    certainty=certainty,
                )
            )
        start += len(line) + 1
    return facts
