"""Gathers and scatters of structured offsets against numpy, whatever path they take, and bounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.interpreter.memory import Memory, out_of_bounds, read, write
from core.trace import affine, mask
from core.trace.affine import Integer
from core.trace.mask import Mask

LANES = 3


@dataclass(frozen=True)
class Tile:
    """Offsets of a [LANES, rows, columns] tile, and its mask."""

    offset: Integer
    mask: Mask | None
    shape: tuple[int, int]

    @property
    def offsets(self) -> np.ndarray:
        return np.broadcast_to(affine.dense(self.offset, 2), (LANES, *self.shape))

    @property
    def active(self) -> np.ndarray:
        return np.broadcast_to(True if self.mask is None else self.mask.array, (LANES, *self.shape))


@st.composite
def tiles(draw: st.DrawFn, *, distinct: bool) -> Tile:
    """Strided tiles with masks on rows, columns or neither; with `distinct`, no address occurs twice."""
    rows, columns = draw(st.sampled_from([(1, 4), (4, 1), (3, 4), (4, 8)]))
    column_step = draw(st.sampled_from([1, 1, 2] if distinct else [0, 1, 1, 2, -1]))
    gap = draw(st.integers(0, 5))
    row_step = columns * max(column_step, 1) + gap if distinct else draw(st.integers(-3, 9))
    apart = rows * row_step + gap if distinct else draw(st.integers(-5, 40))
    order = np.array(draw(st.permutations(range(LANES))))
    row, column = affine.arange(0, rows), affine.arange(0, columns)
    row = affine.reshaped(row, 2, (0,))
    column = affine.reshaped(column, 2, (1,))
    lane = affine.from_array(order.reshape(-1, 1, 1), 2)
    parts = (affine.scale(lane, apart), affine.scale(row, row_step), affine.scale(column, column_step))
    offset: Integer = draw(st.integers(0, 3))
    for part in parts:
        offset = affine.add(offset, part)
    if draw(st.booleans()) and isinstance(offset, affine.Affine):
        offset = affine.from_array(offset.dense(), 2)  # the structure lost
    keep: mask.Predicate = True
    if draw(st.booleans()):
        keep = mask.both(keep, mask.compare("lt", affine.add(row, lane), draw(st.integers(1, rows + 2))))
    if draw(st.booleans()):
        keep = mask.both(keep, mask.compare("lt", column, draw(st.integers(1, columns))))
    if keep is False:
        keep = True
    return Tile(offset, None if keep is True else keep, (rows, columns))  # type: ignore[arg-type]


def memory_for(tile: Tile) -> tuple[Memory, torch.Tensor, np.ndarray]:
    """A view that holds exactly the active offsets, in a storage with nothing around it."""
    active = tile.offsets[tile.active]
    low, high = (int(active.min()), int(active.max())) if active.size else (0, 0)
    low = min(low, 0)
    storage = torch.arange(max(high, 0) - low + 1, dtype=torch.float32) + 100
    tensor = storage[-low:]
    return Memory("x_ptr", tensor), storage, tile.offsets - low


@given(tiles(distinct=False))
def test_that_reads_are_gathers(tile: Tile) -> None:
    memory, storage, index = memory_for(tile)
    assert out_of_bounds(memory, tile.offset, tile.mask, LANES, tile.shape) is None
    values = np.broadcast_to(read(memory, tile.offset, tile.mask, 2).numpy(), (LANES, *tile.shape))
    np.testing.assert_array_equal(values[tile.active], storage.numpy()[index[tile.active]])


@given(tiles(distinct=True))
def test_that_writes_are_scatters(tile: Tile) -> None:
    memory, storage, index = memory_for(tile)
    values = torch.arange(float(np.prod(tile.offsets.shape))).reshape(tile.offsets.shape)
    expected = storage.numpy().copy()
    expected[index[tile.active]] = values.numpy()[tile.active]
    write(memory, tile.offset, tile.mask, values, LANES, tile.shape)
    np.testing.assert_array_equal(storage.numpy(), expected)


@given(tiles(distinct=False), st.integers(-40, 60), st.integers(1, 200))
def test_that_exactly_the_illegal_accesses_are_found(tile: Tile, shift: int, size: int) -> None:
    memory = Memory("x_ptr", torch.zeros(size))
    moved = affine.add(tile.offset, shift)
    offsets = tile.offsets + shift
    bad = ((offsets < 0) | (offsets >= size)) & tile.active
    fault = out_of_bounds(memory, moved, tile.mask, LANES, tile.shape)
    assert (fault is not None) == bool(bad.any())
    if fault is not None:
        assert bad[(fault.lane, *fault.index)]
        assert fault.offset == offsets[(fault.lane, *fault.index)]


def test_that_a_scalar_is_read_for_each_lane() -> None:
    memory = Memory("x_ptr", torch.arange(10.0))
    offset = affine.from_array(np.array([7, 2, 2]), 0)
    assert read(memory, offset, None, 0).tolist() == [7.0, 2.0, 2.0]
    assert read(memory, 3, None, 0).tolist() == [3.0]


def test_that_reading_a_uniform_tile_does_not_alias_memory() -> None:
    tensor = torch.arange(4.0)
    memory = Memory("x_ptr", tensor)
    tile = read(memory, affine.arange(0, 4), None, 1)
    tensor.fill_(0)
    assert tile.tolist() == [[0.0, 1.0, 2.0, 3.0]]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.int8, torch.bool, torch.int64])
def test_that_views_of_a_storage_see_each_other(dtype: torch.dtype) -> None:
    storage = torch.zeros(8, dtype=dtype)
    whole, tail = Memory("x_ptr", storage), Memory("y_ptr", storage[4:])
    write(tail, affine.arange(0, 4), None, torch.ones(1, 4, dtype=dtype), 1, (4,))
    assert read(whole, affine.arange(0, 8), None, 1).to(torch.int32).tolist() == [[0, 0, 0, 0, 1, 1, 1, 1]]
    assert (tail.low, tail.high) == (-4, 3)


def test_that_a_masked_store_may_begin_before_the_memory() -> None:
    memory = Memory("x", torch.zeros(20))
    tile = affine.arange(-12, 20)
    keep = mask.compare("ge", tile, 0)
    assert isinstance(keep, Mask)
    write(memory, tile, keep, torch.arange(32.0).reshape(1, 32), 1, (32,))
    assert memory.flat.tolist() == list(range(12, 32))
