"""Rows: people's own training files, taken as they are.

    Parquet, JSON Lines, JSON -> rows, each checked -> prompts rendered and encoded once -> a store

A row is of verl (`prompt` as a chat, `reward_model.ground_truth`) or like those of TRL (`prompt` or
`messages`, with `answer`, `ground_truth` or `solution`); for supervised fine-tuning it is a chat
that ends with the assistant, or `prompt` and `response`. Unlike published sets, prompts are not
taken apart into document and question: the model sees the chat that the row holds.

No section of the paper: its own training files are published sets (QwenLong-L1, section 3.1).

Read `checking.py`, `importing.py`, `store.py`.
"""

from longloom.synthesis.rows.checking import RowsConfig
from longloom.synthesis.rows.importing import import_rows, read_sft_chats
from longloom.synthesis.rows.store import RowStore

__all__ = ["RowStore", "RowsConfig", "import_rows", "read_sft_chats"]
