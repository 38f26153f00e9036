"""What a plan assumes because no setting says it; printed with every plan and changeable."""

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from longloom.config import FrozenConfig


class PlanAssumptions(FrozenConfig):
    """Lengths of what models write, and how well a device is used.

    None of the GPU figures has been measured with this engine; those of the CPU are not taken from
    here but measured (`calibration.py`).
    """

    answer_fraction: float = Field(default=0.5, gt=0, le=1)
    """Mean length of an answer, or of a memory, as a fraction of its limit. QwenLong-L1.5's 4B runs
    wrote 5.8K to 9.6K tokens (Fig. 8); its limits were 12K to 50K."""
    longest_fraction: float = Field(default=1.0, gt=0, le=1)
    """Length of the longest answer of a batch, as a fraction of the limit."""
    prompt_fraction: float | None = Field(default=None, gt=0, le=1)
    """Mean length of a prompt as a fraction of the stage's limit; None follows from the lengths of
    the recipe's questions."""
    dropped_group_fraction: float = Field(default=0.3, ge=0, lt=1)
    """Groups that dynamic sampling drops and draws again, where it is on. Unknown before a run."""
    num_sft_rows: PositiveInt = 5_300
    """Rows of supervised fine-tuning whose file is not there (QwenLong-L1 had 5.3K)."""
    sft_row_fraction: float = Field(default=0.5, gt=0, le=1)
    """Mean length of such a row as a fraction of `max_tokens`."""
    mfu_training: float = Field(default=0.35, gt=0, le=1)
    """Fraction of the peak rate that training reaches, what is computed twice counted twice."""
    mfu_prefill: float = Field(default=0.45, gt=0, le=1)
    """The same of passes over prompts, and of decoding where it is bound by arithmetic."""
    mbu_decode: float = Field(default=0.5, gt=0, le=1)
    """Fraction of the memory bandwidth that decoding reaches."""
    layer_step_seconds: NonNegativeFloat = 4e-4
    """Least time of one layer in one decoding step of the local engine, whatever its work: about 25
    kernels launched one by one from Python."""
    served_layer_step_seconds: NonNegativeFloat = 2e-5
    """The same of a server with CUDA graphs, which is assumed for several GPUs."""
    usable_memory_fraction: float = Field(default=0.92, gt=0, le=1)
    """Part of a GPU's memory that can be filled: the rest is the driver's and lost in gaps."""
    disk_bytes_per_second: PositiveFloat = 1e9
    """Rate at which checkpoints are written and merged models read; several GPUs write their shares
    at once."""
    rest_fraction: float = Field(default=0.05, ge=0)
    """Rewards, bookkeeping and start-up as a fraction of rollouts and training."""
