"""Cells of different widths, wrapped into lines: where each is, and which is at a point. numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class TokenLines:
    """starts  int64 [lines + 1]: the first cell of each line, then the number of cells
    left    float64 [cells]: the left edge of each in its line, in pixels
    width   float64 [cells], in pixels
    """

    starts: NDArray[np.int64]
    left: NDArray[np.float64]
    width: NDArray[np.float64]

    def __len__(self) -> int:
        """The number of lines."""
        return len(self.starts) - 1

    def cells_of(self, line: int) -> range:
        return range(int(self.starts[line]), int(self.starts[line + 1]))

    def line_of(self, cell: int) -> int:
        return int(np.searchsorted(self.starts, cell, side="right")) - 1

    def at(self, line: int, x: float) -> int:
        """The cell at x pixels in a line; -1 beside all of them."""
        if not 0 <= line < len(self):
            return -1
        cells = self.cells_of(line)
        place = int(np.searchsorted(self.left[cells.start : cells.stop], x, side="right")) - 1
        cell = cells.start + place
        return cell if place >= 0 and x < self.left[cell] + self.width[cell] else -1

    def above_or_below(self, cell: int, down: int) -> int:
        """The cell `down` lines below whose middle is nearest; the cell itself where there is no such line."""
        line = self.line_of(cell) + down
        if not 0 <= line < len(self):
            return cell
        cells = self.cells_of(line)
        middles = self.left[cells.start : cells.stop] + self.width[cells.start : cells.stop] / 2
        return cells.start + int(np.argmin(np.abs(middles - (self.left[cell] + self.width[cell] / 2))))


def wrapped_in_lines(widths: NDArray[np.float64], room: float, breaks: NDArray[np.integer] | None = None) -> TokenLines:
    """Cells in lines of at most `room` pixels, as many as fit in each; a line begins at each cell of `breaks`,
    ascending. A cell that is wider than a line is as wide as the line."""
    widths = np.minimum(widths, room)
    ends = np.cumsum(widths)
    forced = np.append(np.empty(0, np.int64) if breaks is None else breaks, len(widths))
    starts, cell = [], 0
    while cell < len(widths):
        starts.append(cell)
        before = ends[cell] - widths[cell]
        following = max(cell + 1, int(np.searchsorted(ends, before + room + 1e-6, side="right")))
        cell = min(following, int(forced[np.searchsorted(forced, cell, side="right")]))
    first = np.array([*starts, len(widths)], dtype=np.int64)
    begins = ends - widths
    left = begins - np.repeat(begins[first[:-1]], np.diff(first))
    return TokenLines(first, left, widths)
