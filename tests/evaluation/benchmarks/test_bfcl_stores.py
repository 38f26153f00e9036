"""Every store of BFCL's memory holds what it may and says what the official one says."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from longloom.errors import DataError
from longloom.evaluation.benchmarks.bfcl_memory.calls import Call
from longloom.evaluation.benchmarks.bfcl_memory.embedding import embed_triples, load_embedder
from longloom.evaluation.benchmarks.bfcl_memory.functions import run_call
from longloom.evaluation.benchmarks.bfcl_memory.key_value import KeyValueStore, bm25_plus
from longloom.evaluation.benchmarks.bfcl_memory.snapshots import (
    BACKENDS,
    empty_store,
    restored_store,
    snapshot_of,
)
from longloom.evaluation.benchmarks.bfcl_memory.store import (
    NO_CONTENT,
    NO_CORE_CONTENT,
    MemoryStore,
)
from longloom.evaluation.benchmarks.bfcl_memory.summary import SummaryStore
from longloom.evaluation.benchmarks.bfcl_memory.vectors import VectorStore


def call(store: MemoryStore, name: str, **arguments: object) -> object:
    return json.loads(run_call(store.functions, Call(name=name, arguments=arguments)))


LIMITS = [("core", 7, 300), ("archival", 50, 2_000)]


@pytest.mark.parametrize(("memory", "most", "characters"), LIMITS)
def test_key_value_limits(memory: str, most: int, characters: int) -> None:
    store = KeyValueStore()
    added = "Key-value pair added." if memory == "core" else "Key added."
    title = "Core" if memory == "core" else "Long term"
    for number in range(most):
        result = call(store, f"{memory}_memory_add", key=f"key_{number}", value="x" * characters)
        assert result == {"status": added}
    full = {"error": f"{title} memory is full. Please clear some entries."}
    assert call(store, f"{memory}_memory_add", key="one_more", value="x") == full
    too_long = {
        "error": "Entry is too long. Please shorten the entry to less than "
        f"{characters} characters."
    }
    longer = "x" * (characters + 1)
    assert call(store, f"{memory}_memory_replace", key="key_0", value=longer) == too_long
    assert call(store, f"{memory}_memory_remove", key="key_0") == {"status": "Key removed."}
    assert call(store, f"{memory}_memory_add", key="one_more", value=longer) == too_long
    assert call(store, f"{memory}_memory_add", key="one_more", value="y") == {"status": added}


def test_key_value_keys() -> None:
    store = KeyValueStore()
    for key in ("Name", "two words", "1st", "a__b", "a_", "a\n", ""):
        assert call(store, "core_memory_add", key=key, value="x") == {
            "error": "Key must be in snake_case format and cannot contain spaces."
        }
    assert call(store, "core_memory_add", key="pet_2", value="x") == {
        "status": "Key-value pair added."
    }
    assert call(store, "core_memory_add", key="pet_2", value="y") == {
        "error": "Key name must be unique."
    }
    assert call(store, "core_memory_replace", key="pet_2", value="z") == {"status": "Key replaced."}
    assert call(store, "core_memory_retrieve", key="pet_2") == {"value": "z"}
    assert call(store, "core_memory_retrieve_all") == {"pet_2": "z"}
    assert call(store, "core_memory_list_keys") == {"keys": ["pet_2"]}
    for name in ("retrieve", "remove"):
        assert call(store, f"core_memory_{name}", key="cat") == {"error": "Key not found."}
    assert call(store, "core_memory_clear") == {"status": "Short term memory cleared."}
    assert call(store, "archival_memory_clear") == {"status": "Long term memory cleared."}
    assert call(store, "core_memory_list_keys") == {"keys": []}


def test_keys_are_ranked_by_bm25_plus() -> None:
    # Two documents of two words and one of one, so 5/3 on average. "cat" is in two of three keys:
    # idf ln(4/2). The key without it gets delta alone, as rank_bm25 has it.
    found = bm25_plus("my_cat", ["cat_name", "dog_name", "cat"])
    idf = math.log(2)

    def with_word(length: int) -> float:
        return idf * (1 + 2.5 / (1.5 * (0.25 + 0.75 * length / (5 / 3)) + 1))

    assert [key for _, key in found] == ["cat", "cat_name", "dog_name"]
    assert [score for score, _ in found] == pytest.approx([with_word(1), with_word(2), idf])


def test_five_keys_are_found_unless_more_are_asked_for() -> None:
    store = KeyValueStore()
    for number in range(8):
        call(store, "archival_memory_add", key=f"note_{number}", value="x")
    found = call(store, "archival_memory_key_search", query="note")
    assert isinstance(found, dict)
    assert [key for _, key in found["ranked_results"]] == [f"note_{n}" for n in range(5)]
    found = call(store, "archival_memory_key_search", query="note", k=7)
    assert isinstance(found, dict)
    assert len(found["ranked_results"]) == 7
    assert call(KeyValueStore(), "core_memory_key_search", query="a") == {"ranked_results": []}


@pytest.mark.parametrize(("memory", "most", "characters"), LIMITS)
def test_vector_limits(memory: str, most: int, characters: int) -> None:
    store = VectorStore(embed_triples)
    for number in range(most):
        assert call(store, f"{memory}_memory_add", text="x" * characters) == {"id": number}
    assert call(store, f"{memory}_memory_add", text="x") == {
        "error": f"Memory size exceeds maximum size of {most} entries."
    }
    too_long = {"error": f"Entry length exceeds maximum length of {characters} characters."}
    longer = "x" * (characters + 1)
    assert call(store, f"{memory}_memory_add", text=longer) == too_long
    assert call(store, f"{memory}_memory_update", vec_id=0, new_text=longer) == too_long
    assert call(store, f"{memory}_memory_remove", vec_id=3) == {
        "status": "ID 3 removed from store."
    }
    assert call(store, f"{memory}_memory_remove", vec_id=3) == {
        "error": "ID 3 not present in store."
    }
    # A removed id is not given again.
    assert call(store, f"{memory}_memory_add", text="x") == {"id": most}
    assert call(store, f"{memory}_memory_clear") == {"status": "Memory cleared."}
    assert call(store, f"{memory}_memory_add", text="x") == {"id": 0}


def test_vectors_find_the_likest_text() -> None:
    store = VectorStore(embed_triples)
    texts = ["The budget is due on Friday.", "Her cat is called Pixel.", "Buy oat milk and rice."]
    for text in texts:
        call(store, "archival_memory_add", text=text)
    found = call(store, "archival_memory_retrieve", query="what is her cat called?", top_k=2)
    assert isinstance(found, dict)
    assert found["result"][0]["text"] == texts[1]
    assert len(found["result"]) == 2
    assert 0 < found["result"][1]["similarity_score"] < found["result"][0]["similarity_score"] <= 1
    assert call(store, "archival_memory_update", vec_id=1, new_text="Her dog is Bit.") == {
        "status": "ID 1 updated."
    }
    everything = call(store, "archival_memory_retrieve_all")
    assert everything == {
        "result": [
            {"id": 0, "text": texts[0]},
            {"id": 1, "text": "Her dog is Bit."},
            {"id": 2, "text": texts[2]},
        ]
    }
    assert call(store, "core_memory_retrieve", query="cat") == {"result": []}


def test_triples_are_deterministic_and_of_length_one() -> None:
    vectors = embed_triples(["Ann  likes tea", "ann likes TEA", "\ud800", ""])
    assert vectors.shape == (4, 1024)
    assert np.allclose(np.linalg.norm(vectors[:3], axis=1), 1)
    assert np.array_equal(vectors[0], vectors[1])
    assert not vectors[3].any()


def test_a_folder_that_embeds_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "embedder").mkdir()
    (tmp_path / "embedder/config.json").write_text("{}")
    with pytest.raises(DataError, match="holds no model that embeds"):
        empty_store("vector", tmp_path)


def test_a_sentence_transformer_is_the_mean_over_its_tokens(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "a", "b", "c"])}
    tokenizer = Tokenizer(WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]"
    ).save_pretrained(tmp_path)
    config = BertConfig(
        vocab_size=5,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        max_position_embeddings=16,
    )
    model = BertModel(config).eval()
    model.save_pretrained(tmp_path)
    (tmp_path / "sentence_bert_config.json").write_text('{"max_seq_length": 2}')
    load_embedder.cache_clear()
    vectors = load_embedder(tmp_path)(["a b c", "b"])
    with torch.no_grad():
        cut = model(torch.tensor([[2, 3]])).last_hidden_state[0].mean(0)
        alone = model(torch.tensor([[3]])).last_hidden_state[0].mean(0)
    expected = torch.stack([cut / cut.norm(), alone / alone.norm()]).numpy()
    assert np.allclose(vectors, expected, atol=1e-5)


def test_summary_limits() -> None:
    store = SummaryStore()
    assert call(store, "memory_retrieve") == {"error": "Memory is empty."}
    assert call(store, "memory_update", text="x" * 10_000) == {"status": "Memory updated."}
    for name, after in (("memory_append", "appending"), ("memory_update", "updating")):
        text = "y" if name == "memory_append" else "y" * 10_001
        assert call(store, name, text=text) == {
            "error": f"Entry will be too long after {after}. Please shorten the entry to less than "
            "10000 characters."
        }
    assert call(store, "memory_update", text="Ann has a cat.") == {"status": "Memory updated."}
    assert call(store, "memory_append", text=" It is red.") == {"status": "Memory appended."}
    assert call(store, "memory_replace", old_text="red", new_text="grey") == {
        "status": "Memory updated."
    }
    assert call(store, "memory_retrieve") == {"memory_content": "Ann has a cat. It is grey."}
    assert call(store, "memory_replace", old_text="dog", new_text="x") == {
        "error": "Text 'dog' not found in memory."
    }
    assert call(store, "memory_clear") == {"status": "Short term memory cleared."}
    assert store.visible() == NO_CONTENT


def test_a_replacement_cannot_pass_the_limit() -> None:
    store = SummaryStore()
    call(store, "memory_update", text="a" * 200)
    refused = call(store, "memory_replace", old_text="a", new_text="b" * 51)
    assert isinstance(refused, dict)
    assert "too long after replacing" in refused["error"]
    assert call(store, "memory_replace", old_text="a", new_text="b" * 50) == {
        "status": "Memory updated."
    }
    assert store.content() == {"memory": "b" * 10_000}


def test_calls_that_cannot_be_carried_out_say_why() -> None:
    functions = KeyValueStore().functions

    def result(name: str, num_unnamed: int = 0, **arguments: object) -> str:
        made = Call(name=name, arguments=arguments, num_unnamed=num_unnamed)
        return run_call(functions, made).removeprefix("Error during execution: ")

    assert result("memory_append", text="x") == "name 'memory_append' is not defined"
    assert result("core_memory_retrieve") == (
        "core_memory_retrieve() missing required argument: 'key'"
    )
    assert result("core_memory_retrieve", key="a", k=1) == (
        "core_memory_retrieve() got an unexpected keyword argument 'k'"
    )
    assert result("core_memory_key_search", query="a", k="5") == (
        "core_memory_key_search() needs an integer as 'k'"
    )
    assert result("core_memory_retrieve", 1) == "core_memory_retrieve() takes named arguments only"
    assert json.loads(result("core_memory_add", key="age", value=7)) == {
        "status": "Key-value pair added."
    }


FILLS = {
    "kv": ("core_memory_add", {"key": "pet", "value": "cat \u00e9"}),
    "rec_sum": ("memory_append", {"text": "cat \u00e9"}),
    "vector": ("core_memory_add", {"text": "cat \u00e9"}),
}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_snapshot_is_taken_up_again(backend: str, tmp_path: Path) -> None:
    store = empty_store(backend, tmp_path)
    assert store.visible() in (NO_CONTENT, NO_CORE_CONTENT)
    name, arguments = FILLS[backend]
    call(store, name, **arguments)
    snapshot = snapshot_of(store, f"{backend}/finance")
    again = restored_store(snapshot, f"{backend}/finance", tmp_path)
    assert again.content() == store.content()
    assert again.visible() == store.visible()
    assert "cat" in again.visible()
    if backend == "vector":
        assert call(again, "core_memory_retrieve", query="cat") == call(
            store, "core_memory_retrieve", query="cat"
        )
        assert call(again, "core_memory_add", text="more") == {"id": 1}


@pytest.mark.parametrize(
    "snapshot",
    ["", "[]", "{}", '{"schema": "longloom.bfcl_memory", "version": 1, "group": "kv/student"}'],
)
def test_what_is_no_snapshot_is_refused(snapshot: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="memory of kv/finance cannot be taken up"):
        restored_store(snapshot, "kv/finance", tmp_path)
