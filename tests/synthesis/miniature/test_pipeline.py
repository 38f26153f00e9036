"""The whole of synthesis on the documents of this machine, judged by a slow second reader."""

import logging
import re
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

from longloom.errors import ConfigError, DataError
from longloom.records import Context, Example, RewardRule, Split, TaskType
from longloom.synthesis.miniature import MiniatureConfig, TaskWeights, split_of_title
from longloom.synthesis.miniature.long_documents import synthesize_long
from longloom.synthesis.miniature.pipeline import synthesize
from longloom.synthesis.task_weights import task_quotas
from longloom.text.prompts import single_pass_prompt
from synthesis.miniature.conftest import SMALL_CONFIG
from synthesis.word_tokenizer import WordTokenizer

WORD_BY_PHRASE = {"parameter count": "parameters"}


def _context_of(result, example: Example) -> Context:
    return result.contexts[example.context_id]


def _all(result) -> tuple[Example, ...]:
    return (*result.train, *result.held_out)


def _stated(text: str) -> dict[tuple[str, str], set[str]]:
    """Read a context as a person would: lines of three words."""
    found = defaultdict(set)
    for line in text.split("\n"):
        words = line.removeprefix("assistant: ").split(" ")
        if len(words) == 3:
            found[words[0], words[1]].add(words[2])
    return found


def _follow(phrase: str, stated) -> str:
    *relations, subject = phrase.split(" of ")
    for relation in reversed(relations):
        noun = relation.removeprefix("the ")
        (subject,) = stated[WORD_BY_PHRASE.get(noun, noun), subject]
    return subject


def _second_reader(example: Example, text: str) -> str:
    """Answer from the wording of the question and the text alone."""
    stated = _stated(text)
    stem, *options = example.question.split("\n")
    asked = stem.removeprefix("What is ").removesuffix("?")
    reply = re.fullmatch(r"the (first|second) reply about an? (\S+)", asked)
    if reply:
        turns = re.findall(rf"user: {reply[2]}\nassistant: (.*)", text)
        assert len(turns) == 2
        return turns[("first", "second").index(reply[1])]
    operation = re.fullmatch(r"the (sum|difference|maximum) of (the .*) and (the .*)", asked)
    if operation:
        first, second = (int(_follow(part, stated)) for part in operation.groups()[1:])
        values = {"sum": first + second, "difference": first - second}
        return str(values.get(operation[1], max(first, second)))
    answer = _follow(asked, stated)
    if options:
        (letter,) = (option[0] for option in options if option[3:] == answer)
        return letter
    return answer


def test_every_task_is_made_in_every_band_and_split(result) -> None:
    assert result.summary.written == result.summary.wanted
    assert len(result.train) == 3 * 60
    assert len(result.held_out) == 3 * 40
    for examples in (result.train, result.held_out):
        counts = Counter(example.task_type for example in examples)
        assert set(counts) == set(TaskType)
        assert len(set(counts.values())) == 1


def test_a_second_reader_finds_every_answer(result) -> None:
    for example in _all(result):
        assert _second_reader(example, _context_of(result, example).text) == example.answer


def test_prompts_fill_their_band_and_never_exceed_it(result, tokenizer) -> None:
    for examples in (result.train, result.held_out):
        per_band = len(examples) // 3
        for place, example in enumerate(examples):
            band = SMALL_CONFIG.length_bands[place // per_band]
            context = _context_of(result, example).text
            message = single_pass_prompt("plain", context=context, question=example.question)
            prompt = tokenizer.render_chat([{"role": "user", "content": message}])
            assert example.num_prompt_tokens == len(tokenizer.encode(prompt))
            assert example.num_context_tokens == len(tokenizer.encode(context))
            assert 0.75 * band < example.num_prompt_tokens <= band


def test_evidence_is_quoted_alike_in_document_and_context(result, some_corpus) -> None:
    texts = {document.doc_id: document.text for document in some_corpus.documents}
    for example in _all(result):
        context = _context_of(result, example)
        assert example.evidence
        for part in context.parts:
            length = part.doc_end - part.doc_start
            copied = context.text[part.context_start : part.context_start + length]
            assert copied == texts[part.doc_id][part.doc_start : part.doc_end]
        for span in example.evidence:
            stated = texts[span.doc_id][span.doc_start : span.doc_end]
            assert context.text[span.context_start : span.context_end] == stated


def test_held_out_documents_never_stand_in_training_contexts(result, some_corpus) -> None:
    titles = {document.doc_id: document.title for document in some_corpus.documents}
    fraction = SMALL_CONFIG.held_out_fraction
    for example in result.train:
        for part in _context_of(result, example).parts:
            assert split_of_title(titles[part.doc_id], fraction) is Split.TRAIN
    for example in result.held_out:
        is_numerical = example.task_type is TaskType.NUMERICAL
        final = example.evidence if is_numerical else example.evidence[-1:]
        for span in final:
            assert split_of_title(titles[span.doc_id], fraction) is Split.HELD_OUT


def test_no_training_document_states_a_held_out_answer(result, some_corpus) -> None:
    fraction = SMALL_CONFIG.held_out_fraction
    known = {
        line
        for document in some_corpus.documents
        if split_of_title(document.title, fraction) is Split.TRAIN
        for line in document.text.split("\n")
    }
    for example in result.held_out:
        span = example.evidence[-1]
        text = _context_of(result, example).text
        assert text[span.context_start : span.context_end] not in known


def test_multi_hop_crosses_documents_and_states_its_hops_in_order(result) -> None:
    for example in _all(result):
        if example.task_type is not TaskType.MULTI_HOP:
            continue
        text = _context_of(result, example).text
        lines = [text[span.context_start : span.context_end] for span in example.evidence]
        assert len({span.doc_id for span in example.evidence}) > 1
        hops = [line.split(" ") for line in lines]
        assert all(first[2] == second[1] for first, second in pairwise(hops))
        assert hops[-1][2] == example.answer


def test_no_context_states_two_values_for_one_key_from_two_pieces(result) -> None:
    for context in result.contexts.values():
        pieces = [
            {tuple(line.split(" ")[:2]) for line in part.split("\n")}
            for part in _part_texts(context)
        ]
        keys = [key for piece in pieces for key in piece]
        assert len(keys) == len(set(keys))


def _part_texts(context: Context) -> list[str]:
    return [
        context.text[part.context_start : part.context_start + part.doc_end - part.doc_start]
        for part in context.parts
    ]


def test_choices_are_balanced_distinct_and_plausible(result) -> None:
    letters: Counter[str] = Counter()
    for example in result.train:
        if example.task_type is not TaskType.MULTIPLE_CHOICE:
            continue
        letters[example.answer] += 1
        options = [line[3:] for line in example.question.split("\n")[1:]]
        assert len(set(options)) == 4
        relation = example.question.split(" of ")[0].removeprefix("What is the ")
        word = WORD_BY_PHRASE.get(relation, relation)
        stated = _stated(_context_of(result, example).text)
        values = {value for key, found in stated.items() if key[0] == word for value in found}
        assert set(options) <= values
    assert set(letters) == set("ABCD")
    assert max(letters.values()) <= 2 * min(letters.values())


def test_guessing_a_value_of_the_asked_relation_is_not_enough(result) -> None:
    for example in _all(result):
        if example.task_type in {TaskType.READING_COMPREHENSION, TaskType.MULTI_HOP}:
            text = _context_of(result, example).text
            span = example.evidence[-1]
            word = text[span.context_start : span.context_end].split(" ")[0]
            stated = _stated(text)
            values = {value for key, found in stated.items() if key[0] == word for value in found}
            assert len(values) >= 3


def test_reward_rules_follow_the_kind_of_answer(result) -> None:
    for example in _all(result):
        if example.task_type is TaskType.MULTIPLE_CHOICE:
            assert example.reward_rule is RewardRule.CHOICE
        elif example.task_type is TaskType.DIALOGUE_MEMORY:
            assert example.reward_rule is RewardRule.SEQUENCE_MATCH
        elif re.fullmatch(r"-?[0-9.]+", example.answer):
            assert example.reward_rule is RewardRule.NUMERIC
        else:
            assert example.reward_rule is RewardRule.COVER_EXACT_MATCH


def test_same_seed_gives_the_same_examples_and_another_seed_others(few_documents) -> None:
    config = MiniatureConfig(num_train_examples=20, num_held_out_examples=10, length_bands=(96,))

    def made(seed: int):
        return synthesize(
            config.replace(seed=seed), tokenizer=WordTokenizer(), corpus=few_documents
        )

    first = made(3)
    assert made(3) == first
    assert made(4).train != first.train


def test_names_that_take_several_tokens_are_never_asked(few_documents) -> None:
    names = ["Exception", "codecs", "_siftup", "compile"]
    config = MiniatureConfig(num_train_examples=100, num_held_out_examples=0, length_bands=(128,))
    result = synthesize(config, tokenizer=WordTokenizer(names), corpus=few_documents)
    assert result.train
    for example in result.train:
        text = _context_of(result, example).text
        for span in example.evidence:
            words = text[span.context_start : span.context_end].split(" ")
            assert not set(words[1:]) & set(names)


def test_quotas_add_up_and_follow_the_weights() -> None:
    weights = TaskWeights(numerical=0, multi_hop=2)
    quotas = task_quotas(13, weights)
    assert sum(quotas.values()) == 13
    assert quotas[TaskType.NUMERICAL] == 0
    assert quotas[TaskType.MULTI_HOP] == 5
    assert set(task_quotas(128, TaskWeights()).values()) == {25, 26}


def test_folder_of_tables_gives_questions(folder_of, tokenizer) -> None:
    from longloom.synthesis.miniature import read_corpus

    def table(name: str, first: int) -> str:
        rows = [f"{name}{row},{first + 7 * row},mayor{name}{row}" for row in range(30)]
        return "\n".join(["town,size,mayor", *rows])

    root = folder_of({f"{name}.csv": table(name, place) for place, name in enumerate("abcdef")})
    config = MiniatureConfig(num_train_examples=20, num_held_out_examples=8, length_bands=(128,))
    corpus = read_corpus(str(root))
    result = synthesize(config, tokenizer=tokenizer, corpus=corpus)
    tasks = {example.task_type for example in result.train}
    assert tasks == set(TaskType) - {TaskType.MULTI_HOP}
    for example in _all(result):
        assert _second_reader(example, _context_of(result, example).text) == example.answer


def test_what_cannot_be_made_is_said(folder_of, tokenizer, caplog) -> None:
    root = folder_of({"a.csv": "k,v\nx,1\ny,2\nz,3\nw,4", "b.csv": "k,v\no,5\np,6\nq,7\nr,8"})
    config = MiniatureConfig(
        documents=str(root), num_train_examples=10, num_held_out_examples=0, length_bands=(40,)
    )
    with caplog.at_level(logging.WARNING, logger="longloom.synthesis"):
        result = synthesize(config, tokenizer=tokenizer)
    assert "train/40/multi_hop: 0 of 2 examples could be made" in caplog.text
    assert result.summary.written["train/40/multi_hop"] == 0


def test_prose_without_facts_is_refused(folder_of, tokenizer) -> None:
    root = folder_of({"a.txt": "Once upon a time.", "b.txt": "There was nothing."})
    config = MiniatureConfig(documents=str(root))
    with pytest.raises(DataError, match=r"no question could be made.*expected code, tables"):
        synthesize(config, tokenizer=tokenizer)


def test_progress_counts_up_to_the_total(few_documents, tokenizer) -> None:
    told = []
    config = MiniatureConfig(num_train_examples=10, num_held_out_examples=5, length_bands=(96,))
    synthesize(
        config,
        tokenizer=tokenizer,
        corpus=few_documents,
        progress=lambda label, done, total: told.append((label, done, total)),
    )
    assert ("writing train questions", 10, 10) in told


def test_long_documents_are_full_in_order_and_evenly_filled(some_corpus, tokenizer) -> None:
    made = synthesize_long(
        some_corpus, SMALL_CONFIG, tokenizer, num_tokens=1000, num_examples=90, seed=1
    )
    assert len(made.examples) == 90
    depths = []
    for example in made.examples:
        context = made.contexts[example.context_id]
        assert _second_reader(example, context.text) == example.answer
        assert example.split is Split.HELD_OUT
        assert 950 < example.num_context_tokens <= 1000
        places = [span.context_start for span in example.evidence]
        if example.task_type is TaskType.MULTI_HOP:
            assert places == sorted(places)
        depths += [place / len(context.text) for place in places]
    thirds = Counter(int(3 * depth) for depth in depths)
    assert min(thirds.values()) > 0.2 * len(depths)
    assert [example.task_type for example in made.examples[:3]] == [
        TaskType.READING_COMPREHENSION,
        TaskType.MULTI_HOP,
        TaskType.NUMERICAL,
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"length_bands": (192, 96)}, r"length_bands is \[192, 96\]; expected growing"),
        ({"length_bands": ()}, "expected growing"),
        ({"held_out_fraction": 1.0}, "held_out_fraction is 1.0"),
        ({"documets": "x"}, "did you mean 'documents'"),
        (
            {"task_weights": dict.fromkeys([task.value for task in TaskType], 0)},
            "task weights are all 0",
        ),
    ],
)
def test_bad_settings_are_refused(changes, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SMALL_CONFIG.replace(**changes)


def test_room_is_light_to_import() -> None:
    source = Path(__file__).parents[3] / "src" / "longloom" / "synthesis" / "miniature"
    for name in ("__init__.py", "config.py", "documents/__init__.py", "facts/__init__.py"):
        text = (source / name).read_text("utf-8")
        assert not re.search(r"^(import|from) (torch|transformers|duckdb|pyarrow)", text, re.M)
