"""What the memory plan of the local engine foresees on CPU, and what a run needs.

Each case runs in a child: a model of random weights is written, loaded, sampled from and updated
twice, and saved. Measured is the peak of the resident memory above that at the start, when torch is
imported and has multiplied its first matrices. Answers have their full length, so that the plan's
largest micro-batch is the one that runs.

Usage: python benchmarks/memory_plan.py [--write] [--case NAME]
"""

import argparse
import asyncio
import json
import platform
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

RESULT = Path(__file__).parent / "results" / "memory_plan.json"
TOLERANCE = 0.25


@dataclass(frozen=True)
class Case:
    """One run."""

    name: str
    """What is special about it."""
    model: str
    """Key of `MODELS`."""
    prompt_tokens: int
    """Tokens of each prompt."""
    response_tokens: int
    """Tokens of each answer."""
    group_size: int = 8
    """Answers to a prompt."""
    num_prompts: int = 1
    """Prompts of a step."""
    settings: tuple[tuple[str, object], ...] = ()
    """Settings of the engine."""
    kl_coefficient: float = 0.0
    """Above 0 there is a reference."""


MODELS = {
    "1M": {"hidden_size": 128, "intermediate_size": 384, "num_hidden_layers": 4,
           "num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 32,
           "vocab_size": 2_048},
    "12.5M": {"hidden_size": 256, "intermediate_size": 1_024, "num_hidden_layers": 8,
              "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 32,
              "vocab_size": 16_384},
    "60M": {"hidden_size": 512, "intermediate_size": 1_536, "num_hidden_layers": 14,
            "num_attention_heads": 8, "num_key_value_heads": 8, "head_dim": 64,
            "vocab_size": 20_480},
    "600M": {"hidden_size": 1_024, "intermediate_size": 3_072, "num_hidden_layers": 28,
             "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128,
             "vocab_size": 151_936},
    "1.7B": {"hidden_size": 2_048, "intermediate_size": 6_144, "num_hidden_layers": 28,
             "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128,
             "vocab_size": 151_936},
}  # fmt: skip
LONG_BATCH = (("max_batch_tokens", 16_384),)
CASES = (
    Case("short", "12.5M", 1_024, 32),
    Case("long answers", "12.5M", 1_024, 256),
    Case("packed groups", "12.5M", 1_024, 64, num_prompts=8),
    Case("long prompt", "12.5M", 4_096, 32),
    Case("checkpointing", "12.5M", 4_096, 32, settings=(("gradient_checkpointing", "on"),)),
    Case("bfloat16", "12.5M", 4_096, 32, settings=(("dtype", "bfloat16"),)),
    Case("large micro-batch", "12.5M", 1_024, 128, num_prompts=8, settings=LONG_BATCH),
    Case("short", "60M", 1_024, 32),
    Case("reference", "60M", 1_024, 32, kl_coefficient=0.1),
    Case("long prompt", "60M", 4_096, 32),
    Case("checkpointing", "60M", 4_096, 32, settings=(("gradient_checkpointing", "on"),)),
    Case("bfloat16", "60M", 1_024, 32, settings=(("dtype", "bfloat16"),)),
)


def write_model(folder: Path, name: str) -> None:
    """Write a model of random weights with a tokenizer of one token."""
    import torch
    from tokenizers import Tokenizer, models

    from longloom.models.folder import save_model, shape_settings
    from longloom.models.qwen3 import Qwen3, Qwen3Shape

    shape = Qwen3Shape(
        max_position_embeddings=65_536,
        rope_theta=1e6,
        rms_norm_eps=1e-6,
        tie_word_embeddings=True,
        **MODELS[name],
    )
    folder.mkdir(parents=True, exist_ok=True)
    settings = shape_settings(shape, end_id=0, pad_id=0)
    (folder / "config.json").write_text(json.dumps(settings), "utf-8")
    Tokenizer(models.WordLevel({"<end>": 0}, unk_token="<end>")).save(
        str(folder / "tokenizer.json")
    )
    end = {"eos_token": "<end>", "tokenizer_class": "PreTrainedTokenizerFast"}
    (folder / "tokenizer_config.json").write_text(json.dumps(end), "utf-8")
    torch.manual_seed(0)
    network = Qwen3(shape)
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(0.5)
    save_model(network, folder, like=folder)


def resident_bytes(field: str) -> int:
    """Return VmRSS or VmHWM of this process."""
    for line in Path("/proc/self/status").read_text("utf-8").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1_024
    raise SystemExit(f"/proc/self/status has no {field}; this benchmark needs Linux")


def run_case(case: Case, folder: Path) -> dict[str, float]:
    """Run one case in this process; return predicted and measured peak in bytes."""
    import torch

    torch.set_num_threads(1)
    from longloom.engines.local import LocalEngine
    from longloom.engines.local_config import LocalEngineConfig
    from longloom.engines.memory_plan import StageWork, plan_memory
    from longloom.training.loss_config import LossConfig

    config = LocalEngineConfig(device="cpu", **dict(case.settings))
    work = StageWork(
        max_prompt_tokens=case.prompt_tokens,
        max_response_tokens=case.response_tokens,
        group_size=case.group_size,
        num_prompts=case.num_prompts,
        has_reference=case.kl_coefficient > 0,
    )
    plan = plan_memory(folder, config, work)
    warm = torch.ones(64, 64, dtype=torch.bfloat16)
    (warm @ warm, warm.float() @ warm.float())
    Path("/proc/self/clear_refs").write_text("5", "utf-8")  # forget the peak so far
    start = resident_bytes("VmRSS")
    engine = LocalEngine(folder, config=config)
    loss = LossConfig(kl_coefficient=case.kl_coefficient)
    for _ in range(2):
        engine.update(update_of(sampled(engine, case)), loss=loss)
    engine.save(folder.parent / "saved")
    measured = resident_bytes("VmHWM") - start
    return {"predicted": plan.peak_bytes, "measured": measured}


def sampled(engine, case: Case) -> list:  # noqa: ANN001
    """Return rollouts as sequences to learn from."""
    from longloom.records import SampleRequest, SamplingParams, TrainingSequence

    params = SamplingParams(temperature=1.0, top_p=1.0, max_new_tokens=case.response_tokens)
    prompts = [
        tuple(1 + (place * 7 + prompt) % 1_000 for place in range(case.prompt_tokens))
        for prompt in range(case.num_prompts)
        for _ in range(case.group_size)
    ]

    async def sample_all() -> list:
        requests = [
            SampleRequest(prompt_ids=prompt, params=params, key=str(number))
            for number, prompt in enumerate(prompts)
        ]
        return await asyncio.gather(*(engine.sampler.sample(request) for request in requests))

    return [
        TrainingSequence(
            prompt_ids=prompt,
            response_ids=completion.token_ids,
            rollout_logprobs=completion.logprobs,
            advantages=((-1.0) ** number,) * len(completion.token_ids),
        )
        for number, (prompt, completion) in enumerate(
            zip(prompts, asyncio.run(sample_all()), strict=True)
        )
    ]


def update_of(sequences: list):  # noqa: ANN201
    """Return one update over the sequences."""
    from longloom.training.engine import Update
    from longloom.training.loss_config import LossDenominators

    num_tokens = sum(len(sequence.response_ids) for sequence in sequences)
    return Update(
        sequences=sequences,
        denominators=LossDenominators(num_tokens=num_tokens, num_sequences=len(sequences)),
        temperature=1.0,
        learning_rate=1e-6,
        max_grad_norm=1.0,
    )


def in_child(case: Case, index: int) -> dict[str, object]:
    """Run one case in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            [sys.executable, __file__, "--index", str(index), "--folder", folder],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    found = json.loads(run.stdout)
    ratio = found["predicted"] / found["measured"]
    print(
        f"{case.model:>6} {case.name:<18} predicted {found['predicted'] / 1e6:8.0f} MB   "
        f"measured {found['measured'] / 1e6:8.0f} MB   ratio {ratio:.2f}"
    )
    return {
        **asdict(case),
        "settings": dict(case.settings),
        "predicted_mb": round(found["predicted"] / 1e6),
        "measured_mb": round(found["measured"] / 1e6),
        "ratio": round(ratio, 3),
    }


def main() -> None:
    """Run all cases, or one of them within a child."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the result file")
    parser.add_argument("--case", default="", help="only cases whose name or model has this")
    parser.add_argument("--index", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--model", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.model:
        write_model(arguments.folder, arguments.model)
        return
    if arguments.index is not None:
        case = CASES[arguments.index]
        model = arguments.folder / "model"
        if not model.exists():  # in a child, so that its memory is not this process's
            writer = [sys.executable, __file__, "--model", case.model, "--folder", str(model)]
            subprocess.run(writer, check=True)
        print(json.dumps(run_case(case, model)))
        return
    rows = [
        in_child(case, index)
        for index, case in enumerate(CASES)
        if arguments.case in case.name or arguments.case in case.model
    ]
    worst = max(abs(row["ratio"] - 1) for row in rows)
    print(f"largest error {worst:.0%}; at most {TOLERANCE:.0%} is expected")
    if arguments.write:
        result = {
            "cases": rows,
            "largest_error": round(worst, 3),
            "command": "python benchmarks/memory_plan.py --write",
            "machine": f"{platform.machine()}, Python {platform.python_version()}, one core",
            "date": datetime.now(UTC).date().isoformat(),
        }
        RESULT.write_text(json.dumps(result, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
