"""What one update over a memory agent's calls costs, by what the calls share.

    python benchmarks/memory_training.py [--cases 2048/256/64,8192/1024/256] [--write]

An update has a group of 8 trajectories, each with a call for every section and one that answers,
with a 0.92M Qwen3 of random weights in fp32 on one CPU thread. The first call of all eight has the
same prompt; afterwards each has a memory of its own. Prompts are laid out in two orders: the
paper's (question, memory, section, instructions) and section first. Ways to compute the gradient:

    rows         every call alone
    equal        equal prompts once
    beginnings   the beginnings of different prompts too, as the engine trains
    any          the same for every beginning, however short, to see what the threshold is worth

Each runs in a process of its own; seconds are CPU time of forward and backward passes, memory is
the largest resident set above where it stood; every gradient is compared with the first way's.
Result: results/memory_training.json.
"""

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from machine_facts import machine_facts

RESULT = Path(__file__).parent / "results" / "memory_training.json"
CASES = ("2048/256/64", "2048/256/256", "8192/1024/256")
ORDERS = ("paper", "section_first")
WAYS = ("rows", "equal", "beginnings", "any")
GROUP_SIZE = 8
HEAD_TOKENS, QUESTION_TOKENS, INSTRUCTION_TOKENS = 8, 64, 200
FIRST_WORD_ID = 300
"""Tokens are drawn from here on: past the special tokens and the bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The sizes of one update."""

    section_tokens: int
    """Tokens of a section."""
    memory_tokens: int
    """Tokens of the memory in a prompt."""
    response_tokens: int
    """Tokens of every response."""
    num_sections: int
    """Sections of the document; there is one more call, which answers."""
    order: str
    """One of `ORDERS`."""

    @classmethod
    def parse(cls, name: str, *, num_sections: int, order: str) -> "Case":
        """Return the case that `name` gives as `section/memory/response`."""
        section, memory, response = (int(part) for part in name.split("/"))
        return cls(
            section_tokens=section,
            memory_tokens=memory,
            response_tokens=response,
            num_sections=num_sections,
            order=order,
        )


def made_sequences(case: Case) -> list[Any]:
    """Return the calls of all trajectories, trajectory by trajectory, with drawn tokens."""
    from longloom.records import TrainingSequence

    rng = Random(0)

    def words(count: int) -> tuple[int, ...]:
        return tuple(rng.randrange(FIRST_WORD_ID, 1_024) for _ in range(count))

    head, question, instructions, empty = map(
        words, (HEAD_TOKENS, QUESTION_TOKENS, INSTRUCTION_TOKENS, 3)
    )
    sections = [words(case.section_tokens) for _ in range(case.num_sections)]
    sequences = []
    for index in range(GROUP_SIZE):
        memory = empty
        prompts = []
        for section in sections:
            parts = (question, memory, section)
            if case.order == "section_first":
                parts = (section, question, memory)
            prompts.append(sum((head, *parts, instructions), ()))
            memory = words(case.memory_tokens)
        prompts.append(head + question + memory + instructions)
        advantage = (index - (GROUP_SIZE - 1) / 2) / GROUP_SIZE
        sequences += [
            TrainingSequence(
                prompt_ids=prompt,
                response_ids=words(case.response_tokens),
                rollout_logprobs=(0.0,) * case.response_tokens,
                advantages=(advantage,) * case.response_tokens,
            )
            for prompt in prompts
        ]
    return sequences


def set_way(way: str) -> None:
    """Have prompts share what this way shares."""
    from longloom.models import prompt_groups

    if way in ("rows", "equal"):
        prompt_groups.LEAST_TOKENS = 1 << 40
    if way == "any":
        prompt_groups.LEAST_TOKENS, prompt_groups.LEAST_FRACTION = 1, 0.0


def add_gradient(network: Any, chosen: Sequence[Any], num_tokens: int) -> None:
    """Add the gradient of some calls, of all of which there are `num_tokens` response tokens."""
    import torch

    from longloom.models.local_policy import score_sequences
    from longloom.training.loss_config import LossConfig, LossDenominators
    from longloom.training.losses import policy_gradient_loss

    logprobs, _ = score_sequences(network, chosen, temperature=1.0)
    lengths = torch.tensor([len(each.response_ids) for each in chosen])
    loss, _ = policy_gradient_loss(
        logprobs,
        None,
        torch.tensor([value for each in chosen for value in each.advantages]),
        LossConfig(),
        LossDenominators(num_tokens=num_tokens, num_sequences=1),
        sequence_tokens=lengths.repeat_interleave(lengths),
    )
    loss.backward()


def packed_tokens(chosen: Sequence[Any]) -> int:
    """Return the tokens that the network reads for some calls, what is shared counted once."""
    from longloom.models.prompt_groups import cluster_prompts

    total = sum(len(each.response_ids) for each in chosen)
    for cluster in cluster_prompts([each.prompt_ids for each in chosen]):
        contexts = [len(chosen[group[0]].prompt_ids) - 1 for group in cluster.groups]
        total += sum(contexts) - (len(contexts) - 1) * cluster.beginning_tokens
    return total


def run_way(way: str, case: Case, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Compute the gradient in this process; return figures and write the gradient."""
    import torch
    from grpo_steps.process_memory import MemoryMeter

    from longloom.engines.micro_batches import micro_batches
    from longloom.models.loading import load_network

    torch.set_num_threads(1)
    set_way(way)
    sequences = made_sequences(case)
    network = load_network(folder, device=torch.device("cpu"), dtype=torch.float32)
    places = micro_batches(sequences, max_tokens=options.max_batch_tokens)
    if way == "rows":
        places = [(index,) for index in range(len(sequences))]
    batches = [[sequences[index] for index in batch] for batch in places]
    num_tokens = sum(len(each.response_ids) for each in sequences)
    add_gradient(network, batches[0], num_tokens)  # warms up
    seconds = []
    meter = MemoryMeter("cpu")
    for _ in range(options.repeats):
        for _, weight in network.named_parameters():
            weight.grad = None
        started = time.process_time()
        for batch in batches:
            add_gradient(network, batch, num_tokens)
        seconds.append(time.process_time() - started)
    gradient = [weight.grad.flatten() for _, weight in network.named_parameters()]
    torch.save(torch.cat(gradient), folder / f"{way}.pt")
    return {
        "packed_tokens": sum(map(packed_tokens, batches)),
        "micro_batches": len(batches),
        "cpu_seconds": round(min(seconds), 3),
        **meter.figures(),
    }


def measure_case(name: str, order: str, options: argparse.Namespace, folder: Path) -> Any:
    """Return the figures of all ways, each by a child; gradients are compared with the first."""
    import torch

    found: dict[str, Any] = {}
    for way in options.ways.split(","):
        command = [
            sys.executable, __file__, "--child", way, "--cases", name, "--order", order,
            "--folder", str(folder), "--sections", str(options.sections),
            "--max-batch-tokens", str(options.max_batch_tokens),
            "--repeats", str(1 if way == "rows" else options.repeats),
        ]  # fmt: skip
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found[way] = json.loads(output.splitlines()[-1])
        mine, first = (torch.load(folder / f"{each}.pt") for each in (way, next(iter(found))))
        found[way]["gradient_difference"] = float((mine - first).norm() / first.norm())
        print(f"{name:<14} {order:<14} {way:<11} {json.dumps(found[way])}", flush=True)
    return found


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", default=",".join(CASES), help="section/memory/response, ...")
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--orders", default=",".join(ORDERS))
    parser.add_argument("--sections", type=int, default=2, help="sections of the document")
    parser.add_argument("--max-batch-tokens", type=int, default=3_072, help="of a micro-batch")
    parser.add_argument("--repeats", type=int, default=3, help="the least time counts")
    parser.add_argument("--write", action="store_true", help=f"write to {RESULT.name}")
    for hidden in ("--child", "--order", "--folder"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> None:
    """Measure, print, and write the result if asked."""
    options = parse_arguments(arguments)
    if options.child:
        case = Case.parse(options.cases, num_sections=options.sections, order=options.order)
        print(json.dumps(run_way(options.child, case, options, Path(options.folder))))
        return
    from grpo_steps.made_model import TINY, write_model

    with tempfile.TemporaryDirectory(prefix="memory-model-") as name:
        write_model(Path(name), TINY)
        cases = {
            case: {
                order: measure_case(case, order, options, Path(name))
                for order in options.orders.split(",")
            }
            for case in options.cases.split(",")
        }
    if options.write:
        write(cases, options)


def write(cases: dict[str, Any], options: argparse.Namespace) -> None:
    """Write the figures of these cases; those of others stay as they are."""
    found = json.loads(RESULT.read_text("utf-8")) if RESULT.exists() else {}
    found |= {
        "benchmark": "memory_training",
        "machine": machine_facts(),
        "group_size": GROUP_SIZE,
    }
    for name, orders in cases.items():
        found.setdefault("cases", {})[name] = {
            "command": f"python benchmarks/memory_training.py {shlex.join(sys.argv[1:])}",
            "date": datetime.now(UTC).date().isoformat(),
            "sections": options.sections,
            "max_batch_tokens": options.max_batch_tokens,
            **orders,
        }
    RESULT.write_text(json.dumps(found, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
