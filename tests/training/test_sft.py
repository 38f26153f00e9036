import math
from collections import Counter

import pytest
import torch

from longloom.errors import CheckpointError, DataError
from longloom.training.loss_config import LossDenominators, SupervisedLossConfig
from longloom.training.losses import supervised_loss
from longloom.training.sft import (
    SftConfig,
    SftInputs,
    epoch_order,
    fitting_rows,
    num_sft_steps,
    train_sft_stage,
)
from longloom.training.sft_rows import SftExample, encode_messages
from training.stages import DyingEngine, Killed, recorder, train
from training.unigram_engine import LetterTokenizer, UnigramEngine, read_logits

CONFIG = SftConfig(num_epochs=2, batch_size=3, learning_rate=0.5, schedule="cosine")
ROWS = [
    SftExample(prompt_ids=(1,) * (n + 1), response_ids=(n % 5 + 1,) * (n % 3 + 1)) for n in range(8)
]


def fine_tune(folder, *, config=CONFIG, engine=None, rows=ROWS, listener=lambda _: None, seed=3):
    engine = engine or UnigramEngine()
    inputs = SftInputs(engine=engine, rows=rows, seed=seed, folder=folder)
    return train_sft_stage("sft", config, inputs, listener)


def test_the_loss_is_the_mean_over_the_tokens_it_is_given():
    logprobs = torch.tensor([-1.0, -2.0, -3.0], requires_grad=True)
    loss, metrics = supervised_loss(logprobs, LossDenominators(num_tokens=4, num_sequences=1))
    loss.backward()
    assert loss.item() == pytest.approx(6 / 4)
    assert logprobs.grad.tolist() == pytest.approx([-1 / 4] * 3)
    assert metrics["training/nll_nats"].item() == pytest.approx(6 / 4)


def test_every_row_is_learned_once_an_epoch(tmp_path):
    engine = UnigramEngine()
    fine_tune(tmp_path, engine=engine)
    steps = [update for update, _ in engine.updates]
    assert [len(update.sequences) for update in steps] == [3, 3, 2, 3, 3, 2]
    for epoch in (steps[:3], steps[3:]):
        learned = Counter(len(s.prompt_ids) for update in epoch for s in update.sequences)
        assert learned == dict.fromkeys(range(1, 9), 1)
    assert steps[0].sequences != steps[3].sequences


def test_the_loss_is_taken_over_all_response_tokens_of_the_batch(tmp_path):
    engine = UnigramEngine()
    fine_tune(tmp_path, engine=engine)
    for update, loss in engine.updates:
        assert loss == SupervisedLossConfig()
        assert update.temperature == 1.0
        assert update.denominators.num_tokens == sum(len(s.response_ids) for s in update.sequences)


def test_the_first_step_is_the_gradient_of_the_mean_log_likelihood(tmp_path):
    rows = [
        SftExample(prompt_ids=(1,), response_ids=(1, 1, 2)),
        SftExample(prompt_ids=(2,), response_ids=(3,)),
    ]
    engine = UnigramEngine((0.0,) * 6)
    config = SftConfig(num_epochs=1, batch_size=2, learning_rate=1.0)
    fine_tune(tmp_path, engine=engine, rows=rows, config=config)
    # Uniform odds of 1/6; the tokens' shares are 2/4, 1/4, 1/4: logits move by share - 1/6.
    expected = [-1 / 6, 2 / 4 - 1 / 6, 1 / 4 - 1 / 6, 1 / 4 - 1 / 6, -1 / 6, -1 / 6]
    assert engine.logits.tolist() == pytest.approx(expected)


def test_figures_are_logged_with_the_rate_of_the_schedule(tmp_path):
    log = {}
    long = SftExample(prompt_ids=(1,) * 30, response_ids=(1,))
    config = CONFIG.replace(max_tokens=30, warmup_fraction=0.34)
    fine_tune(tmp_path, config=config, rows=[*ROWS, long], listener=recorder(log))
    assert sorted(log) == [1, 2, 3, 4, 5, 6]
    assert log[1]["training/dropped_rows"] == 1.0
    assert [log[step]["training/epoch"] for step in log] == pytest.approx(
        [1 / 3, 2 / 3, 1, 4 / 3, 5 / 3, 2]
    )
    rates = [log[step]["training/learning_rate"] for step in log]
    falling = [0.25 * (1 + math.cos(math.pi * part / 4)) for part in range(4)]
    assert rates == pytest.approx([0.5 / 3, 1 / 3, *falling])
    assert {"training/loss", "training/nll_nats", "training/grad_norm"} <= set(log[6])


def test_too_long_rows_are_left_out_and_never_cut():
    config = CONFIG.replace(max_tokens=5)
    fitting = fitting_rows(config, ROWS)
    # Prompt of n + 1 and response of n % 3 + 1 tokens: 2, 4, 6, 5, 7, ...
    assert fitting == [ROWS[0], ROWS[1], ROWS[3]]
    assert num_sft_steps(config, ROWS) == 2


def test_rows_that_are_all_too_long_are_a_data_error():
    with pytest.raises(DataError, match="none of 8 rows has at most 1 tokens"):
        fitting_rows(CONFIG.replace(max_tokens=1), ROWS)


def test_a_row_without_a_response_is_a_data_error_with_its_number():
    rows = [ROWS[0], SftExample(prompt_ids=(1,), response_ids=())]
    with pytest.raises(DataError, match="row 2 has 1 prompt and 0 response tokens"):
        fitting_rows(CONFIG, rows)


def test_seed_and_epoch_decide_the_order():
    assert epoch_order(9, key="0/sft/epoch/0") == epoch_order(9, key="0/sft/epoch/0")
    assert epoch_order(9, key="0/sft/epoch/0") != epoch_order(9, key="0/sft/epoch/1")


@pytest.mark.parametrize("every_steps", [1, 3])
@pytest.mark.parametrize("num_actions", range(1, 18, 2))
def test_a_killed_fine_tuning_ends_in_the_same_bits(tmp_path, num_actions, every_steps):
    logs = {}, {}
    straight = fine_tune(tmp_path / "straight", listener=recorder(logs[0]))
    config = CONFIG.replace(checkpoints={"every_steps": every_steps})
    with pytest.raises(Killed):
        fine_tune(tmp_path / "killed", config=config, engine=DyingEngine(num_actions))
    resumed = fine_tune(tmp_path / "killed", config=config, listener=recorder(logs[1]))
    assert read_logits(resumed) == read_logits(straight)
    assert {step: logs[0][step] for step in logs[1]} == logs[1]
    assert [path.name for path in resumed.parent.iterdir()] == ["final"]


def test_a_finished_fine_tuning_is_not_done_again(tmp_path):
    fine_tune(tmp_path)
    engine = UnigramEngine()
    fine_tune(tmp_path, engine=engine)
    assert engine.updates == []


def test_a_stage_of_reinforcement_learning_does_not_go_on_from_its_checkpoints(tmp_path):
    with pytest.raises(Killed):
        fine_tune(tmp_path, engine=DyingEngine(7))
    with pytest.raises(CheckpointError, match=r"longloom\.sft_state"):
        train(tmp_path)


CHAT = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Ada."}]


def test_a_chat_is_learned_as_it_would_be_sampled():
    tokenizer = LetterTokenizer()
    row = encode_messages(CHAT, tokenizer)
    assert list(row.prompt_ids) == tokenizer.encode("<user>Who?<assistant>")
    assert list(row.response_ids) == [*tokenizer.encode("Ada."), tokenizer.end_id]
    assert row.num_tokens == len(row.prompt_ids) + 5


def test_thinking_that_the_template_opens_is_not_opened_twice():
    class Thinking(LetterTokenizer):
        def render_chat(self, messages):
            return super().render_chat(messages) + "<think>\n"

    answer = {"role": "assistant", "content": "<think>\nHm.</think>Ada."}
    row = encode_messages([CHAT[0], answer], Thinking())
    assert list(row.response_ids) == [*LetterTokenizer().encode("Hm.</think>Ada."), 0]


@pytest.mark.parametrize(
    "messages",
    [
        [],
        CHAT[:1],
        CHAT[1:],
        CHAT[::-1],
        [CHAT[0], {"role": "assistant", "content": ""}],
        [CHAT[0], {"role": "assistant"}],
    ],
)
def test_a_chat_without_an_answer_at_its_end_is_a_data_error(messages):
    with pytest.raises(DataError, match="expected a prompt and at the end an answer"):
        encode_messages(messages, LetterTokenizer())


def test_a_fine_tuning_does_not_go_on_with_other_rows(tmp_path):
    with pytest.raises(Killed):
        fine_tune(tmp_path, engine=DyingEngine(7))
    with pytest.raises(CheckpointError, match=r"of 8 rows .*; expected 7 "):
        fine_tune(tmp_path, rows=ROWS[:7])
