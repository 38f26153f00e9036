"""The layouts over a cluster that `longloom run --engine verl` would choose, as a table.

    python benchmarks/cluster_layouts.py            # print it
    python benchmarks/cluster_layouts.py --write    # put it into docs/scaling.md

Nothing is measured: it is the arithmetic of `engines/verl/layout.py` for GPUs of 80 GB.
"""

import argparse
from pathlib import Path

from longloom.engines.verl.cluster_config import ClusterConfig
from longloom.engines.verl.cluster_layout import ClusterLayout, StageLengths
from longloom.engines.verl.layout import plan_layout
from longloom.errors import EngineError
from longloom.recipes.planning.known_models import model_sizes

DOCUMENT = Path(__file__).parents[1] / "docs" / "scaling.md"
BEGIN, END = "<!-- layouts -->", "<!-- end of layouts -->"
MODELS = ("Qwen3-4B", "Qwen3-8B", "Qwen3-30B-A3B")
LENGTHS = ((20_000, 12_000), (60_000, 20_000), (120_000, 50_000))
"""Prompts and answers of QwenLong-L1.5's stages (section 4.1)."""
NUM_GPUS = (8, 32, 64)
_HEAD = (
    "| model | prompt + answer | GPUs | rows over | tokens a GPU: update, log-probs | states | "
    "update GB | vLLM: GPUs a copy, memory, rows |",
    "| --- | --- | ---: | ---: | --- | --- | ---: | --- |",
)
_OFFLOAD = {
    "always": "main memory",
    "between_phases": "main memory while sampling",
    "none": "on the GPUs",
}


def table_lines() -> list[str]:
    """Return the table in Markdown: FSDP2 for all, Megatron for the mixture of experts."""
    lines = [*_HEAD]
    for model in MODELS:
        for lengths in LENGTHS:
            lines += [_row(model, lengths, num_gpus, "fsdp2") for num_gpus in NUM_GPUS]
    lines += ["", "Megatron, for the mixture of experts:", "", *_HEAD]
    for lengths in LENGTHS:
        lines += [_row(MODELS[-1], lengths, num_gpus, "megatron") for num_gpus in NUM_GPUS]
    return lines


def _row(model: str, lengths: tuple[int, int], num_gpus: int, backend: str) -> str:
    prompt_tokens, response_tokens = lengths
    start = f"| {model} | {prompt_tokens // 1000}K + {response_tokens // 1000}K | {num_gpus} |"
    cluster = ClusterConfig.model_validate({"num_gpus": num_gpus, "train_backend": backend})
    asked = StageLengths(prompt_tokens=prompt_tokens, response_tokens=response_tokens)
    try:
        layout = plan_layout(model_sizes(model), cluster, asked)
    except EngineError as error:
        return f"{start} | {str(error).rpartition('; ')[2].partition(':')[0]} | | | |"
    return f"{start} {_written(layout)} |"


def _written(layout: ClusterLayout) -> str:
    degree = str(layout.sequence_parallel)
    if layout.megatron is not None:
        degree = (
            f"context {degree}, tensor {layout.megatron.tensor_parallel}, "
            f"experts {layout.megatron.expert_parallel}"
        )
    return " | ".join(
        [
            degree,
            f"{layout.update_tokens_per_gpu:,}, {layout.logprob_tokens_per_gpu:,}",
            _OFFLOAD[layout.offload],
            f"{layout.update_bytes / 1e9:.1f}",
            f"{layout.rollout_tensor_parallel}, {layout.rollout_memory_fraction:.2f}, "
            f"{layout.max_sequences}",
        ]
    )


def written_document() -> str:
    """Return docs/scaling.md with the table as it is now."""
    before, rest = DOCUMENT.read_text("utf-8").split(BEGIN)
    _, after = rest.split(END)
    return "\n".join([f"{before}{BEGIN}", "", *table_lines(), "", f"{END}{after}"])


def main() -> None:
    """Print the table, or write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put it into docs/scaling.md")
    if parser.parse_args().write:
        DOCUMENT.write_text(written_document(), "utf-8")
    else:
        print("\n".join(table_lines()))


if __name__ == "__main__":
    main()
