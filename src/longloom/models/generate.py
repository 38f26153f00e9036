"""Sample completions in batches; a prompt asked for several times is computed once.

Each request draws from its own random stream, named by its key, so what a rollout samples does not
depend on what else is in the batch or in which order it arrived.
"""

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from longloom.models.qwen3 import Cache, Qwen3, padding_bias
from longloom.records import Completion, FinishReason, SampleRequest

_NUCLEUS_CANDIDATES = 64
"""Tokens looked at first when top-p cuts; the whole vocabulary only if they do not suffice."""


@torch.inference_mode()
def generate(
    model: Qwen3, requests: Sequence[SampleRequest], *, end_id: int, max_batch_tokens: int
) -> list[Completion]:
    """Return one completion per request, in order.

    Args:
        model: the network, in evaluation or training mode alike (it has no dropout).
        requests: what to draw; requests with equal prompts form a group that shares its prefill.
        end_id: the token that ends a completion.
        max_batch_tokens: prompt and answer tokens held in the cache at once.
    """
    completions: dict[int, Completion] = {}
    for batch in _batches(requests, max_batch_tokens):
        completions.update(_GroupBatch(model, requests, batch, end_id).run())
    return [completions[index] for index in range(len(requests))]


def _batches(requests: Sequence[SampleRequest], max_batch_tokens: int) -> Iterator[list[list[int]]]:
    """Yield batches of groups of request indices; groups of a batch have equal sizes."""
    indices_by_prompt: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for index, request in enumerate(requests):
        indices_by_prompt[request.prompt_ids].append(index)
    groups = sorted(
        indices_by_prompt.values(),
        key=lambda group: (len(group), len(requests[group[0]].prompt_ids)),
    )
    batch: list[list[int]] = []
    for group in groups:
        longest = len(requests[group[0]].prompt_ids)
        answers = len(group) * max(requests[index].params.max_new_tokens for index in group)
        is_full = (len(batch) + 1) * (longest + answers) > max_batch_tokens
        if batch and (is_full or len(batch[0]) != len(group)):
            yield batch
            batch = []
        batch.append(group)
    if batch:
        yield batch


class _GroupBatch:
    """The state of one batch while it is decoded: P prompts with G requests each."""

    def __init__(
        self, model: Qwen3, requests: Sequence[SampleRequest], groups: list[list[int]], end_id: int
    ) -> None:
        self.model = model
        self.end_id = end_id
        self.requests = [[requests[index] for index in group] for group in groups]
        self.indices = groups
        flat = [request for group in self.requests for request in group]
        self.max_new = max(request.params.max_new_tokens for request in flat)
        shape = (len(groups), len(groups[0]))
        self.shape = shape
        self.uniforms = np.stack([_uniforms(request.key, self.max_new) for request in flat])
        self.uniforms = self.uniforms.reshape(*shape, self.max_new)
        self.temperature = torch.tensor(
            [[request.params.temperature for request in group] for group in self.requests]
        )
        self.top_p = torch.tensor(
            [[request.params.top_p for request in group] for group in self.requests]
        )
        self.limits = np.array(
            [[request.params.max_new_tokens for request in group] for group in self.requests]
        )
        self.tokens = np.zeros((*shape, self.max_new), dtype=np.int64)
        self.logprobs = np.zeros((*shape, self.max_new), dtype=np.float32)
        self.entropies = np.zeros((*shape, self.max_new), dtype=np.float32)
        self.num_new = np.zeros(shape, dtype=np.int64)
        self.ended = np.zeros(shape, dtype=bool)

    def run(self) -> dict[int, Completion]:
        """Decode until every request has ended; return completions by request index."""
        prompts = [group[0].prompt_ids for group in self.requests]
        lengths = torch.tensor([len(prompt) for prompt in prompts])
        longest = int(lengths.max())
        padded = torch.zeros(len(prompts), longest, dtype=torch.int64)
        for row, prompt in enumerate(prompts):
            padded[row, : len(prompt)] = torch.tensor(prompt)
        hidden, prompt_caches = self.model.prompt(padded)
        last = hidden[torch.arange(len(prompts)), lengths - 1]  # [P, D]
        last = last[:, None].expand(-1, self.shape[1], -1)  # [P, G, D]
        bias = padding_bias(lengths, longest)
        past: list[Cache] | None = None
        alive = np.arange(len(prompts))  # prompts with a request still running
        for step in range(self.max_new):
            chosen = self._choose(last, alive, step)
            done = self.ended[alive].all(axis=1)
            if done.all():
                break
            if done.mean() >= 0.25:  # shrinking costs a copy of the caches
                keep = torch.from_numpy(np.flatnonzero(~done))
                alive, chosen, lengths, bias = alive[~done], chosen[keep], lengths[keep], bias[keep]
                prompt_caches = [(key[keep], value[keep]) for key, value in prompt_caches]
                past = [(key[keep], value[keep]) for key, value in past] if past else None
            hidden, past = self.model.suffix(
                chosen[..., None],
                lengths[:, None] + step,
                prompt_caches=prompt_caches,
                prompt_bias=bias,
                past=past,
            )
            last = hidden[:, :, 0]
        return self._completions()

    def _choose(self, last: Tensor, alive: np.ndarray, step: int) -> Tensor:
        """Draw the next token of every request of the `alive` prompts and record it."""
        logits = last @ self.model.head_weight.T  # [P, G, V]
        temperature = self.temperature[alive]
        scaled = logits / temperature.clamp(min=1e-6)[..., None]
        scaled = torch.where(temperature[..., None] > 0, scaled, logits)
        log_normaliser = scaled.logsumexp(dim=-1)
        probabilities = (scaled - log_normaliser[..., None]).exp_()
        entropies = log_normaliser - (probabilities * scaled).sum(dim=-1)
        uniforms = torch.from_numpy(self.uniforms[alive, :, step])
        drawn = draw_tokens(probabilities, uniforms, self.top_p[alive])
        chosen = torch.where(temperature > 0, drawn, logits.argmax(dim=-1))
        picked = scaled.gather(-1, chosen[..., None])[..., 0] - log_normaliser
        running = ~self.ended[alive]
        self.tokens[alive, :, step] = np.where(running, chosen.numpy(), 0)
        self.logprobs[alive, :, step] = picked.numpy()
        self.entropies[alive, :, step] = entropies.numpy()
        self.num_new[alive] += running
        self.ended[alive] |= (chosen.numpy() == self.end_id) | (step + 1 >= self.limits[alive])
        return chosen

    def _completions(self) -> dict[int, Completion]:
        completions: dict[int, Completion] = {}
        for row, group in enumerate(self.indices):
            for column, index in enumerate(group):
                count = int(self.num_new[row, column])
                tokens = tuple(self.tokens[row, column, :count].tolist())
                stopped = tokens[-1] == self.end_id
                completions[index] = Completion(
                    token_ids=tokens,
                    logprobs=tuple(self.logprobs[row, column, :count].tolist()),
                    entropies=tuple(self.entropies[row, column, :count].tolist()),
                    finish_reason=FinishReason.STOP if stopped else FinishReason.LENGTH,
                )
        return completions


def _uniforms(key: str, count: int) -> np.ndarray:
    """Return `count` numbers in [0, 1) that depend on `key` alone."""
    digest = hashlib.blake2b(key.encode(), digest_size=16).digest()
    stream = np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))
    return stream.random(count)


def draw_tokens(probabilities: Tensor, uniforms: Tensor, top_p: Tensor) -> Tensor:
    """Draw by inversion from probabilities [..., V] within the nucleus of mass `top_p`.

    The nucleus is the smallest set of most probable tokens whose mass reaches top_p.
    """
    if bool((top_p >= 1).all()):
        cumulative = probabilities.double().cumsum(dim=-1)
        targets = uniforms * cumulative[..., -1]
        drawn = torch.searchsorted(cumulative, targets[..., None], right=True)[..., 0]
        return drawn.clamp(max=probabilities.shape[-1] - 1)
    count = min(_NUCLEUS_CANDIDATES, probabilities.shape[-1])
    candidates, tokens = probabilities.topk(count, dim=-1)
    if bool((candidates.sum(dim=-1) < top_p).any()):
        candidates, tokens = probabilities.sort(dim=-1, descending=True, stable=True)
    cumulative = candidates.double().cumsum(dim=-1)
    before = cumulative - candidates
    in_nucleus = before < torch.where(top_p >= 1, math.inf, top_p.double())[..., None]
    mass = torch.where(in_nucleus, cumulative, 0.0).amax(dim=-1)
    place = torch.searchsorted(cumulative, (uniforms * mass)[..., None], right=True)
    place = place.clamp(max=candidates.shape[-1] - 1)
    return tokens.gather(-1, place)[..., 0]
