"""Implementations side by side."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt

from gui.charts.comparison import Comparison, Contender

ON_CPU = Contender("Naive", "cpu", "", 12.0, (11.5, 12.0, 13.0), rms_error=2e-4, allowed_error=4e-4, passed=True)
EMULATED = Contender("Triton", "emulated", rms_error=1e-4, allowed_error=4e-4, passed=True)
MISSING = Contender("cuDNN", "unavailable", "cuDNN needs an NVIDIA GPU.")
ROWS = (ON_CPU, EMULATED, MISSING)


@pytest.fixture
def plot(qtbot: Any) -> Comparison:
    made = Comparison()
    qtbot.addWidget(made)
    made.resize(500, 240)
    made.set_rows(ROWS)
    made.show()
    return made


def test_that_no_rows_ask_for_a_run(plot: Comparison) -> None:
    plot.set_rows([])
    assert plot.is_empty
    assert "Run" in plot.empty_sentence


def test_that_an_emulated_run_shows_words_and_never_a_time(plot: Comparison) -> None:
    assert "emulated: no time" in plot.describe(1)
    assert " ms" not in plot.describe(1)


def test_that_cpu_times_say_cpu_and_their_spread(plot: Comparison) -> None:
    text = plot.describe(0)
    assert text.startswith("Naive on CPU")
    assert "time 12.0 ms median, 3 samples" in text
    assert "from 11.5 ms to 13.0 ms" in text
    assert "RMS error 2.00e-04 (allowed 4.00e-04)" in text


def test_that_what_cannot_run_is_listed_with_its_reason(plot: Comparison) -> None:
    assert plot.describe(2) == "cuDNN: not available\ncuDNN needs an NVIDIA GPU."
    assert not plot.rows[2].is_available


def test_that_the_legend_names_times_only_where_there_are_some(plot: Comparison) -> None:
    assert "median time" in [entry.label for entry in plot.legend.entries]
    plot.set_rows([EMULATED, MISSING])
    assert "median time" not in [entry.label for entry in plot.legend.entries]


def test_that_a_click_picks_its_row(plot: Comparison, qtbot: Any) -> None:
    line = plot.rows_view._line(1)
    with qtbot.waitSignal(plot.picked) as caught:
        qtbot.mouseClick(plot.rows_view, Qt.MouseButton.LeftButton, pos=QPoint(40, round(line.center().y())))
    assert caught.args == [1]


@pytest.mark.parametrize(
    "rows",
    [
        [MISSING],
        [Contender("Reference", "cpu", "", 1.0, (), rms_error=0.0)],
        [Contender("Odd", "cuda", "", 0.0, (0.0,), rms_error=float("nan"), allowed_error=1e-3)],
        [Contender("Large", "cuda", "", 1.0, (1.0,), rms_error=5.0, allowed_error=1e-3, passed=False)],
    ],
)
def test_that_any_row_can_be_painted(plot: Comparison, rows: list[Contender]) -> None:
    plot.set_rows(rows)
    assert not plot.grab().isNull()
