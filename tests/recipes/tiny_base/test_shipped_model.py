"""The tiny base that ships with the package."""

import pytest
import torch

from longloom.models.folder import load_model
from longloom.models.shared_prefix import SharedPrefix
from longloom.recipes.model_source import resolve_model
from longloom.recipes.run_examples import limited
from longloom.recipes.tiny_base.measure import measure_base
from longloom.records import Split, TaskType
from longloom.synthesis.miniature import MiniatureConfig
from longloom.synthesis.miniature.pipeline import synthesize
from longloom.text.tokenizer import FolderTokenizer

FOLDER = resolve_model("tiny-base")


def test_the_folder_is_at_most_eight_megabytes():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 8_000_000


def test_transformers_loads_it_as_it_is():
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(FOLDER)
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    ours = FolderTokenizer(FOLDER)
    message = [{"role": "user", "content": "What is the base of OrderedDict?"}]
    text = tokenizer.apply_chat_template(message, add_generation_prompt=True, tokenize=False)
    assert text == ours.render_chat(message)
    token_ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert token_ids == ours.encode(text)
    with torch.no_grad():
        theirs = model(torch.tensor([token_ids])).logits[0]
        network = load_model(FOLDER)
        plan = SharedPrefix([len(token_ids)], [[]], device=network.device)
        hidden = network.hidden(torch.tensor(token_ids), plan.positions, plan)
    assert torch.allclose(theirs, hidden @ network.head_weight.T, atol=1e-3)


@pytest.mark.slow
def test_it_has_the_skill_and_mostly_does_not_use_it():
    tokenizer = FolderTokenizer(FOLDER)
    config = MiniatureConfig(
        num_train_examples=0,
        num_held_out_examples=200,
        length_bands=(96,),
        max_hops=2,
        max_choice_hops=1,
        seed=77,
    )
    made = synthesize(config, tokenizer=tokenizer)
    held_out = [example for example in made.held_out if example.split is Split.HELD_OUT]
    measures = measure_base(
        load_model(FOLDER),
        tokenizer,
        limited(held_out, 200),
        made.contexts,
        max_response_tokens=32,
        seed=1,
    )
    for task, found in measures.by_task.items():
        if task is TaskType.DIALOGUE_MEMORY:
            assert 0.3 <= found.mean_reward <= 0.7
            continue
        assert found.pass_at_8 >= 0.75
        low = 0.45 if task is TaskType.MULTIPLE_CHOICE else 0.25
        assert low <= found.pass_at_1 <= 0.65
    assert measures.memory_format_fraction >= 0.5
