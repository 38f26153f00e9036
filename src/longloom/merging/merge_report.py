"""What a merge did, tensor by tensor; written as merge_report.json into the merged folder."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from longloom.errors import ModelError
from longloom.runlog.atomic import atomic_write_text

REPORT_FILE_NAME = "merge_report.json"
"""Name within the merged folder."""
REPORT_SCHEMA = "longloom.merge_report"
"""Written as `schema` into the file."""
REPORT_VERSION = 2
"""Written as `version` into the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitReport:
    """What happened to one unit: a tensor, or one expert's part of it."""

    tensor: str
    """Name of the tensor."""
    start_element: int
    """First element of the unit in the flattened tensor."""
    num_elements: int
    """Elements of the unit."""
    coefficients: tuple[float, ...]
    """Weight of each model, in order."""
    kept_fraction: float
    """Positions that selection, trimming or dropping left, among all."""
    sign_conflict_fraction: float
    """Positions at which models changed the pivot in opposite directions, among all."""
    is_equalised: bool
    """Whether SCE's weights are equal because the changes are below mergekit's bound."""
    pivot_norm: float
    """Euclidean norm of the pivot."""
    change_norms: tuple[float, ...]
    """Norm of each model's change of the pivot."""
    merged_change_norm: float
    """Norm of the merge's change of the pivot."""
    retained_fractions: tuple[float, ...]
    """Part of each model's change that the merge holds along it; see `movement.Movement`."""

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "UnitReport":
        """Return what `dataclasses.asdict` made JSON of.

        Raises:
            TypeError: a field is missing or unknown.
        """
        lists = {name: tuple(each) for name, each in content.items() if isinstance(each, list)}
        return cls(**{**content, **lists})


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeReport:
    """What a merge did."""

    method: str
    """How models were merged."""
    pivot: str
    """Folder of the pivot."""
    models: tuple[str, ...]
    """Folders of the models, in the order of the coefficients."""
    warnings: tuple[str, ...]
    """Harmless differences between the folders, and what the method bounded."""
    units: tuple[UnitReport, ...]
    """One per unit, in the order in which they were merged."""

    @property
    def sign_conflict_fraction(self) -> float:
        """Positions of the whole model at which models disagreed in direction."""
        return self._mean([unit.sign_conflict_fraction for unit in self.units])

    @property
    def coefficients(self) -> tuple[float, ...]:
        """Mean weight of each model; normalised by the elements of the whole model."""
        return tuple(
            self._mean([unit.coefficients[model] for unit in self.units])
            for model in range(len(self.models))
        )

    def _mean(self, values: list[float]) -> float:
        sizes = [unit.num_elements for unit in self.units]
        weighted = sum(value * size for value, size in zip(values, sizes, strict=True))
        return weighted / max(1, sum(sizes))


def read_merge_report(folder: Path) -> MergeReport:
    """Return the report of a merged folder.

    Raises:
        ModelError: it is missing, damaged or of another version.
    """
    path = folder / REPORT_FILE_NAME
    try:
        content = json.loads(path.read_text("utf-8"))
        found = (content.pop("schema"), content.pop("version"))
        if found != (REPORT_SCHEMA, REPORT_VERSION):
            raise ModelError(
                f"{path} is {found[0]} version {found[1]}; expected {REPORT_SCHEMA} version "
                f"{REPORT_VERSION} (merge again to get it)"
            )
        units = tuple(UnitReport.from_json(unit) for unit in content.pop("units"))
        models, warnings = tuple(content.pop("models")), tuple(content.pop("warnings"))
        return MergeReport(units=units, models=models, warnings=warnings, **content)
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}; expected a merged model") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} is damaged: {error!r}; merge again") from None


def write_merge_report(folder: Path, report: MergeReport) -> None:
    """Write merge_report.json into a folder.

    Raises:
        ModelError: it cannot be written.
    """
    content = {"schema": REPORT_SCHEMA, "version": REPORT_VERSION, **asdict(report)}
    text = json.dumps(content, indent=1) + "\n"
    atomic_write_text(folder / REPORT_FILE_NAME, text, error_class=ModelError)
