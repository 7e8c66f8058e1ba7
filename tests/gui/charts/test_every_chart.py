"""What all pictures have in common: an empty state, both themes while shown, and nothing left behind."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QPoint
from PySide6.QtWidgets import QApplication

from core.comparison import ImplResult
from core.contracts.text import Text
from core.hardware.gpus import gpu
from core.topics.flash_attention.plan import SramPiece, SramStore
from core.topics.flash_attention.result import GpuTimeline
from core.topics.flash_attention.softmax import RowSoftmax
from core.topics.lora.result import Factors
from core.topics.lora.triplets import Triplets
from core.topics.quantization.codebooks import Histogram
from core.topics.quantization.plan import GpuMemory, ModelMemory
from core.topics.quantization.result import OutputLoss
from core.trace.kernel_traffic import TensorTraffic
from gui import theme as themes
from gui.charts import impl_rows, traffic_rows
from gui.charts.axis import Axis
from gui.charts.line_chart import LineChart
from gui.charts.row_chart import RowChart
from gui.charts.row_grid import ColourScale, RowGrid
from gui.charts.row_map import RowMap
from gui.charts.series import Mark, Series
from gui.charts.tile_schedule import TileSchedule
from gui.charts.tiles import TileGrid
from gui.pages.flash_attention.access_maps import AccessMaps
from gui.pages.flash_attention.hardware_bar import HardwareStrip, describe
from gui.pages.flash_attention.softmax_state import SoftmaxState
from gui.pages.flash_attention.sram_view import SramView
from gui.pages.flash_attention.timeline import Timeline
from gui.pages.lora.factor_pictures import FactorPictures
from gui.pages.lora.triplet_view import TripletView
from gui.pages.quantization.codebook_rows import LevelRow
from gui.pages.quantization.codebook_view import CodebookView
from gui.pages.quantization.deployment_rows import budget_rows, loss_rows
from gui.pages.quantization.formats_view import error_histogram
from gui.pages.quantization.pareto import Pareto, Setting
from gui.pages.quantization.scales_view import ScalesView
from gui.widgets.figure import Figure
from kernels.quantization.formats import FormatId
from tests.gui.pages.quantization.test_scales_view import SCALES

A100 = replace(gpu("a100-40gb"), source=Text("data sheet"))


def _schedule() -> TileSchedule:
    plot = TileSchedule()
    plot.set_grid(TileGrid.from_tiles(np.ones((3, 3), np.uint8), np.argwhere(np.ones((3, 3))), 64, 64, 192, 192), 4)
    return plot


def _sram() -> SramView:
    plot = SramView()
    plot.set_stores((SramStore("Registers", 1 << 18, (SramPiece("acc", (64, 64), "fp32", 16384, "O"),)),), ("acc",))
    return plot


def _softmax() -> SoftmaxState:
    plot = SoftmaxState()
    plot.set_row(RowSoftmax(0, np.arange(4.0), np.arange(1.0, 5.0), np.ones((4, 8))), 2)
    return plot


def _rows() -> RowChart:
    return RowChart("Rows appear here.", "Rows")


def _traffic() -> RowChart:
    plot, moved = _rows(), [TensorTraffic("a", "", "Q", 100, 50, 0), TensorTraffic("b", "", "Q", 10, 0, 0)]
    plot.set_rows(traffic_rows.traffic_rows((("a", "A"), ("b", "B")), moved))
    return plot


def _powers() -> LineChart:
    plot = LineChart("Lines appear here.", Axis("x", log=True), Axis("y", log=True), selected_label="here")
    plot.set_series([Series("c", np.array([1.0, 100.0]), np.array([1.0, 10.0]), 0)])
    plot.select_x(10)
    return plot


def _accesses() -> AccessMaps:
    return AccessMaps((("standard", "Standard"), ("flash", "Flash")), ("Q", "K"))


def _comparison() -> RowChart:
    plot = _rows()
    impl = ImplResult("naive", "Naive", "cpu", time_ms=1.0, rms_error=1e-4, allowed_rms_error=1e-3)
    plot.set_rows(impl_rows.implementation_rows([impl]))
    return plot


def _timeline() -> Timeline:
    plot = Timeline()
    plot.set_timeline(GpuTimeline(np.array([0], np.int32), np.array([0.0]), np.array([5.0])))
    return plot


def _strip() -> HardwareStrip:
    plot = HardwareStrip()
    plot.set_gpu(A100)
    return plot


def _budget() -> RowChart:
    plot = _rows()
    plot.set_rows(budget_rows([ModelMemory("model", FormatId.NF4, 4.1, 3e9, 1e9)], [GpuMemory("GPU", 2e9)]))
    return plot


def _outputs() -> RowChart:
    plot = _rows()
    plot.set_rows(loss_rows([OutputLoss("small", "nf4", 1.8, None, 6.0, 0.01, 0.001, 100, 3, 4.1)]))
    return plot


def _scales() -> ScalesView:
    plot = ScalesView()
    plot.set_scales(SCALES)
    return plot


def _codebooks() -> CodebookView:
    plot, levels = CodebookView(), np.array([-1.0, 0.0, 1.0])
    row = LevelRow("three", "Three", levels, np.array([-0.5, 0.5]), np.array([1, 2, 1]), 0)
    plot.set_codebooks([row], Histogram(np.linspace(-1, 1, 5), np.ones(4, int), np.ones(4, int)), "three")
    return plot


def _row_map() -> RowMap:
    plot, values = RowMap("Errors appear here after a run.", "Errors"), np.array([[1.0, 2.0], [3.0, np.nan]])
    scale = ColourScale("inferno", (1.0, 3.0), ((1.0, "1%"), (3.0, "3%")), "relative RMSE")
    plot.set_grid(
        RowGrid(values=values, names=("a", "b"), scale=scale, x_name="block", x_range=(0, 2), read=lambda *_: "")
    )
    return plot


def _histogram() -> LineChart:
    plot = LineChart("Lines appear here.", Axis("error"), Axis("share", "%", "1-2-5", log=True))
    plot.set_series([Series("A", np.linspace(-0.3, 0.3, 4), np.array([1, 5, 1]), 0, "bins", filled=True, key="a")])
    return plot


def _pareto() -> Pareto:
    plot = Pareto("Settings appear here.")
    plot.set_settings([Setting("a", "A", "A, blocks of 64", 4.5, 9.0, 0, ("a", 64, False), on_front=True)])
    return plot


def _steps() -> LineChart:
    plot = LineChart("Lines appear here.", Axis("step", steps="whole"), Axis("loss", "nats"))
    plot.set_series([Series("loss", np.arange(1, 4), np.array([3.0, 2.0, 1.0]), 0)], marks=[Mark(2.0, "tinit")])
    return plot


def _triplets() -> TripletView:
    plot, values = TripletView(), np.array([1.0, 0.5])
    plot.set_triplets("layer 0 q", Triplets(1, 1, values, values, values, values, np.array([True, False]), 1.0))
    return plot


def _factors() -> FactorPictures:
    plot = FactorPictures()
    pictures = {"w": np.eye(4), "b": np.ones((4, 1)), "a": np.ones((1, 4)), "ba": np.ones((4, 4))}
    plot.set_factors("layer 0 q", Factors(pictures, (4, 4), 1, 2.0))
    return plot


FILLED: list[Callable[[], Figure]] = [
    _schedule, _sram, _softmax, _traffic, _powers, _comparison, _timeline, _strip,
    _codebooks, _row_map, _histogram, _pareto,
    _budget, _outputs, _scales,
    _steps, _triplets, _factors,
]  # fmt: skip
EMPTY: list[Callable[[], Figure]] = [
    TileSchedule, SramView, SoftmaxState, _rows, _accesses, Timeline, HardwareStrip,
    ScalesView, TripletView, FactorPictures,
    CodebookView, error_histogram,
]  # fmt: skip


@pytest.mark.parametrize("make", EMPTY)
def test_that_a_new_plot_is_one_helpful_sentence(make: Callable[[], Figure], qtbot: Any) -> None:
    plot = make()
    qtbot.addWidget(plot)
    assert plot.is_empty
    assert plot.empty_sentence.rstrip().endswith(".")
    assert not plot.grab().isNull()


@pytest.mark.parametrize("make", FILLED)
def test_that_a_shown_plot_follows_the_theme(make: Callable[[], Figure], qtbot: Any, qapp: QApplication) -> None:
    plot = make()
    qtbot.addWidget(plot)
    plot.resize(480, 280)
    plot.show()
    dark = plot.grab().toImage()
    themes.apply(qapp, "light")
    light = plot.grab().toImage()
    themes.apply(qapp, "dark")
    assert light != dark
    assert plot.grab().toImage() == dark


@pytest.mark.parametrize("make", [*FILLED, _accesses])
def test_that_a_deleted_plot_is_gone_and_no_longer_listens(
    make: Callable[[], Figure], qtbot: Any, qapp: QApplication
) -> None:
    plot = make()
    alive = weakref.ref(plot)
    plot.deleteLater()
    del plot
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    gc.collect()
    assert alive() is None
    themes.apply(qapp, "light")
    themes.apply(qapp, "dark")


def test_that_the_read_out_stays_inside_its_figure(qtbot: Any) -> None:
    plot = _traffic()
    qtbot.addWidget(plot)
    plot.resize(300, 200)
    plot.show()
    for position in (QPoint(295, 195), QPoint(2, 2), QPoint(150, 198)):
        plot.tip.show_at(position, "two lines\nof text that are wide")
        assert plot.rect().contains(plot.tip.geometry())
    plot.tip.show_at(QPoint(5, 5), None)
    assert plot.tip.isHidden()


def test_that_the_strip_reads_sizes_speeds_and_source() -> None:
    text = describe(A100)
    assert "40.0 GB at 1.555 TB/s" in text
    assert "108 SMs × 192 KiB" in text
    assert "modelled" in text
    assert text.endswith("data sheet")
    assert A100.speed_ratio == pytest.approx(12.54, rel=0.01)
