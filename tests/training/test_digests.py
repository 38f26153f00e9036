"""Other examples or rows in the same number are no continuation of a training."""

from array import array
from dataclasses import replace

import pytest

from longloom.errors import CheckpointError
from longloom.training.digests import examples_digest, rows_digest
from longloom.training.sft import SftConfig, SftInputs, train_sft_stage
from longloom.training.sft_rows import SftExample
from training.stages import CONFIG, EXAMPLES, Killed, train
from training.unigram_engine import UnigramEngine


def stop_after_two(result):
    if result.step == 3:
        raise Killed


def changed_first(**changes):
    return (replace(EXAMPLES[0], **changes), *EXAMPLES[1:])


@pytest.mark.parametrize(
    "examples",
    [
        changed_first(example_id="another"),
        changed_first(question="Another?"),
        changed_first(answer="another"),
        changed_first(context_id="c7"),
        EXAMPLES[::-1],
    ],
)
def test_training_does_not_resume_with_other_examples_of_the_same_number(tmp_path, examples):
    with pytest.raises(Killed):
        train(tmp_path, listener=stop_after_two)
    with pytest.raises(CheckpointError, match=r"step 2 in .* is of other examples .*--fresh"):
        train(tmp_path, CONFIG, examples=examples)
    assert train(tmp_path).is_dir()


def test_digests_depend_on_every_part_and_on_the_order():
    assert examples_digest(EXAMPLES) == examples_digest(list(EXAMPLES))
    assert examples_digest(EXAMPLES) != examples_digest(EXAMPLES[1:])
    rows = [row([1, 2], [3]), row([4], [5])]
    others = ([row([1], [2, 3]), rows[1]], rows[::-1], rows[:1], [row([1, 2], [4]), rows[1]])
    digests = {rows_digest(rows), *(rows_digest(other) for other in others)}
    assert len(digests) == 5
    assert rows_digest(rows) == rows_digest([row(array("i", [1, 2]), (3,)), rows[1]])


def row(prompt_ids, response_ids):
    return SftExample(prompt_ids=prompt_ids, response_ids=response_ids)


def test_fine_tuning_does_not_resume_with_edited_rows(tmp_path):
    config = SftConfig(num_epochs=2, batch_size=1)

    def fine_tune(rows, listener=lambda result: None):
        inputs = SftInputs(engine=UnigramEngine(), rows=rows, seed=0, folder=tmp_path)
        return train_sft_stage("sft", config, inputs, listener)

    rows = [row([1], [2, 3]), row([2], [4])]
    with pytest.raises(Killed):
        fine_tune(rows, stop_after_two)
    with pytest.raises(CheckpointError, match=r"is of 2 rows \(digest \w+\); expected 2 \("):
        fine_tune([rows[0], row([2], [5])])
    assert fine_tune(rows).is_dir()
