import pytest
import torch

from longloom.errors import ConfigError
from longloom.training.loss_config import LossDenominators
from longloom.training.losses import supervised_loss

LOGPROBS = [-1.0, -2.0, -0.5]


def test_the_loss_is_the_mean_negative_log_likelihood():
    logprobs = torch.tensor(LOGPROBS, requires_grad=True)
    loss, metrics = supervised_loss(logprobs, LossDenominators(num_tokens=3, num_sequences=2))
    loss.backward()
    assert float(loss.detach()) == pytest.approx(3.5 / 3)
    assert float(metrics["training/nll_nats"]) == pytest.approx(3.5 / 3)
    assert logprobs.grad.tolist() == pytest.approx([-1 / 3] * 3)


def test_parts_add_up_to_the_whole():
    denominators = LossDenominators(num_tokens=3, num_sequences=2)
    parts = [
        float(supervised_loss(torch.tensor(part), denominators)[0])
        for part in (LOGPROBS[:1], LOGPROBS[1:])
    ]
    assert sum(parts) == pytest.approx(3.5 / 3)


def test_a_batch_without_tokens_is_refused():
    with pytest.raises(ConfigError, match="num_tokens of the loss is 0"):
        supervised_loss(torch.tensor([-1.0]), LossDenominators(num_tokens=0, num_sequences=1))
