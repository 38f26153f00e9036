"""A tokenizer in which every word, mark and line end is one token."""

import re
from collections.abc import Sequence

_TOKEN = re.compile(r"\n|<[^<>\s]+>|[^\s<>]+|[<>]")


class WordTokenizer:
    """Satisfies the Tokenizer protocol; ids are given in the order of appearance."""

    name = "words"

    def __init__(self, long_names: Sequence[str] = ()) -> None:
        self._ids: dict[str, int] = {}
        self._long_names = frozenset(long_names)

    @property
    def end_id(self) -> int:
        return self._id("<|im_end|>")

    @property
    def end_ids(self) -> frozenset[int]:
        return frozenset({self.end_id})

    def _id(self, word: str) -> int:
        return self._ids.setdefault(word, len(self._ids))

    def encode(self, text: str) -> list[int]:
        return self.encode_with_offsets(text)[0]

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        ids: list[int] = []
        offsets: list[tuple[int, int]] = []
        for match in _TOKEN.finditer(text):
            word = match.group()
            if word not in self._long_names:
                ids.append(self._id(word))
                offsets.append(match.span())
                continue
            for place in range(match.start(), match.end()):
                ids.append(self._id(text[place]))
                offsets.append((place, place + 1))
        return ids, offsets

    def decode(self, token_ids: Sequence[int]) -> str:
        words = {number: word for word, number in self._ids.items()}
        return " ".join(words[number] for number in token_ids)

    def render_chat(self, messages: Sequence[dict[str, str]]) -> str:
        turns = [f"<|im_start|>{turn['role']}\n{turn['content']}<|im_end|>\n" for turn in messages]
        return "".join(turns) + "<|im_start|>assistant\n<think>\n"
