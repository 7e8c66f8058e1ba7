"""Implementations side by side."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from core.comparison import ImplResult
from gui.charts import impl_rows
from gui.charts.row_chart import RowChart

ON_CPU = ImplResult("naive", "Naive", "cpu", time_ms=12.0, time_ms_samples=(11.5, 12.0, 13.0), rms_error=2e-4,
                    allowed_rms_error=4e-4, passed=True)  # fmt: skip
EMULATED = ImplResult("triton", "Triton", "emulated", rms_error=1e-4, allowed_rms_error=4e-4, passed=True)
MISSING = ImplResult("cudnn", "cuDNN", reason="cuDNN needs an NVIDIA GPU.")
ROWS = (ON_CPU, EMULATED, MISSING)


@pytest.fixture
def plot(qtbot: Any) -> RowChart:
    made = RowChart(impl_rows.EMPTY, "Implementations")
    qtbot.addWidget(made)
    made.resize(500, 240)
    made.set_rows(impl_rows.implementation_rows(ROWS))
    made.show()
    return made


def test_that_no_rows_ask_for_a_run(plot: RowChart) -> None:
    plot.set_rows(impl_rows.implementation_rows([]))
    assert plot.is_empty
    assert "Run" in plot.empty_sentence


def test_that_an_emulated_run_shows_words_and_never_a_time(plot: RowChart) -> None:
    for row in (EMULATED, replace(EMULATED, time_ms=3.0, time_ms_samples=(3.0,))):
        assert "emulated: no time" in impl_rows.describe(row)
        assert " ms" not in impl_rows.describe(row)
        time = impl_rows.implementation_rows([row]).rows[0].cells[0]
        assert time.bars == time.samples == ()
        assert time.texts[0] == "emulated: no time"


def test_that_cpu_times_say_cpu_and_their_spread(plot: RowChart) -> None:
    text = plot.describe(0)
    assert text.startswith("Naive on the CPU")
    assert "time 12.0 ms, the median of 3 samples" in text
    assert "from 11.5 ms to 13.0 ms" in text
    assert "RMS error 2.00e-04 (allowed 4.00e-04)" in text
    assert plot.rows[0].suffix == "CPU"


def test_that_what_cannot_run_is_listed_with_its_reason(plot: RowChart) -> None:
    assert plot.describe(2) == "cuDNN: not available\ncuDNN needs an NVIDIA GPU."
    assert plot.rows[2].cells == ()
    assert plot.rows[2].note == "cuDNN needs an NVIDIA GPU."
    assert plot.rows[2].note in [word.text for word in plot.view.words]


def test_that_the_legend_names_times_only_where_there_are_some(plot: RowChart) -> None:
    assert "median time" in [entry.label for entry in plot.legend]
    plot.set_rows(impl_rows.implementation_rows([EMULATED, MISSING]))
    assert "median time" not in [entry.label for entry in plot.legend]


def test_that_only_cuda_is_a_gpu() -> None:
    assert not impl_rows.ran_on_gpu(ROWS)
    assert impl_rows.ran_on_gpu([*ROWS, replace(ON_CPU, runs_on="cuda")])


@pytest.mark.parametrize(
    ("row", "marks", "limits"),
    [
        (MISSING, [], []),
        (ImplResult("a", "Reference", "cpu", time_ms=1.0, rms_error=0.0, allowed_rms_error=1e-3), [-3.0], [-3.0]),
        (ImplResult("b", "Exact", "cpu", time_ms=1.0, rms_error=0.0), [], []),
        (ImplResult("c", "Odd", "cuda", time_ms=0.0, time_ms_samples=(0.0,), rms_error=math.nan,
                    allowed_rms_error=1e-3), [], []),
        (ImplResult("d", "Large", "cuda", time_ms=1.0, time_ms_samples=(1.0,), rms_error=5.0,
                    allowed_rms_error=1e-3, passed=False), [math.log10(5)], [-3.0]),
    ],
)  # fmt: skip
def test_that_an_error_is_a_mark_with_its_limit_where_it_is_a_number(
    plot: RowChart, row: ImplResult, marks: list[float], limits: list[float]
) -> None:
    plot.set_rows(impl_rows.implementation_rows([row]))
    error = plot.view.panels[1]
    assert list(error.marks.getData()[0]) == pytest.approx(marks)
    assert list(error.limits.opts["x"]) == pytest.approx(limits)
    assert plot.rows[0].name in [word.text for word in plot.view.words]
    assert not plot.grab().isNull()


def test_that_a_failed_check_is_a_mark_in_the_colour_of_what_is_bad() -> None:
    passed, failed = (
        impl_rows.implementation_rows([replace(ON_CPU, passed=p)]).rows[0].cells[1] for p in (True, False)
    )
    assert (passed.ink.role, failed.ink.role) == ("good", "bad")
