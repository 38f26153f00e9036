"""Settings of a merge."""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from longloom.config import FrozenConfig

Fraction = Annotated[float, Field(gt=0.0, le=1.0)]


class MergeConfig(FrozenConfig):
    """How models are merged into their pivot (QwenLong-L1.5, section 4.1: SCE)."""

    method: Literal["dare", "linear", "sce", "task_arithmetic", "ties"] = "sce"
    """`sce` is the paper's; the others are for comparison."""
    select_topk: Fraction = 1.0
    """SCE: fraction of the positions with non-zero variance that is selected (tau). The paper
    gives no value; 1.0 is what the authors of SCE use for reasoning models."""
    variant: Literal["authors", "mergekit"] = "authors"
    """SCE below select_topk 1: the authors' code selects for the coefficients alone, mergekit
    drops the unselected positions from the merge as well. mergekit also bounds sums by 1e-6, so
    that tensors that changed little get equal coefficients; without that they agree at 1.0."""
    weights: tuple[float, ...] | None = None
    """One per model, for every method but SCE; equal weights summing to 1 if not given."""
    density: Fraction = 1.0
    """Fraction of each model's changes that TIES keeps by magnitude and DARE at random."""
    densities: tuple[Fraction, ...] | None = None
    """One per model, in place of `density`."""
    seed: int = 0
    """DARE: names the random stream, with the tensor's name and the model's position."""
    dtype: Literal["bfloat16", "float16", "float32"] | None = None
    """Type of the written floating point tensors; the pivot's if not given."""
    max_shard_bytes: PositiveInt = 5_000_000_000
    """A larger model is written as several files, as transformers does."""
    num_threads: PositiveInt = 1
    """Tensors (of fused experts: matrices) merged at the same time; the bytes do not depend on
    it."""

    @model_validator(mode="after")
    def _check_weights(self) -> Self:
        if self.weights is None:
            return self
        if self.method == "sce":
            raise ValueError(
                f"weights is {self.weights}, but method sce computes its own coefficients; "
                "remove weights or choose another method"
            )
        if not self.weights:
            raise ValueError("weights is empty; expected one number per model, or leave it out")
        if self.method == "linear" and sum(self.weights) == 0:
            raise ValueError(
                f"weights {self.weights} sum to 0; method linear divides by their sum, so give "
                "weights with another sum"
            )
        if self.method == "ties" and min(self.weights) <= 0:
            raise ValueError(
                f"weights is {self.weights}; method ties needs weights above 0, because they vote"
            )
        return self

    def densities_for(self, num_models: int) -> tuple[float, ...]:
        """Return the densities of `num_models` models."""
        return self.densities or (self.density,) * num_models

    def weights_for(self, num_models: int) -> tuple[float, ...]:
        """Return the weights of `num_models` models, equal ones if none were given."""
        return self.weights or (1.0 / num_models,) * num_models
