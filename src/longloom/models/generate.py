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
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from longloom.models.qwen3 import Cache, Qwen3, padding_bias
from longloom.records import Completion, FinishReason, SampleRequest

_NUCLEUS_CANDIDATES = 64
"""Tokens looked at first when top-p cuts; the whole vocabulary only if they do not suffice."""

_PREFILL_PROMPTS = 4
"""Prompts computed at once: few, so that little is spent on padding to the longest of them."""
_SHRINK_FRACTION = 0.75
"""A batch is shrunk when this little of it is still running; shrinking copies the caches."""


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
    """The state of one batch while it is decoded: P prompts with G requests each.

    What is recorded lies in flat rows, one per request. `rows` [P, G] says which request stands
    where; it shrinks as requests end.
    """

    def __init__(
        self, model: Qwen3, requests: Sequence[SampleRequest], groups: list[list[int]], end_id: int
    ) -> None:
        self.model = model
        self.end_id = end_id
        self.indices = [index for group in groups for index in group]
        self.prompts = [requests[group[0]].prompt_ids for group in groups]
        params = [requests[index].params for index in self.indices]
        self.max_new = max(each.max_new_tokens for each in params)
        self.temperature = torch.tensor([each.temperature for each in params])
        self.top_p = torch.tensor([each.top_p for each in params])
        self.limits = torch.tensor([each.max_new_tokens for each in params])
        self.uniforms = torch.from_numpy(
            np.stack([_uniforms(requests[index].key, self.max_new) for index in self.indices])
        )
        num_rows = len(self.indices)
        self.rows = torch.arange(num_rows).view(len(groups), -1)
        self.tokens = torch.zeros(num_rows, self.max_new, dtype=torch.int64)
        self.logprobs = torch.zeros(num_rows, self.max_new)
        self.entropies = torch.zeros(num_rows, self.max_new)
        self.num_new = torch.zeros(num_rows, dtype=torch.int64)
        self.ended = torch.zeros(num_rows, dtype=torch.bool)

    def run(self) -> dict[int, Completion]:
        """Decode until every request has ended; return completions by request index."""
        lengths = torch.tensor([len(prompt) for prompt in self.prompts])
        longest = int(lengths.max())
        last, prompt_caches = self._prefill(longest)
        last = last[:, None].expand(-1, self.rows.shape[1], -1)  # [P, G, D]
        bias = padding_bias(lengths, longest)
        num_prompts, group_size = self.rows.shape
        past = self.model.suffix_caches(num_prompts, group_size, self.max_new - 1)
        for step in range(self.max_new):
            self._choose(last, step)
            num_running = (~self.ended[self.rows]).sum(dim=1)
            if not num_running.any():
                break
            prompts = num_running.nonzero()[:, 0]
            num_kept = len(prompts) * int(num_running.max())
            if num_kept <= _SHRINK_FRACTION * self.rows.numel():
                columns = self._shrink(prompts, int(num_running.max()))
                lengths, bias = lengths[prompts], bias[prompts]
                prompt_caches = [(key[prompts], value[prompts]) for key, value in prompt_caches]
                past = [
                    (_picked(key, prompts, columns), _picked(value, prompts, columns))
                    for key, value in past
                ]
            hidden = self.model.suffix(
                self.tokens[self.rows, step, None],
                lengths[:, None] + step,
                prompt_caches=prompt_caches,
                prompt_bias=bias,
                past=past,
                num_past=step,
            )
            last = hidden.view(*self.rows.shape, -1)
        return self._completions()

    def _prefill(self, longest: int) -> tuple[Tensor, list[Cache]]:
        """Run the prompts, few of like length at a time; return last states [P, D] and caches."""
        lasts: list[Tensor] = []
        pieces: list[list[Cache]] = []
        for start in range(0, len(self.prompts), _PREFILL_PROMPTS):
            prompts = self.prompts[start : start + _PREFILL_PROMPTS]
            lengths = torch.tensor([len(prompt) for prompt in prompts])
            padded = torch.zeros(len(prompts), int(lengths.max()), dtype=torch.int64)
            for row, prompt in enumerate(prompts):
                padded[row, : len(prompt)] = torch.tensor(prompt)
            last, caches = self.model.prompt_end(padded, lengths)
            lasts.append(last)
            missing = (0, 0, 0, longest - padded.shape[1])
            pieces.append(
                [
                    (functional.pad(key, missing), functional.pad(value, missing))
                    for key, value in caches
                ]
            )
        joined = [
            (torch.cat([key for key, _ in layer]), torch.cat([value for _, value in layer]))
            for layer in zip(*pieces, strict=True)
        ]
        return torch.cat(lasts), joined

    def _shrink(self, prompts: Tensor, group_size: int) -> Tensor:
        """Keep these prompts and as many columns as hold all running requests; return them."""
        order = self.ended[self.rows[prompts]].to(torch.int8).argsort(dim=1, stable=True)
        columns = order[:, :group_size]
        self.rows = self.rows[prompts].gather(1, columns)
        return columns

    def _choose(self, last: Tensor, step: int) -> None:
        """Draw the next token of every running request and record it."""
        is_running = ~self.ended[self.rows]
        rows = self.rows[is_running]
        temperature = self.temperature[rows]
        is_drawn = temperature > 0
        divisor = torch.where(is_drawn, temperature, 1.0)
        logits = last[is_running] @ self.model.head_weight.T / divisor[:, None]  # [n, V]
        highest = logits.amax(dim=-1, keepdim=True)
        shifted = logits.sub_(highest)
        weights = shifted.exp()
        total = weights.sum(dim=-1)
        chosen = draw_tokens(weights, self.uniforms[rows, step], self.top_p[rows])
        if not is_drawn.all():
            chosen = torch.where(is_drawn, chosen, shifted.argmax(dim=-1))
        self.tokens[rows, step] = chosen
        self.logprobs[rows, step] = shifted.gather(-1, chosen[:, None])[:, 0] - total.log()
        self.entropies[rows, step] = total.log() - weights.mul_(shifted).sum(dim=-1) / total
        self.num_new[rows] += 1
        self.ended[rows] = (chosen == self.end_id) | (step + 1 >= self.limits[rows])

    def _completions(self) -> dict[int, Completion]:
        completions: dict[int, Completion] = {}
        for row, index in enumerate(self.indices):
            count = int(self.num_new[row])
            tokens = tuple(self.tokens[row, :count].tolist())
            stopped = tokens[-1] == self.end_id
            completions[index] = Completion(
                token_ids=tokens,
                logprobs=tuple(self.logprobs[row, :count].tolist()),
                entropies=tuple(self.entropies[row, :count].tolist()),
                finish_reason=FinishReason.STOP if stopped else FinishReason.LENGTH,
            )
        return completions


def _picked(cache: Tensor, prompts: Tensor, columns: Tensor) -> Tensor:
    """Return the entries of a suffix cache [P, K, G, S, d] at these prompts and columns."""
    kept = cache[prompts]
    places = columns[:, None, :, None, None].expand(-1, kept.shape[1], -1, *kept.shape[3:])
    return kept.gather(2, places)


def _uniforms(key: str, count: int) -> np.ndarray:
    """Return `count` numbers in [0, 1) that depend on `key` alone."""
    digest = hashlib.blake2b(key.encode(), digest_size=16).digest()
    stream = np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))
    return stream.random(count)


def draw_tokens(
    weights: Float[Tensor, "N V"], uniforms: Float[Tensor, " N"], top_p: Float[Tensor, " N"]
) -> Int[Tensor, " N"]:
    """Draw by inversion from weights in proportion to probability, within the nucleus.

    The nucleus is the smallest set of most probable tokens whose mass reaches top_p; of equally
    probable tokens the lower id comes first.
    """
    if bool((top_p >= 1).all()):
        cumulative = weights.cumsum(dim=-1, dtype=torch.float64)
        place = _invert(cumulative, uniforms * cumulative[:, -1])
        return place
    total = weights.sum(dim=-1, dtype=torch.float64)
    count = min(_NUCLEUS_CANDIDATES, weights.shape[-1])
    candidates, tokens = weights.topk(count, dim=-1)
    is_short = candidates.sum(dim=-1, dtype=torch.float64) < top_p * total
    if bool(is_short.any()) or bool((candidates[:, 1:] == candidates[:, :-1]).any()):
        candidates, tokens = weights.sort(dim=-1, descending=True, stable=True)
    cumulative = candidates.cumsum(dim=-1, dtype=torch.float64)
    before = cumulative - candidates
    bound = torch.where(top_p >= 1, math.inf, top_p.double() * total)
    mass = torch.where(before < bound[:, None], cumulative, 0.0).amax(dim=-1)
    return tokens.gather(-1, _invert(cumulative, uniforms * mass)[:, None])[:, 0]


def _invert(cumulative: Tensor, targets: Tensor) -> Tensor:
    """Return the first place whose cumulative weight exceeds the target [N]."""
    place = torch.searchsorted(cumulative, targets[:, None], right=True)[:, 0]
    return place.clamp(max=cumulative.shape[-1] - 1)
