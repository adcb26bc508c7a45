"""The answers to the last cells, kept for `%pxresult` within a limit."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from pxshell.errors import UsageError
from pxshell.render.events import CellAnswers

__all__ = ["Results"]

MAX_CELLS = 100
MAX_BYTES = 64 * 1024 * 1024


class Results:
    """Cell number to a way to its answers; the oldest go first, the last one always stays."""

    def __init__(self, max_cells: int = MAX_CELLS, max_bytes: int = MAX_BYTES) -> None:
        self._max_cells = max_cells
        self._max_bytes = max_bytes
        self._kept: OrderedDict[int, tuple[Callable[[], CellAnswers], int]] = OrderedDict()
        self._bytes = 0

    def watch(self, cell: int, look: Callable[[], CellAnswers]) -> None:
        """Keep a cell in flight: `look` gives what has come so far."""
        self._put(cell, look, 0)

    def keep(self, answers: CellAnswers) -> None:
        """Keep the answers of a cell that is accounted for."""
        self._put(answers.cell, lambda: answers, _size(answers))

    def _put(self, cell: int, look: Callable[[], CellAnswers], size: int) -> None:
        _, before = self._kept.get(cell, (None, 0))
        self._kept[cell] = (look, size)
        self._bytes += size - before
        while len(self._kept) > 1 and self._is_full():
            _, (_, gone) = self._kept.popitem(last=False)
            self._bytes -= gone

    def _is_full(self) -> bool:
        return len(self._kept) > self._max_cells or self._bytes > self._max_bytes

    def __contains__(self, cell: object) -> bool:
        return cell in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, cell: int | None = None) -> CellAnswers:
        """Return the answers to a cell, the last one by default.

        Raises:
            UsageError: it is not kept.
        """
        if not self._kept:
            raise UsageError("no cell has run in this session; run one: %px CODE")
        number = next(reversed(self._kept)) if cell is None else cell
        if number not in self._kept:
            raise UsageError(f"cell {number} is not kept; there are {min(self._kept)} to {max(self._kept)}")
        return self._kept[number][0]()


def _size(answers: CellAnswers) -> int:
    texts = [str(value) for answer in answers.answers for value in answer.data.values()]
    return sum(map(len, texts)) + sum(len(line) for failure in answers.failures for line in failure.traceback)
