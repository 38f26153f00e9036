"""Rows of supervised fine-tuning for verl's trainer (its `data.custom_cls`): encoded by Longloom.

verl's own dataset renders every message by itself; here a row is learned as it would be sampled,
as in the local engine (`training/sft_rows.py`). Rows are encoded once, into a file that all ranks
read.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor
from torch.utils.data import Dataset

from longloom.errors import DataError
from longloom.runlog import atomic_path
from longloom.training.sft_rows import SftExample

_SCHEMA = pa.schema(
    [("prompt_ids", pa.list_(pa.int32())), ("response_ids", pa.list_(pa.int32()))]
).with_metadata({"schema": "longloom.sft_rows", "version": "1"})


def write_sft_rows(path: Path, rows: Sequence[SftExample]) -> None:
    """Write encoded rows.

    Raises:
        DataError: the file cannot be written.
    """
    table = pa.table(
        {
            "prompt_ids": pa.array([list(row.prompt_ids) for row in rows], pa.list_(pa.int32())),
            "response_ids": pa.array(
                [list(row.response_ids) for row in rows], pa.list_(pa.int32())
            ),
        },
        schema=_SCHEMA,
    )
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary)


class SftRowsDataset(Dataset[dict[str, Tensor]]):
    """The rows of such a file, as verl's trainer takes them."""

    def __init__(
        self,
        parquet_files: str | Sequence[str],
        tokenizer: object = None,
        config: object = None,
        processor: object = None,
        max_samples: int = -1,
    ) -> None:
        """Read the file; verl passes the other arguments to every dataset.

        Raises:
            DataError: it is no file of rows.
        """
        path = parquet_files if isinstance(parquet_files, str) else next(iter(parquet_files))
        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowException) as error:
            raise DataError(
                f"rows {path} cannot be read ({error}); expected the file that the stage wrote: "
                "run the same command again"
            ) from None
        if (table.schema.metadata or {}).get(b"schema") != _SCHEMA.metadata[b"schema"]:
            raise DataError(f"{path} holds no encoded rows; expected what `write_sft_rows` wrote")
        self._prompts: Any = table.column("prompt_ids").combine_chunks()
        self._responses: Any = table.column("response_ids").combine_chunks()

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._responses)

    def __getitem__(self, place: int) -> dict[str, Tensor]:
        """Return one row: tokens, positions, and a mask of what the loss is taken over."""
        prompt, response = (
            torch.tensor(column[place].values.to_numpy(), dtype=torch.int64)
            for column in (self._prompts, self._responses)
        )
        token_ids = torch.cat([prompt, response])
        return {
            "input_ids": token_ids,
            "position_ids": torch.arange(len(token_ids)),
            "loss_mask": (torch.arange(len(token_ids)) >= len(prompt)).to(torch.int64),
        }
