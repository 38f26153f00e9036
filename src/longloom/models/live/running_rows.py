"""The running rows of the live engine and the shelves that hold their keys and values."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from longloom.models.drawing import DrawSettings
from longloom.models.live.records import LiveRow
from longloom.models.live.shelves import Shelf, shelf_tokens
from longloom.models.network import SampledNetwork
from longloom.models.sampled_rows import settings_of


@dataclass(frozen=True, slots=True)
class Layout:
    """What stays the same from step to step while the same rows run."""

    shelves: list[Shelf]
    """Those that have rows, the narrowest first."""
    rows: list[LiveRow]
    """All running rows, shelf after shelf."""
    settings: DrawSettings
    """How they are drawn."""


class RunningRows:
    """Rows by the width of their shelf, in the shelf's order."""

    def __init__(self, network: SampledNetwork, widest: int) -> None:
        """Make no shelf yet; none will be wider than `widest` tokens."""
        self._network, self._widest = network, widest
        self._shelves: dict[int, Shelf] = {}
        self._rows: dict[int, list[LiveRow]] = {}
        self._layout: Layout | None = None

    def __len__(self) -> int:
        return sum(len(rows) for rows in self._rows.values())

    def __iter__(self) -> Iterator[LiveRow]:
        """Yield all rows, those of the narrowest shelf first."""
        for width in sorted(self._rows):
            yield from self._rows[width]

    @property
    def num_tokens(self) -> int:
        """Tokens the shelves have memory for."""
        return sum(shelf.num_places * shelf.width for shelf in self._shelves.values())

    def tokens_with(self, lengths: Sequence[int], *, without: LiveRow | None = None) -> int:
        """Return the tokens there would be memory for if rows of these lengths were added.

        Args:
            lengths: tokens that each row has kept.
            without: a row that would leave.
        """
        num_more = Counter(self._width(length + 1) for length in lengths)
        total = 0
        for width in {*num_more, *self._shelves}:
            shelf, more = self._shelves.get(width), num_more[width]
            if shelf is None:
                total += width * more
            elif more or self._rows[width] != [without]:
                total += width * shelf.places_with(more)
        return total

    def layout(self) -> Layout:
        """Return the shelves and rows of the next step."""
        if self._layout is None:
            shelves = [self._shelves[width] for width in sorted(self._shelves)]
            rows = list(self)
            self._layout = Layout(shelves, rows, settings_of(rows, self._network.device))
        return self._layout

    def add(self, row: LiveRow, cache: Float[Tensor, "L 2 1 K T d"], length: int) -> None:
        """Copy the first `length` tokens of a cache to a place with room for one more."""
        width = self._width(length + 1)
        if width not in self._shelves:
            self._shelves[width], self._rows[width] = Shelf(self._network, width), []
        self._shelves[width].add(cache, length)
        self._rows[width].append(row)
        self._layout = None

    def cache(self, row: LiveRow) -> tuple[Float[Tensor, "L 2 1 K S d"], int]:
        """Return the keys and values of a row, and how many tokens it has kept."""
        width, place = self._find(row)
        return self._shelves[width].row(place), self._shelves[width].lengths[place]

    def full(self) -> list[LiveRow]:
        """Return the rows that have no room for another token."""
        return [
            row
            for width, shelf in self._shelves.items()
            for row, length in zip(self._rows[width], shelf.lengths, strict=True)
            if length == width
        ]

    def move(self, row: LiveRow) -> None:
        """Give a row a place with more room."""
        cache, length = self.cache(row)
        width, place = self._find(row)
        self.add(row, cache, length)
        self._take(width, place)

    def remove(self, row: LiveRow) -> None:
        """Free the place of a row."""
        self._take(*self._find(row))

    def __contains__(self, row: LiveRow) -> bool:
        return any(row in rows for rows in self._rows.values())

    def _find(self, row: LiveRow) -> tuple[int, int]:
        return next((width, rows.index(row)) for width, rows in self._rows.items() if row in rows)

    def _take(self, width: int, place: int) -> None:
        """Free a place; the shelf's last row takes it, and an empty shelf goes."""
        rows = self._rows[width]
        rows[place] = rows[-1]
        rows.pop()
        if rows:
            self._shelves[width].remove(place)
        else:
            del self._rows[width], self._shelves[width]
        self._layout = None

    def _width(self, num_tokens: int) -> int:
        return min(shelf_tokens(num_tokens), self._widest)
