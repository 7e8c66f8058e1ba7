"""Counts the visible cells of a mask by cell, row and tile: exact, without building the whole matrix at once.

Along one row a mask changes only at a few keys, which its terms list (`Mask.edges`). Between two of them it is
constant, so one evaluation decides a whole segment, and a row has few segments, however long it is. A segment [a, b)
adds b - a to the count of its row. What it adds to the tiles along the row is a ramp from a minus a ramp from b: two
scatter-adds and a running sum do this for all rows at once.
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
                f"There are {length:,} {name} positions; positions {index.min()} to {index.max()} do not exist."
            )
    return mask.sees(layout, i[:, None], j[None, :])


def visible_matrix(mask: Mask, layout: Layout) -> NDArray[np.bool_]:
    """bool [query_len, key_len], the whole matrix: for short sequences."""
    return visible(mask, layout, np.arange(layout.query_len), np.arange(layout.key_len))


def row_counts(mask: Mask, layout: Layout) -> Counts:
    """int64 [query_len]: how many keys each query sees."""
    counts = np.zeros(layout.query_len, dtype=np.int64)
    for part, before in _split_by_padding(mask, layout):
        for rows, edges, steps in _changes(part, layout, 0, layout.query_len):
            counts[rows] += (steps * (before[-1] - before[edges])).sum(axis=1)
    return counts


def bin_counts(mask: Mask, layout: Layout, row_edges: NDArray[np.integer], col_edges: NDArray[np.integer]) -> Counts:
    """int64 [len(row_edges) - 1, len(col_edges) - 1]: visible cells in each bin.

    Bin (r, c) covers rows row_edges[r]..row_edges[r+1] and columns col_edges[c]..col_edges[c+1]; edges increase
    strictly and lie within 0..query_len and 0..key_len.
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
    for part, before in _split_by_padding(mask, layout):
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
    # Sums of integers below 2**53 are exact in float64.
    return np.rint(counts).astype(np.int64)


def tile_counts(mask: Mask, layout: Layout, block_q: int, block_kv: int) -> Counts:
    """int64 [q_blocks, kv_blocks]: visible cells in each tile of block_q x block_kv."""
    return bin_counts(mask, layout, _block_edges(layout.query_len, block_q), _block_edges(layout.key_len, block_kv))


def classify(counts: Counts, layout: Layout, block_q: int, block_kv: int) -> NDArray[np.uint8]:
    """uint8 [q_blocks, kv_blocks] of TileClass from the counts of the tiles.

    A tile that extends past the edge of the matrix is FULL if all its cells inside are visible: the mask hides nothing
    in it. (A kernel guards the edge by itself.)
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

    Ranges are [first, last) and are clipped to the matrix. With fewer cells than pixels, the result has one value per
    cell (0 or 1), to be enlarged when drawn; otherwise each pixel covers a whole number of cells, and none is skipped.
    """
    row_edges = _pixel_edges(*row_range, layout.query_len, height)
    col_edges = _pixel_edges(*col_range, layout.key_len, width)
    rows, cols = int(row_edges[-1] - row_edges[0]), int(col_edges[-1] - col_edges[0])
    if (row_edges.size - 1, col_edges.size - 1) == (rows, cols) and rows * cols <= _CELLS_AT_ONCE:
        return visible(mask, layout, row_edges[:-1], col_edges[:-1]).astype(np.float32)
    areas = np.diff(row_edges)[:, None] * np.diff(col_edges)[None, :]
    shares: NDArray[np.float32] = (bin_counts(mask, layout, row_edges, col_edges) / areas).astype(np.float32)
    return shares


def _split_by_padding(mask: Mask, layout: Layout) -> Iterator[tuple[Mask, NDArray[np.int64]]]:
    """The mask, and how many keys lie before each position: int64 [key_len + 1].

    Pads scattered over the keys would cut every row into many segments, so the mask is counted twice instead: with
    `padding` false over the real keys, and with `padding` true over the pads.
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
    """Blocks of rows, with the keys at which each row turns visible (+1) or hidden (-1).

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
        # An edge at the end of the row is evaluated at the last key and adds nothing: its segment is empty.
        state = mask.sees(layout, rows, np.minimum(edges, keys - 1)).astype(np.int8)
        state[edges == keys] = 0
        steps = np.diff(state, axis=1, prepend=np.int8(0))
        yield slice(start, start + rows.size), edges, steps


def _block_edges(length: int, block: int) -> NDArray[np.int64]:
    return np.append(np.arange(0, length, block, dtype=np.int64), length)


def _pixel_edges(first: int, end: int, length: int, pixels: int) -> NDArray[np.int64]:
    """Edges of at most `pixels` bins over [first, end), clipped to 0..length; no bins if no cell is left."""
    first, end = max(0, min(first, length)), max(0, min(end, length))
    bins = max(0, min(pixels, end - first))
    if bins == 0:
        return np.array([first], dtype=np.int64)
    return first + np.arange(bins + 1, dtype=np.int64) * (end - first) // bins
