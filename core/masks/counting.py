"""How much of a mask is visible, cell by cell, row by row and tile by tile: exact, and never the whole matrix at once.

Along one row a mask changes only at a few keys, which its terms name (`Mask.edges`). Between two such keys it is
constant, so one evaluation settles a whole stretch; a row is a handful of stretches, however long. A stretch [a, b)
adds b - a to its row, and to the tiles of a row of tiles what a ramp from a, less a ramp from b, adds: two scattered
sums and a running sum for all rows together.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from core.masks.layout import Layout
from core.masks.nodes import All, Mask, Nothing, Padding, substituted, terms_of

Counts = NDArray[np.int64]

_CELLS_AT_ONCE = 1 << 20
_MAX_PAD_EDGES = 4


class TileClass(IntEnum):
    """What a tiled kernel does with a tile: skips it, computes it, or computes it and masks its elements."""

    EMPTY = 0
    FULL = 1
    PARTIAL = 2


def visible(mask: Mask, layout: Layout, rows: NDArray[np.integer], cols: NDArray[np.integer]) -> NDArray[np.bool_]:
    """bool [len(rows), len(cols)]: whether query rows[a] sees key cols[b]. Any positions, in any order.

    Only these cells are built. Raises IndexError for a position outside the layout.
    """
    i, j = np.asarray(rows, dtype=np.int64), np.asarray(cols, dtype=np.int64)
    for name, index, length in (("query", i, layout.query_len), ("key", j, layout.key_len)):
        if index.size and (index.min() < 0 or index.max() >= length):
            raise IndexError(
                f"There are {length:,} {name} positions, and {index.min()} to {index.max()} was asked for."
            )
    return mask.sees(layout, i[:, None], j[None, :])


def visible_matrix(mask: Mask, layout: Layout) -> NDArray[np.bool_]:
    """bool [query_len, key_len], the whole matrix: for lengths that can be looked at."""
    return visible(mask, layout, np.arange(layout.query_len), np.arange(layout.key_len))


def row_counts(mask: Mask, layout: Layout) -> Counts:
    """int64 [query_len]: how many keys each query sees."""
    counts = np.zeros(layout.query_len, dtype=np.int64)
    for part, before in _by_kind_of_key(mask, layout):
        for rows, edges, steps in _changes(part, layout, 0, layout.query_len):
            counts[rows] += (steps * (before[-1] - before[edges])).sum(axis=1)
    return counts


def bin_counts(mask: Mask, layout: Layout, row_edges: NDArray[np.integer], col_edges: NDArray[np.integer]) -> Counts:
    """int64 [len(row_edges) - 1, len(col_edges) - 1]: visible cells in each bin.

    Bin (r, c) covers rows row_edges[r]..row_edges[r+1] and columns col_edges[c]..col_edges[c+1]; edges rise strictly
    and lie within 0..query_len and 0..key_len.
    """
    row_edges, col_edges = np.asarray(row_edges, dtype=np.int64), np.asarray(col_edges, dtype=np.int64)
    row_bins, col_bins = row_edges.size - 1, col_edges.size - 1
    if row_bins < 1 or col_bins < 1:
        return np.zeros((max(row_bins, 0), max(col_bins, 0)), dtype=np.int64)
    # One more column for ramps that begin where the last bin ends.
    ramps = np.zeros((row_bins, col_bins + 1))
    beginnings = np.zeros((row_bins, col_bins + 1))
    bin_of_row = np.repeat(np.arange(row_bins), np.diff(row_edges))
    counts = np.zeros((row_bins, col_bins))
    for part, before in _by_kind_of_key(mask, layout):
        ramps[:], beginnings[:] = 0, 0
        for rows, edges, steps in _changes(part, layout, int(row_edges[0]), int(row_edges[-1])):
            row, edge = np.nonzero(steps)
            start = np.clip(edges[row, edge], col_edges[0], col_edges[-1])
            column = np.searchsorted(col_edges, start, side="right") - 1
            where = bin_of_row[rows.start - row_edges[0] + row] * (col_bins + 1) + column
            sign = steps[row, edge].astype(np.float64)
            left_in_bin = before[np.append(col_edges[1:], col_edges[-1])[column]] - before[start]
            ramps += np.bincount(where, sign * left_in_bin, ramps.size).reshape(ramps.shape)
            beginnings += np.bincount(where, sign, ramps.size).reshape(ramps.shape)
        running = np.cumsum(beginnings, axis=1) - beginnings
        counts += ramps[:, :-1] + running[:, :-1] * np.diff(before[col_edges])
    # Sums of whole numbers under 2**53: exact in float64.
    return np.rint(counts).astype(np.int64)


def tile_counts(mask: Mask, layout: Layout, block_q: int, block_kv: int) -> Counts:
    """int64 [q_blocks, kv_blocks]: visible cells in each tile of block_q x block_kv."""
    return bin_counts(mask, layout, _block_edges(layout.query_len, block_q), _block_edges(layout.key_len, block_kv))


def classify(counts: Counts, layout: Layout, block_q: int, block_kv: int) -> NDArray[np.uint8]:
    """uint8 [q_blocks, kv_blocks] of TileClass from the counts of the tiles.

    A tile that hangs over the edge of the matrix and is visible in all its cells that exist is FULL: nothing in it is
    hidden by the mask. (A kernel guards the edge by itself.)
    """
    heights = np.diff(_block_edges(layout.query_len, block_q))
    widths = np.diff(_block_edges(layout.key_len, block_kv))
    classes = np.full(counts.shape, TileClass.PARTIAL, dtype=np.uint8)
    classes[counts == heights[:, None] * widths[None, :]] = TileClass.FULL
    classes[counts == 0] = TileClass.EMPTY
    return classes


def tile_classes(mask: Mask, layout: Layout, block_q: int, block_kv: int) -> NDArray[np.uint8]:
    """uint8 [q_blocks, kv_blocks] of TileClass, exact for every composition."""
    return classify(tile_counts(mask, layout, block_q, block_kv), layout, block_q, block_kv)


def rasterise(
    mask: Mask,
    layout: Layout,
    row_range: tuple[int, int],
    col_range: tuple[int, int],
    width: int,
    height: int,
) -> NDArray[np.float32]:
    """float32 [min(height, rows), min(width, columns)]: the visible share, 0 to 1, under each pixel. Exact.

    Ranges are [first, last) and are confined to the matrix. Where there are fewer cells than pixels, one value per cell
    (0 or 1), to be enlarged when drawn; else each pixel covers a whole number of cells, none skipped.
    """
    row_edges = _pixel_edges(*row_range, layout.query_len, height)
    col_edges = _pixel_edges(*col_range, layout.key_len, width)
    rows, cols = int(row_edges[-1] - row_edges[0]), int(col_edges[-1] - col_edges[0])
    if (row_edges.size - 1, col_edges.size - 1) == (rows, cols) and rows * cols <= _CELLS_AT_ONCE:
        return visible(mask, layout, row_edges[:-1], col_edges[:-1]).astype(np.float32)
    areas = np.diff(row_edges)[:, None] * np.diff(col_edges)[None, :]
    shares: NDArray[np.float32] = (bin_counts(mask, layout, row_edges, col_edges) / areas).astype(np.float32)
    return shares


def _by_kind_of_key(mask: Mask, layout: Layout) -> Iterator[tuple[Mask, NDArray[np.int64]]]:
    """The mask, and how many keys lie before each position: int64 [key_len + 1].

    Pads scattered over the keys would cut every row to pieces, so the mask is counted twice instead: with `padding`
    false, over the keys that are real, and with `padding` true, over the pads.
    """
    if layout.keys.pad_edges.size <= _MAX_PAD_EDGES or Padding() not in terms_of(mask):
        yield mask, np.arange(layout.key_len + 1, dtype=np.int64)
        return
    for constant, counted in ((Nothing(), layout.keys.real), (All(), ~layout.keys.real)):
        before = np.zeros(layout.key_len + 1, dtype=np.int64)
        np.cumsum(counted, out=before[1:])
        yield substituted(mask, Padding(), constant), before


def _changes(
    mask: Mask, layout: Layout, first_row: int, end_row: int
) -> Iterator[tuple[slice, NDArray[np.int64], NDArray[np.int8]]]:
    """Rows a few at a time, with the keys at which each row turns visible (+1) or hidden (-1).

    Yields (rows, edges int64 [rows, n] sorted, steps int8 [rows, n]); every row is hidden again at key_len.
    """
    keys = layout.key_len
    if not keys:
        return
    probe = mask.edges(layout, np.zeros((1, 1), dtype=np.int64)) if layout.query_len else []
    per_row = 2 + sum(edge.shape[1] for edge in probe)
    rows_at_once = max(1, _CELLS_AT_ONCE // per_row)
    for start in range(first_row, end_row, rows_at_once):
        rows = np.arange(start, min(start + rows_at_once, end_row), dtype=np.int64)[:, None]
        edges = np.empty((rows.size, per_row), dtype=np.int64)
        edges[:, 0], edges[:, -1] = 0, keys
        filled = 1
        for edge in mask.edges(layout, rows):
            edges[:, filled : filled + edge.shape[1]] = np.clip(edge, 0, keys)
            filled += edge.shape[1]
        edges.sort(axis=1)
        # An edge at the end of the row is evaluated at the last key, and weighs nothing: its stretch is empty.
        state = mask.sees(layout, rows, np.minimum(edges, keys - 1)).astype(np.int8)
        state[edges == keys] = 0
        steps = np.diff(state, axis=1, prepend=np.int8(0))
        yield slice(start, start + rows.size), edges, steps


def _block_edges(length: int, block: int) -> NDArray[np.int64]:
    return np.append(np.arange(0, length, block, dtype=np.int64), length)


def _pixel_edges(first: int, end: int, length: int, pixels: int) -> NDArray[np.int64]:
    """Edges of at most `pixels` bins over [first, end), confined to 0..length; none where no cell is left."""
    first, end = max(0, min(first, length)), max(0, min(end, length))
    bins = max(0, min(pixels, end - first))
    if bins == 0:
        return np.array([first], dtype=np.int64)
    return first + np.arange(bins + 1, dtype=np.int64) * (end - first) // bins
