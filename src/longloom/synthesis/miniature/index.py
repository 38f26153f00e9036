"""The corpus made ready for drawing: pieces with their facts, by relation and by key.

A piece is a block of statements small enough for a context. The index is built once; a `View` is
the index as one split may see it, with the paths of facts that questions can be made from.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from longloom.records import BlockKind, Document, DocumentKind, Split
from longloom.synthesis.miniature.config import MiniatureConfig
from longloom.synthesis.miniature.documents import Corpus
from longloom.synthesis.miniature.documents.rendering import BLOCK_SEPARATOR
from longloom.synthesis.miniature.fact import Fact
from longloom.synthesis.miniature.facts import extract_facts, relation_named
from longloom.synthesis.miniature.split import split_titles
from longloom.text.tokenizer import Tokenizer

Key = tuple[str, str]
"""Relation and subject; a context never holds two values of one key from two pieces."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Piece:
    """A span of a document that is placed in contexts as a whole."""

    doc_id: str
    """The document it is cut from."""
    start: int
    """First character, in document coordinates."""
    end: int
    """One past the last character."""
    text: str
    """Its text."""
    prefix: str
    """Layout written before it: the speakers of a dialogue turn, or nothing."""
    facts: tuple[Fact, ...]
    """The facts it states, in order; none for prose."""
    keys: frozenset[Key]
    """Keys of these facts."""
    split: Split
    """Split of its document."""
    num_tokens: int
    """Tokens of prefix, text and the separator after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """Facts that lead from a subject to a value, each with the piece that states it."""

    facts: tuple[Fact, ...]
    """One fact a hop; the value of each is the subject of the next."""
    pieces: tuple[Piece, ...]
    """The pieces, one a hop."""

    @property
    def relations(self) -> tuple[str, ...]:
        """Relation names in the order of the hops."""
        return tuple(fact.relation for fact in self.facts)

    @property
    def answer(self) -> str:
        """The value at the end."""
        return self.facts[-1].value


class CorpusIndex:
    """Pieces, facts and references of a corpus for one tokenizer."""

    def __init__(self, corpus: Corpus, config: MiniatureConfig, *, tokenizer: Tokenizer) -> None:
        self.config = config
        self.document_by_id: Mapping[str, Document] = {
            document.doc_id: document for document in corpus.documents
        }
        self._split_by_title = split_titles(
            (document.title for document in corpus.documents), config.held_out_fraction
        )
        self._tokenizer = tokenizer
        self._references = corpus.references
        self._name_fits: dict[str, bool] = {}
        self._training_statements: set[tuple[str, str, str]] = set()
        self.num_facts = 0
        self.pieces: list[Piece] = []
        self.prose: list[Piece] = []
        for document in corpus.documents:
            self._add(document)
        self._stated: dict[tuple[str, str], list[tuple[Fact, Piece]]] = defaultdict(list)
        self._homes: dict[str, list[str]] = defaultdict(list)
        for piece in self.pieces:
            for fact in piece.facts:
                self._stated[fact.doc_id, fact.subject].append((fact, piece))
        for doc_id, subject in self._stated:
            if self.document_by_id[doc_id].kind is not DocumentKind.CODE:
                self._homes[subject].append(doc_id)

    def _add(self, document: Document) -> None:
        config = self.config
        split = self._split_by_title[document.title]
        facts_by_start: dict[int, Fact] = {fact.start: fact for fact in extract_facts(document)}
        self.num_facts += len(facts_by_start)
        if split is Split.TRAIN:
            self._training_statements.update(map(_statement_of, facts_by_start.values()))
        facts = sorted(facts_by_start.values(), key=lambda fact: fact.start)
        position = 0
        for block in document.blocks:
            inside = []
            while position < len(facts) and facts[position].start < block.end:
                inside.append(facts[position])
                position += 1
            if not inside and (config.prose_fraction == 0 or block.kind is BlockKind.HEADING):
                continue
            piece = self.cut(document, block.start, block.end, tuple(inside), split=split)
            if piece.num_tokens <= config.max_block_tokens:
                (self.pieces if inside else self.prose).append(piece)

    def cut(
        self,
        document: Document,
        start: int,
        end: int,
        facts: tuple[Fact, ...],
        *,
        split: Split,
        prefix: str = "",
        separator: str = BLOCK_SEPARATOR,
    ) -> Piece:
        """Return a piece of `document` with its length in tokens."""
        text = document.text[start:end]
        return Piece(
            doc_id=document.doc_id,
            start=start,
            end=end,
            text=text,
            prefix=prefix,
            facts=facts,
            keys=frozenset((fact.relation, fact.subject) for fact in facts),
            split=split,
            num_tokens=len(self._tokenizer.encode(prefix + text + separator)),
        )

    def name_fits(self, name: str) -> bool:
        """Return whether a name is short enough to be asked for."""
        fits = self._name_fits.get(name)
        if fits is None:
            fits = len(self._tokenizer.encode(f" {name}")) <= self.config.longest_name_tokens
            self._name_fits[name] = fits
        return fits

    def is_stated_in_training(self, fact: Fact) -> bool:
        """Return whether a training document states the same, as generated modules often do."""
        return _statement_of(fact) in self._training_statements

    def facts_about(self, doc_id: str, subject: str) -> Sequence[tuple[Fact, Piece]]:
        """Return what a document states about a subject."""
        return self._stated.get((doc_id, subject), ())

    def askable(self, doc_id: str, subject: str) -> list[tuple[Fact, Piece]]:
        """Return the facts about a subject that are the only ones with their relation."""
        stated = self.facts_about(doc_id, subject)
        num_stated: dict[str, int] = defaultdict(int)
        for fact, _ in stated:
            num_stated[fact.relation] += 1
        return [
            (fact, piece)
            for fact, piece in stated
            if num_stated[fact.relation] == 1 and self.name_fits(fact.value)
        ]

    def home_of(self, fact: Fact) -> str:
        """Return the doc_id of the document that defines the value of `fact`, or nothing.

        Code follows its imports; elsewhere a name must be a subject of exactly one document.
        """
        if self.document_by_id[fact.doc_id].kind is DocumentKind.CODE:
            if fact.relation not in {"calls", "inherits", "raises"}:
                return ""
            return self._references.get(fact.doc_id, {}).get(fact.value, "")
        homes = self._homes.get(fact.value, ())
        return homes[0] if len(homes) == 1 and not fact.is_number else ""

    def num_documents_of(self, split: Split) -> int:
        """Return how many documents belong to a split."""
        return sum(found is split for found in self._split_by_title.values())

    def subjects(self) -> Iterable[tuple[str, str]]:
        """Return every (doc_id, subject) in corpus order."""
        return self._stated.keys()


def _statement_of(fact: Fact) -> tuple[str, str, str]:
    return fact.relation, fact.subject, fact.value


def turn_prefix(topic: str) -> str:
    """Return what stands before a reply: the user's request for a topic, and the speaker."""
    return f"user: {topic}\nassistant: "


class View:
    """What one split may draw from an index."""

    def __init__(self, index: CorpusIndex, split: Split) -> None:
        self.index = index
        self.split = split
        self.pool = [piece for piece in index.pieces if self._may_show(piece)]
        self.prose_pool = [piece for piece in index.prose if self._may_show(piece)]
        pool_by_relation: dict[str, list[Piece]] = defaultdict(list)
        for piece in self.pool:
            for relation in dict.fromkeys(fact.relation for fact in piece.facts):
                pool_by_relation[relation].append(piece)
        self.pool_by_relation: Mapping[str, Sequence[Piece]] = dict(pool_by_relation)
        self._paths: dict[int, list[Path]] = {}
        self._turns_by_topic: dict[str, list[Piece]] = {}
        self._turns: list[Piece] = []

    def _may_show(self, piece: Piece) -> bool:
        return self.split is Split.HELD_OUT or piece.split is Split.TRAIN

    def may_answer(self, fact: Fact, piece: Piece) -> bool:
        """Return whether a fact of a piece may be the answer.

        Its document is of this very split, and no training document states what is held out.
        """
        if piece.split is not self.split:
            return False
        return self.split is Split.TRAIN or not self.index.is_stated_in_training(fact)

    def paths(self, num_hops: int) -> list[Path]:
        """Return all paths of `num_hops` hops; longer ones than 1 cross documents."""
        if num_hops not in self._paths:
            found = self._single() if num_hops == 1 else self._extended(num_hops)
            self._paths[num_hops] = found
        return self._paths[num_hops]

    def answer_paths(self, num_hops: int) -> list[Path]:
        """Return the paths whose answer this split may ask for."""
        return [
            path
            for path in self.paths(num_hops)
            if self.may_answer(path.facts[-1], path.pieces[-1])
            and (num_hops == 1 or len({fact.doc_id for fact in path.facts}) > 1)
        ]

    def _single(self) -> list[Path]:
        index = self.index
        return [
            Path(facts=(fact,), pieces=(piece,))
            for doc_id, subject in index.subjects()
            if index.name_fits(subject)
            for fact, piece in index.askable(doc_id, subject)
            if self._may_show(piece) and fact.value != subject
        ]

    def _extended(self, num_hops: int) -> list[Path]:
        longer = []
        for path in self.paths(num_hops - 1):
            home = self.index.home_of(path.facts[-1])
            if not home:
                continue
            nodes = {path.facts[0].subject, *(fact.value for fact in path.facts)}
            for fact, piece in self.index.askable(home, path.answer):
                is_new = piece not in path.pieces and fact.value not in nodes
                if is_new and self._may_show(piece):
                    longer.append(Path(facts=(*path.facts, fact), pieces=(*path.pieces, piece)))
        return longer

    def turns_by_topic(self) -> Mapping[str, Sequence[Piece]]:
        """Return dialogue turns by what the user asks about: one statement line a reply."""
        if not self._turns_by_topic:
            index = self.index
            for piece in self.pool:
                for fact in piece.facts:
                    topic = relation_named(fact.relation).topic
                    if topic:
                        turn = index.cut(
                            index.document_by_id[fact.doc_id],
                            fact.start,
                            fact.end,
                            (fact,),
                            split=piece.split,
                            prefix=turn_prefix(topic),
                            separator="\n",
                        )
                        self._turns_by_topic.setdefault(topic, []).append(turn)
        return self._turns_by_topic

    def turns(self) -> Sequence[Piece]:
        """Return all dialogue turns."""
        if not self._turns:
            self._turns = [turn for turns in self.turns_by_topic().values() for turn in turns]
        return self._turns
