"""A model folder of random weights, and documents and questions to go with it, made in seconds.

The tokenizer is built as that of the tiny base is; the network has never learned anything.
"""

import atexit
import json
import shutil
import sysconfig
import tempfile
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch

from longloom.models.folder import save_model, shape_settings
from longloom.models.qwen3 import Qwen3, Qwen3Shape
from longloom.recipes.tiny_base.build import SHAPE, write_tokenizer
from longloom.synthesis.miniature import Corpus, read_corpus
from longloom.text.tokenizer import FolderTokenizer

WINDOW_TOKENS = 1_024
_MODULES = (
    "argparse", "ast", "bdb", "calendar", "cmd", "codecs", "configparser", "contextlib", "copy",
    "csv", "dataclasses", "datetime", "decimal", "difflib", "dis", "doctest", "enum", "fileinput",
    "filecmp", "fnmatch", "fractions", "ftplib", "functools", "getopt", "glob", "gzip", "hashlib",
    "heapq", "hmac", "imaplib", "inspect", "ipaddress", "locale", "mailbox", "netrc", "numbers",
    "optparse", "pathlib", "pdb", "pickle", "pickletools", "plistlib", "poplib", "pprint", "random",
    "sched", "selectors", "shelve", "shlex", "shutil", "smtplib", "socketserver", "statistics",
    "string", "subprocess", "tarfile", "tempfile", "textwrap", "threading", "timeit", "tokenize",
    "traceback", "typing", "unicodedata", "uuid", "weakref", "zipfile",
)  # fmt: skip


def write_documents(folder: Path) -> Path:
    """Copy some modules of the standard library into `folder`."""
    folder.mkdir(parents=True)
    library = Path(sysconfig.get_path("stdlib"))
    for name in _MODULES:
        if (library / f"{name}.py").is_file():
            shutil.copy(library / f"{name}.py", folder)
    return folder


def write_model(folder: Path, documents: Path, *, seed: int = 0) -> Path:
    """Write a random network with a tokenizer that knows the names in `documents`."""
    folder.mkdir(parents=True)
    corpus = read_corpus(str(documents))
    named = [replace(document, source=f"stdlib:{document.title}") for document in corpus.documents]
    write_tokenizer(
        Corpus(documents=tuple(named), skipped={}, references=corpus.references), folder
    )
    tokenizer = FolderTokenizer(folder)
    shape = Qwen3Shape(
        **{
            **{name: getattr(SHAPE, name) for name in Qwen3Shape.__dataclass_fields__},
            "vocab_size": tokenizer.vocabulary_size,
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "head_dim": 8,
            "max_position_embeddings": WINDOW_TOKENS,
        }
    )
    settings = shape_settings(shape, end_id=tokenizer.end_id, pad_id=0)
    (folder / "config.json").write_text(json.dumps(settings), "utf-8")
    torch.manual_seed(seed)
    save_model(Qwen3(shape), folder, like=folder)
    return folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Toy:
    """What the verbs need, made once for all tests; nobody writes into it."""

    documents: Path
    """Some modules of the standard library."""
    model: Path
    """A random model."""
    questions: Path
    """Examples with prompts of up to 96 and 192 tokens."""
    long_questions: Path
    """Examples on documents of 500 tokens."""


@cache
def toy() -> Toy:
    """Return the shared documents, model and questions."""
    from longloom.recipes import api

    folder = Path(tempfile.mkdtemp(prefix="longloom-toy-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    documents = write_documents(folder / "documents")
    model = write_model(folder / "model", documents)
    api.synthesize_miniature(
        documents,
        output=folder / "questions",
        model=model,
        num_train=10,
        num_held_out=5,
        overrides=["synthesis.length_bands=[96,192]"],
    )
    api.synthesize_miniature(
        documents,
        output=folder / "long",
        model=model,
        num_train=3,
        num_held_out=3,
        document_tokens=500,
    )
    return Toy(
        documents=documents,
        model=model,
        questions=folder / "questions",
        long_questions=folder / "long",
    )


TINY_TRAINING = (
    "training.num_steps=2",
    "training.group_size=2",
    "training.sampling.batch_size=5",
)
"""Overrides that make a stage take a fraction of a second."""


def tiny_run(parts: Toy) -> list[str]:
    """Return overrides that make the recipe tiny-cpu take a few seconds on `parts`."""
    sizes = ((0, 2, 5), (1, 1, 5), (2, 1, 5), (3, 1, 3), (5, 1, 5))
    return [
        f"model={parts.model}",
        f"synthesis.documents={parts.documents}",
        "synthesis.num_train_examples=10",
        "synthesis.num_held_out_examples=5",
        "num_memory_examples=3",
        "evaluation.num_questions=5",
        "evaluation.num_documents=3",
        "evaluation.windows=[2]",
        "evaluation.in_background=false",
        *(
            f"stages.{stage}.training.{setting}"
            for stage, num_steps, batch_size in sizes
            for setting in (
                f"num_steps={num_steps}",
                "group_size=2",
                f"sampling.batch_size={batch_size}",
            )
        ),
    ]
