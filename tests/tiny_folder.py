"""A model folder of a few thousand random weights and documents to go with it, made in a second.

The tokenizer is built as that of the tiny base is; the network has never learned anything.
"""

import json
import shutil
import sysconfig
from dataclasses import replace
from pathlib import Path

import torch

from longloom.models.folder import save_model, shape_settings
from longloom.models.qwen3 import Qwen3, Qwen3Shape
from longloom.recipes.tiny_base.build import SHAPE, write_tokenizer
from longloom.synthesis import Corpus, read_corpus
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
