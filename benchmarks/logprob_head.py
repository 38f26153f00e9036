"""What log-probabilities and entropies cost beside the matrix products they cannot do without.

At width 1,024 and a vocabulary of 151,936, in fp32 on one core: forward and backward of our head;
four bare products of the same sizes (logits, logits again, gradient of the hidden states, gradient
of the matrix), 1,024 tokens at a time; and log-softmax with autograd over all logits at once, which
keeps them and so has three products, up to 4,096 tokens. CPU seconds, and the most memory above
inputs and gradients, each in a process of its own. Target: at most 1.2 times the products, and
memory that does not grow with the tokens.
32,768 tokens take about seven minutes a variant; `--tokens 1024` is quick.
Result: results/logprob_head.json.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from machine_facts import machine_facts

WIDTH = 1_024
VOCABULARY_SIZE = 151_936
ALL_TOKENS = (1_024, 4_096, 32_768)
MAX_MATERIALISED_TOKENS = 4_096
CHUNK_TOKENS = 1_024
TARGET_TIMES_PRODUCTS = 1.2
FP32_BYTES = 4
HERE = Path(__file__).parent


def bare_products(hidden: Any, weight: Any, targets: Any) -> None:
    """Multiply what any head with recomputed logits multiplies, and nothing else."""
    import torch

    hidden, weight = hidden.detach(), weight.detach()
    grad_hidden, grad_weight = torch.zeros_like(hidden), torch.zeros_like(weight)
    logits = torch.empty(min(CHUNK_TOKENS, len(hidden)), len(weight))
    for start in range(0, len(hidden), CHUNK_TOKENS):
        chunk = slice(start, start + CHUNK_TOKENS)
        for _ in range(2):
            torch.mm(hidden[chunk], weight.T, out=logits)
        torch.mm(logits, weight, out=grad_hidden[chunk])
        grad_weight.addmm_(logits.T, hidden[chunk])


def longloom(hidden: Any, weight: Any, targets: Any) -> None:
    """Score and go back as training does."""
    from longloom.models.logprob_head import logprobs_and_entropies

    logprobs, _ = logprobs_and_entropies(hidden, weight, targets, temperature=1.0)
    logprobs.sum().backward()


def materialised(hidden: Any, weight: Any, targets: Any) -> None:
    """Score and go back with all logits at once, without entropies."""
    table = (hidden @ weight.T).log_softmax(dim=-1)
    table.gather(1, targets[:, None]).sum().backward()


VARIANTS: dict[str, Callable[[Any, Any, Any], None]] = {
    "bare_products": bare_products,
    "longloom": longloom,
    "materialised": materialised,
}


def measure_here(variant: str, num_tokens: int) -> dict[str, float]:
    """Measure one variant in this process, which has done nothing else."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    hidden = torch.randn(num_tokens, WIDTH).requires_grad_()
    weight = torch.empty(VOCABULARY_SIZE, WIDTH).normal_(std=0.02).requires_grad_()
    targets = torch.randint(0, VOCABULARY_SIZE, (num_tokens,))
    few = hidden[:8].detach().requires_grad_()
    VARIANTS[variant](few, weight[:64].detach().requires_grad_(), targets[:8] % 64)  # loads kernels
    before = peak_bytes()
    begin = time.process_time()
    VARIANTS[variant](hidden, weight, targets)
    seconds = time.process_time() - begin
    gradients = (hidden.numel() + weight.numel()) * FP32_BYTES
    return {
        "cpu_seconds": round(seconds, 2),
        "megabytes_above_inputs_and_gradients": round((peak_bytes() - before - gradients) / 1e6),
    }


def peak_bytes() -> int:
    """Return the most memory this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(variant: str, num_tokens: int) -> dict[str, float]:
    """Measure one variant in a new process."""
    done = subprocess.run(
        [sys.executable, __file__, "--variant", variant, "--tokens", str(num_tokens)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def main(all_tokens: list[int]) -> None:
    """Measure, print a table and write the result."""
    rows: dict[str, Any] = {}
    for num_tokens in all_tokens:
        measured = {
            variant: measure(variant, num_tokens)
            for variant in VARIANTS
            if variant != "materialised" or num_tokens <= MAX_MATERIALISED_TOKENS
        }
        products = measured["bare_products"]["cpu_seconds"]
        for variant, figures in measured.items():
            figures["times_products"] = round(figures["cpu_seconds"] / products, 2)
            print(
                f"{num_tokens:>6} tokens {variant:<14} {figures['cpu_seconds']:>8.2f} CPU-s "
                f"{figures['times_products']:>5.2f} x "
                f"{figures['megabytes_above_inputs_and_gradients']:>6.0f} MB",
                flush=True,
            )
        rows[str(num_tokens)] = measured
    if tuple(all_tokens) != ALL_TOKENS:
        return
    result = {
        "benchmark": "logprob_head",
        "command": "python benchmarks/logprob_head.py",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine_facts(torch=metadata.version("torch")),
        "num_threads": 1,
        "width": WIDTH,
        "vocabulary_size": VOCABULARY_SIZE,
        "target_times_products": TARGET_TIMES_PRODUCTS,
        "results": rows,
    }
    target = HERE / "results/logprob_head.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure the log-probability head.")
    parser.add_argument(
        "--tokens", type=int, nargs="+", default=list(ALL_TOKENS), help="written if all are run"
    )
    parser.add_argument("--variant", choices=VARIANTS, help="run one variant in this process")
    given = parser.parse_args()
    if given.variant:
        print(json.dumps(measure_here(given.variant, given.tokens[0])))
    else:
        main(given.tokens)
