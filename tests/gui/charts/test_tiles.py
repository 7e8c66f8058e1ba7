"""Tile grids and their pictures at any zoom."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.masks import TileClass
from gui.charts.tiles import NEVER, TileGrid, picture

SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 40))


def grid_of(shape: tuple[int, int], seed: int = 0) -> TileGrid:
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 3, shape).astype(np.uint8)
    tiles = rng.permutation(np.argwhere(classes > 0))
    return TileGrid.from_tiles(classes, tiles, 16, 32, shape[0] * 16, shape[1] * 32)


@given(SHAPES, st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_that_a_step_and_its_tile_are_each_other_s_inverse(shape: tuple[int, int], seed: int) -> None:
    grid = grid_of(shape, seed)
    for step in range(grid.steps):
        assert grid.order[grid.tile_at(step)] == step
    assert grid.steps == np.count_nonzero(grid.classes)


@given(SHAPES, st.integers(1, 12), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_that_pooling_shows_the_highest_class_and_the_first_load(shape: tuple[int, int], most: int, seed: int) -> None:
    grid = grid_of(shape, seed)
    shown = picture(grid, (0, grid.q_blocks), (0, grid.kv_blocks), most)
    assert max(shown.classes.shape) <= most
    for row in range(shown.classes.shape[0]):
        for column in range(shown.classes.shape[1]):
            block = np.s_[
                row * shown.q_stride : (row + 1) * shown.q_stride,
                column * shown.kv_stride : (column + 1) * shown.kv_stride,
            ]
            orders = grid.order[block]
            loaded = orders[orders != NEVER]
            assert shown.classes[row, column] == grid.classes[block].max()
            assert shown.order[row, column] == (loaded.min() if loaded.size else NEVER)


@given(SHAPES, st.integers(0, 99), st.data())
@settings(max_examples=30, deadline=None)
def test_that_a_part_of_the_grid_is_that_part(shape: tuple[int, int], seed: int, data: st.DataObject) -> None:
    grid = grid_of(shape, seed)
    first, last = sorted((data.draw(st.integers(0, shape[0] - 1)), data.draw(st.integers(1, shape[0]))))
    last = max(last, first + 1)
    shown = picture(grid, (first, last), (-3, grid.kv_blocks + 3))
    assert (shown.first_q, shown.first_kv) == (first, 0)
    assert np.array_equal(shown.classes, grid.classes[first:last])


def test_that_states_tell_loaded_from_waiting() -> None:
    classes = np.array([[TileClass.FULL, TileClass.PARTIAL, TileClass.EMPTY]], dtype=np.uint8)
    grid = TileGrid.from_tiles(classes, np.array([[0, 0], [0, 1]]), 16, 16, 16, 48)
    shown = picture(grid, (0, 1), (0, 3))
    assert shown.states(0).tolist() == [[TileClass.FULL + 3, TileClass.PARTIAL, TileClass.EMPTY]]
    assert shown.states(1).tolist() == [[TileClass.FULL + 3, TileClass.PARTIAL + 3, TileClass.EMPTY]]


def test_that_shares_add_up_to_one() -> None:
    assert sum(grid_of((7, 9)).share(tile_class) for tile_class in TileClass) == pytest.approx(1.0)
