"""The contents of the chip against its capacity."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QPoint, QPointF

from core.topics.flash_attention.plan import SramPiece, SramStore
from gui.pages.flash_attention.sram_view import SramView
from gui.widgets.figure import sram_bytes

KIB = 1024
SHARED = SramStore(
    "Shared memory",
    163 * KIB,
    (SramPiece("Q", (64, 64), "fp16", 8 * KIB, "Q"), SramPiece("K", (64, 64), "fp16", 8 * KIB, "K")),
)


def shown(qtbot: Any, *stores: SramStore) -> SramView:
    view = SramView()
    qtbot.addWidget(view)
    view.resize(300, 120)
    view.set_stores(stores, fresh=("K",))
    view.show()
    return view


def test_that_no_stores_is_an_empty_state(qtbot: Any) -> None:
    assert shown(qtbot).is_empty
    assert not shown(qtbot, SHARED).is_empty


def test_that_segments_are_to_scale_and_packed(qtbot: Any) -> None:
    bars = shown(qtbot, SHARED)._bars
    (_, first), (_, second) = bars._segments(0)
    assert first.right() == second.left()
    assert abs(first.width() / bars._bar(0).width() - 8 / 163) < 1e-9


def test_that_a_narrow_strip_names_every_piece_without_its_size(qtbot: Any) -> None:
    view = shown(qtbot, SHARED)
    metrics = view._bars.fontMetrics()
    assert view._bars._names(SHARED, metrics) == ["Q 8 KiB", "K 8 KiB"]
    view.resize(100, 120)
    assert view._bars._names(SHARED, metrics) == ["Q", "K"]


def test_that_more_than_the_capacity_still_fits_its_bar(qtbot: Any) -> None:
    store = SramStore("Shared memory", 4 * KIB, SHARED.pieces)
    bars = shown(qtbot, store)._bars
    assert store.used_bytes > store.capacity_bytes
    assert [box for _, box in bars._segments(0)][-1].right() <= bars._bar(0).right() + 1e-6


def test_that_hover_reads_bytes_and_what_was_just_loaded(qtbot: Any) -> None:
    view = shown(qtbot, SHARED)
    (_, q), (_, k) = view._bars._segments(0)
    _hover(qtbot, view, k.center())
    assert view.tip.text() == "K  64 × 64 fp16\n8 KiB (8,192 B)\nloaded in this step"
    _hover(qtbot, view, q.center())
    assert "loaded" not in view.tip.text()
    _hover(qtbot, view, view._bars._bar(0).center())
    assert "147 KiB free of 163 KiB" in view.tip.text()


def test_that_binary_units_are_used_for_what_comes_in_powers_of_two() -> None:
    assert [sram_bytes(n) for n in (512, 8 * KIB, 192 * KIB, 20 * KIB * KIB)] == ["512 B", "8 KiB", "192 KiB", "20 MiB"]


def _hover(qtbot: Any, view: SramView, point: QPointF) -> None:
    qtbot.mouseMove(view._bars, QPoint(round(point.x()), round(point.y())))
