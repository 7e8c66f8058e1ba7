"""Error against size: the nearest setting is read and picked; axes that spread what lies close together."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gui.pages.quantization.pareto import Pareto, Setting, SpreadAxis

NF4 = Setting("nf4 n", "NF4", "NF4, blocks of 64", 4.127, 9.2, 0, ("nf4", 64, True), on_front=True)
PLAIN = Setting("nf4 p", "NF4", "NF4, blocks of 16", 6.0, 8.0, 0, ("nf4", 16, False), hollow=True)
INT8 = Setting("int8 n", "INT8", "INT8, blocks of 64", 8.127, 0.64, 5, ("int8", 64, True), on_front=True)


@pytest.fixture
def plot(qtbot: Any) -> Pareto:
    pareto = Pareto("Nothing yet.")
    qtbot.addWidget(pareto)
    pareto.resize(460, 260)
    pareto.show()
    pareto.set_settings([NF4, PLAIN, INT8], NF4.key, "nf4")
    return pareto


def place(plot: Pareto, setting: Setting) -> tuple[float, float]:
    return float(plot._axis.place(setting.size)), math.log10(setting.error)


@pytest.mark.parametrize("setting", [NF4, PLAIN, INT8])
def test_that_each_setting_is_read_and_picked_where_it_lies(plot: Pareto, setting: Setting, qtbot: Any) -> None:
    text = plot.describe(*place(plot, setting)) or ""
    assert text.startswith(setting.label)
    assert f"{setting.size:.4g} bits per parameter" in text
    assert f"{setting.error:.4g}%" in text
    assert ("Pareto front" in text) is setting.on_front
    assert ("current setting" in text) is (setting is NF4)
    with qtbot.waitSignal(plot.setting_picked) as caught:
        plot.chart.clicked.emit(*place(plot, setting))
    assert caught.args == [setting.key]


def test_that_far_from_every_setting_nothing_is_read_or_picked(plot: Pareto) -> None:
    picked: list[object] = []
    plot.setting_picked.connect(picked.append)
    x, y = place(plot, NF4)
    plot.chart.clicked.emit(x + 0.9, y - 0.5)
    assert plot.describe(x + 0.9, y - 0.5) is None
    assert picked == []


def test_that_other_settings_replace_the_lines_and_none_is_the_empty_state(plot: Pareto) -> None:
    assert len(plot._lines) == 3
    plot.set_settings([NF4])
    assert len(plot._lines) == 1
    assert [str(entry.label) for entry in plot.legend.entries] == ["NF4"]
    assert [str(entry.label) for entry in plot.marks.entries] == ["Pareto front: nothing smaller is as accurate"]
    plot.set_settings([])
    assert plot.is_empty


@given(st.floats(0, 6), st.integers(1, 16))
def test_that_the_axis_keeps_the_order_of_sizes(beyond: float, base: int) -> None:
    axis = SpreadAxis("bottom")
    axis.base = base
    assert axis.size_at(float(axis.place(base + beyond))) == pytest.approx(base + beyond, abs=1e-6)
    places = axis.place(np.linspace(base, base + 6, 20))
    assert np.all(np.diff(places) > 0)


def test_that_ticks_name_bits_and_leave_each_other_room() -> None:
    axis = SpreadAxis("bottom")
    axis.base = 4
    for size in (120, 300, 900):
        ((_, ticks),) = axis.tickValues(0.0, 12.0, size)
        assert axis.tickStrings(ticks, 1, 1)[0] == "4"
        assert all((b - a) * size / 12 >= 34 - 1e-6 for a, b in itertools.pairwise(ticks))
    assert axis.tickStrings([float(axis.place(4.125)), float(axis.place(8))], 1, 1) == ["4.125", "8"]


def test_that_small_scales_are_spread_on_codes_of_4_and_of_8_bits() -> None:
    axis = SpreadAxis("bottom")
    axis.base = 4
    for codes in (4, 8):
        places = axis.place(codes + 8 / 2.0 ** np.arange(12, 3, -1))
        assert np.diff(places).min() > 0.03 * (axis.place(10) - axis.place(4))
