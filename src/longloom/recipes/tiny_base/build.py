"""Build the tiny base model from a seed: documents, tokenizer, weights, model card."""

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch

from longloom.models.folder import save_model, shape_settings
from longloom.models.qwen3 import Qwen3, Qwen3Shape
from longloom.recipes.tiny_base.initialise import initialise
from longloom.recipes.tiny_base.measure import BaseMeasures, measure_base
from longloom.recipes.tiny_base.model_card import model_card
from longloom.recipes.tiny_base.pretrain import (
    BALANCE,
    BALANCE_LEARNING_RATE,
    PHASES,
    Phase,
    PretrainProgress,
    pretrain,
)
from longloom.recipes.tiny_base.repetition import RepetitionLists
from longloom.recipes.tiny_base.traces import TraceBook
from longloom.recipes.tiny_base.vocabulary import (
    END_OF_TEXT,
    TURN_END,
    build_tokenizer,
    save_tokenizer,
)
from longloom.records import Context, Example, Split
from longloom.synthesis.miniature import Corpus, MiniatureConfig, read_corpus
from longloom.synthesis.miniature.pipeline import synthesize
from longloom.text.prompts import load_templates
from longloom.text.tokenizer import FolderTokenizer

SHAPE = Qwen3Shape(
    vocab_size=4_096,
    hidden_size=128,
    intermediate_size=384,
    num_hidden_layers=4,
    num_attention_heads=4,
    num_key_value_heads=4,
    head_dim=32,
    max_position_embeddings=8_192,
    rope_theta=1_000_000.0,
    rms_norm_eps=1e-6,
    tie_word_embeddings=True,
)
STAGE_1_PROMPT_TOKENS = 96
STAGE_1_RESPONSE_TOKENS = 32
SECTION_TOKENS = 160
NUM_TRAIN_EXAMPLES = 6_000
NUM_MEASURED_EXAMPLES = 300
# Statements of these relations name things; their names fill the vocabulary.
NAMING_WORDS = ("module", "base", "parameters", "callee", "error")


def build_tiny_base(
    output: Path,
    *,
    seed: int,
    phases: Sequence[Phase] = PHASES,
    balance: Phase = BALANCE,
    report: Callable[[PretrainProgress], None],
) -> BaseMeasures:
    """Write the model folder and its card; return what was measured.

    The same seed on the same machine, versions and thread count gives the same weights.
    """
    started = time.process_time()
    output.mkdir(parents=True, exist_ok=True)
    corpus = read_corpus("builtin")
    names = write_tokenizer(corpus, output)
    tokenizer = FolderTokenizer(output)
    examples, contexts = _synthesize(corpus, tokenizer, seed)
    book = TraceBook(
        [example for example in examples if example.split is Split.TRAIN],
        contexts,
        tokenizer,
        max_prompt_tokens=STAGE_1_PROMPT_TOKENS,
        section_tokens=SECTION_TOKENS,
    )
    model = Qwen3(SHAPE)
    initialise(model, seed=seed)
    lists = RepetitionLists(tokenizer, NAMING_WORDS, names)
    learn = partial(pretrain, model, book, lists, names=names, report=report)
    num_tokens = learn(seed=seed, phases=phases)
    num_tokens += learn(seed=seed + 1, phases=(balance,), learning_rate=BALANCE_LEARNING_RATE)
    save_model(model, output, like=output)
    trained_minutes = (time.process_time() - started) / 60
    measures = measure_base(
        model,
        tokenizer,
        _held_out(examples),
        contexts,
        max_response_tokens=STAGE_1_RESPONSE_TOKENS,
        seed=seed,
    )
    card = model_card(
        measures,
        corpus=corpus,
        num_tokens=num_tokens,
        cpu_minutes=trained_minutes,
        seed=seed,
        num_parameters=sum(parameter.numel() for parameter in model.parameters()),
    )
    (output / "README.md").write_text(card, "utf-8")
    return measures


def write_tokenizer(corpus: Corpus, output: Path) -> range:
    """Write tokenizer files and config.json; return the ids that are names."""
    name_counts: Counter[str] = Counter()
    for document in corpus.documents:
        if not document.source.startswith("stdlib:"):
            continue
        for line in document.text.split("\n"):
            words = line.split(" ")
            if len(words) == 3 and words[0] in NAMING_WORDS:
                name_counts.update(word for word in words[1:] if not word.isdigit())
    tokenizer, names = build_tokenizer(_wording(), name_counts, vocabulary_size=SHAPE.vocab_size)
    save_tokenizer(tokenizer, output, window_tokens=SHAPE.max_position_embeddings)
    settings = shape_settings(
        SHAPE,
        end_id=tokenizer.encode(TURN_END).ids[0],
        pad_id=tokenizer.encode(END_OF_TEXT).ids[0],
    )
    (output / "config.json").write_text(json.dumps(settings, indent=1) + "\n", "utf-8")
    return names


def _wording() -> list[str]:
    """Texts whose every word is to be one token."""
    templates = [text for name, text in load_templates().items() if name.endswith("_compact")]
    return [
        *templates,
        load_templates()["plain"],
        load_templates()["closed_book"],
        *(f"{word} {word}" for word in NAMING_WORDS),
        "What is the sum of the parameter count of X and the parameter count of Y?",
        "What is the difference of the maximum of the X and the Y?",
        "imports overrides default requires version licence link related number",
        "What is the first second reply about a class function package place call error topic?",
        "A. B. C. D. A B C D\nA. x\nB. x\nC. x\nD. x none\nnone",
        "Therefore, the answer is Therefore, the correct answer is\n\nTherefore, user: assistant:",
        "user\nassistant\nsystem\nuser:",
    ]


def _synthesize(
    corpus: Corpus, tokenizer: FolderTokenizer, seed: int
) -> tuple[list[Example], Mapping[str, Context]]:
    config = MiniatureConfig(
        num_train_examples=NUM_TRAIN_EXAMPLES,
        num_held_out_examples=NUM_MEASURED_EXAMPLES,
        length_bands=(STAGE_1_PROMPT_TOKENS, 2 * STAGE_1_PROMPT_TOKENS),
        max_hops=2,
        max_choice_hops=1,
        seed=seed + 1_000,  # not the questions that a recipe with this seed draws
    )
    made = synthesize(config, tokenizer=tokenizer, corpus=corpus)
    return [*made.train, *made.held_out], made.contexts


def _held_out(examples: Sequence[Example]) -> list[Example]:
    return [
        example
        for example in examples
        if example.split is Split.HELD_OUT and example.num_prompt_tokens <= STAGE_1_PROMPT_TOKENS
    ]


def set_reproducible(num_threads: int) -> None:
    """Fix the thread count and refuse operations whose result may vary from run to run."""
    torch.set_num_threads(num_threads)
    torch.use_deterministic_algorithms(True)
