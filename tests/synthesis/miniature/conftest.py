from dataclasses import replace
from pathlib import Path

import pytest

from longloom.synthesis.miniature import Corpus, MiniatureConfig, read_corpus
from longloom.synthesis.miniature.pipeline import MiniatureResult, synthesize
from synthesis.word_tokenizer import WordTokenizer

SMALL_CONFIG = MiniatureConfig(num_train_examples=60, num_held_out_examples=40)


@pytest.fixture(scope="session")
def tokenizer() -> WordTokenizer:
    return WordTokenizer()


@pytest.fixture(scope="session")
def builtin_corpus() -> Corpus:
    return read_corpus("builtin")


def _part(corpus: Corpus, packages: str) -> Corpus:
    documents = [
        document
        for document in corpus.documents
        if document.title.partition(".")[0] in packages.split()
    ]
    return replace(corpus, documents=tuple(documents))


@pytest.fixture(scope="session")
def some_corpus(builtin_corpus: Corpus) -> Corpus:
    """Return a part of the corpus that gives every task: indexing it all takes longer."""
    names = "asyncio codecs collections contextlib distutils email http importlib json logging"
    return _part(builtin_corpus, f"{names} multiprocessing os re typing unittest urllib xml")


@pytest.fixture(scope="session")
def few_documents(builtin_corpus: Corpus) -> Corpus:
    """Return a small part, for tests that make examples anew."""
    return _part(builtin_corpus, "asyncio collections contextlib email re")


@pytest.fixture(scope="session")
def result(some_corpus: Corpus, tokenizer: WordTokenizer) -> MiniatureResult:
    return synthesize(SMALL_CONFIG, tokenizer=tokenizer, corpus=some_corpus)


@pytest.fixture
def folder_of(tmp_path: Path):
    """Return a function that writes files, named by relative path, into a folder."""

    def write(files: dict[str, str | bytes]) -> Path:
        root = tmp_path / "documents"
        root.mkdir(exist_ok=True)
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return root

    return write
