from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from gui.pages.kernel_lab.program_grid import ProgramGrid


@pytest.fixture
def grid(qtbot: Any) -> ProgramGrid:
    grid = ProgramGrid()
    qtbot.addWidget(grid)
    grid.resize(360, 240)
    grid.show()
    return grid


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.tuples(st.integers(1, 40), st.integers(1, 6), st.integers(1, 3)), st.data())
def test_that_every_program_is_found_where_it_is_drawn(
    grid: ProgramGrid, shape: tuple[int, int, int], data: st.DataObject
) -> None:
    programs = math.prod(shape)
    grid.set_grid(shape, np.ones(programs))
    program = data.draw(st.integers(0, programs - 1))
    centre = grid.cells.cell_of(program).center()
    assert grid.cells.program_at(centre.x(), centre.y()) == program
    x, y, z = grid.coordinates(program)
    assert x + shape[0] * (y + shape[1] * z) == program


def test_that_clicks_and_arrows_pick(grid: ProgramGrid) -> None:
    grid.set_grid((4, 2, 1), np.arange(8.0))
    picked: list[int] = []
    grid.program_picked.connect(picked.append)
    grid.program_picked.connect(lambda program: grid.select_program(program if program >= 0 else None))
    centre = grid.cells.cell_of(5).center().toPoint()
    QTest.mouseClick(grid.cells, Qt.MouseButton.LeftButton, pos=centre)
    QTest.keyClick(grid.cells, Qt.Key.Key_Left)
    QTest.keyClick(grid.cells, Qt.Key.Key_Up)
    QTest.keyClick(grid.cells, Qt.Key.Key_Up)
    QTest.mouseClick(grid.cells, Qt.MouseButton.LeftButton, pos=grid.cells.cell_of(0).center().toPoint())
    assert picked == [5, 4, 0, -1]
    assert grid.describe(5) == "program 5 = (1, 1, 0)\n5 accesses"


def test_that_many_programs_are_drawn_quickly_enough_and_none_empties(grid: ProgramGrid) -> None:
    grid.set_grid((100_000, 1, 1), np.ones(100_000))
    assert not grid.grab().isNull()
    grid.select_program(99_999)
    assert grid.cells.rect().contains(grid.cells.cell_of(99_999).center().toPoint())
    grid.set_grid((0, 0, 0), np.zeros(0))
    assert grid.is_empty
