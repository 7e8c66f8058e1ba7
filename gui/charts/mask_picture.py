"""The picture of a mask matrix at any zoom: the visible share under each pixel, in the colours of the tiles. No Qt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from core.masks import TileClass

Range = tuple[float, float]
Span = tuple[int, int]
Rgb = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class MatrixSource:
    """A mask of `rows` queries by `cols` keys, queried only for the visible region.

    raster       (rows [first, last), columns [first, last), width, height) to float32 [height, width], shares 0 to 1,
                 one value per cell if there are fewer cells than pixels; may be called in a thread
    row_counts   int64 [rows]: keys that each query sees
    classes      uint8 [q_blocks, kv_blocks] of TileClass, tiles of block_q x block_kv
    explain      why (row, column) is visible or hidden
    """

    rows: int
    cols: int
    raster: Callable[[Span, Span, int, int], np.ndarray]
    row_counts: np.ndarray
    classes: np.ndarray
    block_q: int
    block_kv: int
    row_labels: Sequence[str]
    col_labels: Sequence[str]
    explain: Callable[[int, int], str]

    def count(self, tile_class: TileClass) -> int:
        """How many tiles have a class."""
        return int(np.count_nonzero(self.classes == tile_class))


@dataclass(frozen=True)
class MatrixColours:
    """Visible cells in full and in partial tiles, and hidden ones in partial and in empty tiles."""

    full: Rgb
    partial: Rgb
    wasted: Rgb
    empty: Rgb


@dataclass(frozen=True)
class MatrixPicture:
    """RGB uint8 [height, width, 3] of a range of rows and columns."""

    image: np.ndarray
    rows: Span
    cols: Span

    @property
    def rectangle(self) -> tuple[float, float, float, float]:
        """(x, y, width, height) in cells."""
        return self.cols[0], self.rows[0], self.cols[1] - self.cols[0], self.rows[1] - self.rows[0]


def window(source: MatrixSource, x_range: Range, y_range: Range) -> tuple[Span, Span]:
    """Whole rows and columns that cover these ranges of cells, clipped to the matrix: (rows, columns)."""
    return _whole(y_range, source.rows), _whole(x_range, source.cols)


def paint(source: MatrixSource, rows: Span, cols: Span, size: tuple[int, int], colours: MatrixColours) -> MatrixPicture:
    """Paint rows and columns at no more than `size` (height, width) pixels."""
    shares = source.raster(rows, cols, size[1], size[0])
    height, width = shares.shape
    kinds = source.classes[
        _middles(rows, height)[:, None] // source.block_q, _middles(cols, width)[None, :] // source.block_kv
    ]
    # Hidden and visible by TileClass: skipped, full, partial. A full tile hides nothing; at its edge a pixel may.
    hidden = np.array([colours.empty, colours.empty, colours.wasted], dtype=np.float32)
    seen = np.array([colours.partial, colours.full, colours.partial], dtype=np.float32)
    image = hidden[kinds] + shares[..., None] * (seen - hidden)[kinds]
    return MatrixPicture(np.rint(image).astype(np.uint8), rows, cols)


def binned_rows(counts: np.ndarray, rows: Span, max_bins: int) -> tuple[np.ndarray, np.ndarray]:
    """(edges int64 [n + 1], mean counts float64 [n]) of at most `max_bins` runs of rows."""
    bins = max(1, min(max_bins, rows[1] - rows[0]))
    edges = rows[0] + np.arange(bins + 1) * (rows[1] - rows[0]) // bins
    sums = np.add.reduceat(counts[rows[0] : rows[1]].astype(np.float64), edges[:-1] - rows[0])
    return edges, sums / np.diff(edges)


def label_step(cells: float, width_px: float, text_px: float) -> int:
    """The smallest power of two such that every step-th cell has room for a label, with `cells` across `width_px`."""
    step = 1
    while step * width_px < cells * text_px:
        step *= 2
    return step


def _whole(limits: Range, length: int) -> Span:
    first = max(0, min(length - 1, int(np.floor(limits[0]))))
    return first, max(first + 1, min(length, int(np.ceil(limits[1]))))


def _middles(span: Span, pixels: int) -> np.ndarray:
    """The cell in the middle of each pixel."""
    edges = span[0] + np.arange(pixels + 1) * (span[1] - span[0]) // pixels
    return (edges[:-1] + edges[1:] - 1) // 2
