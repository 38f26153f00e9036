"""A whole training engine of one vector: a policy that draws every token from the same odds.

It does what `TrainEngine` promises, with momentum, files and keyed streams, in microseconds. So
tests of the loop can run many stages, and kill them anywhere.
"""

import json
import math
import random
from collections import defaultdict

import torch
from safetensors.torch import load_file, save_file

from longloom.errors import CheckpointError, ModelError
from longloom.records import Completion, FinishReason
from longloom.training.loss_config import SupervisedLossConfig
from longloom.training.losses import policy_gradient_loss, supervised_loss

NUM_TOKENS = 6
END = 0
WINDOW_TOKENS = 500


class LetterTokenizer:
    """One token per character; only their number matters."""

    name = "letters"
    end_id = END
    end_ids = frozenset({END})

    def encode(self, text):
        return [1 + ord(letter) % (NUM_TOKENS - 1) for letter in text]

    def encode_with_offsets(self, text):
        return self.encode(text), [(start, start + 1) for start in range(len(text))]

    def decode(self, token_ids):
        return "".join(chr(ord("a") + token) for token in token_ids)

    def render_chat(self, messages):
        return "".join(f"<{m['role']}>{m['content']}" for m in messages) + "<assistant>"


class UnigramSampler:
    tokenizer = LetterTokenizer()
    window_tokens = WINDOW_TOKENS

    def __init__(self, engine):
        self.engine = engine
        self.keys = []

    async def sample(self, request):
        self.keys.append(request.key)
        num_tokens = len(request.prompt_ids) + request.params.max_new_tokens
        if num_tokens > WINDOW_TOKENS:
            raise ModelError(f"{num_tokens} tokens do not fit")
        greedy = request.params.temperature == 0
        logprobs = self.engine.logprobs(1.0 if greedy else request.params.temperature).tolist()
        entropy = -sum(math.exp(value) * value for value in logprobs)
        stream = random.Random(request.key)
        tokens = []
        while len(tokens) < request.params.max_new_tokens and tokens[-1:] != [END]:
            if greedy:
                tokens.append(max(range(NUM_TOKENS), key=logprobs.__getitem__))
            else:
                odds = [math.exp(value) for value in logprobs]
                tokens += stream.choices(range(NUM_TOKENS), odds)
        return Completion(
            token_ids=tuple(tokens),
            logprobs=tuple(logprobs[token] for token in tokens),
            entropies=(entropy,) * len(tokens),
            finish_reason=FinishReason.STOP if tokens[-1] == END else FinishReason.LENGTH,
        )


class UnigramEngine:
    """See `longloom.training.engine.TrainEngine`."""

    def __init__(self, logits=(0.0, 0.2, 0.1, 0.0, -0.1, 0.3)):
        self.logits = torch.tensor(logits, dtype=torch.float64)
        self.momentum = torch.zeros(NUM_TOKENS, dtype=torch.float64)
        self.sampler = UnigramSampler(self)
        self.updates = []

    def logprobs(self, temperature):
        return torch.log_softmax(self.logits / temperature, dim=0)

    def update(self, update, *, loss):
        self.updates.append((update, loss))
        leaf = self.logits.clone().requires_grad_()
        tokens = [token for s in update.sequences for token in s.response_ids]
        logprobs = torch.log_softmax(leaf / update.temperature, dim=0)[tokens]
        if isinstance(loss, SupervisedLossConfig):
            value, metrics = supervised_loss(logprobs, update.denominators)
        else:
            value, metrics = self._policy_gradient(update, logprobs, loss)
        value.backward()
        self.momentum = 0.9 * self.momentum + leaf.grad
        self.logits = self.logits - update.learning_rate * self.momentum
        return {
            "training/loss": value.item(),
            "training/grad_norm": leaf.grad.norm().item(),
            **{name: part.item() for name, part in metrics.items()},
        }

    def _policy_gradient(self, update, logprobs, loss):
        columns = defaultdict(list)
        for sequence in update.sequences:
            columns["advantages"] += sequence.advantages
            columns["old"] += sequence.old_logprobs or ()
            columns["lengths"] += [len(sequence.response_ids)] * len(sequence.response_ids)
        value, metrics = policy_gradient_loss(
            logprobs,
            torch.tensor(columns["old"], dtype=torch.float64) if columns["old"] else None,
            torch.tensor(columns["advantages"], dtype=torch.float64),
            loss,
            update.denominators,
            sequence_tokens=torch.tensor(columns["lengths"]),
        )
        return value, {**metrics, "training/sampler_gap_max_nats": torch.tensor(0.0)}

    def score(self, sequences, *, temperature):
        logprobs = self.logprobs(temperature).tolist()
        return [tuple(logprobs[token] for token in s.response_ids) for s in sequences]

    def save_policy(self, folder):
        save_file({"logits": self.logits.clone()}, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps({"model_type": "unigram"}), "utf-8")

    def save(self, folder):
        self.save_policy(folder)
        save_file({"momentum": self.momentum.clone()}, folder / "optimizer.safetensors")

    def load(self, folder):
        try:
            self.logits = load_file(folder / "model.safetensors")["logits"]
            self.momentum = load_file(folder / "optimizer.safetensors")["momentum"]
        except Exception as error:
            raise CheckpointError(f"checkpoint {folder} is damaged ({error!r})") from None


def read_logits(folder):
    return load_file(folder / "model.safetensors")["logits"].tolist()
