"""The table of a checkpoint's report: views, filter, order, selection, growth, export."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QFileDialog

from core.checkpoint.errors import FormatErrors, WeightSums
from core.checkpoint.header import Shard, StoredTensor
from core.checkpoint.report import SkippedTensor, TensorErrors, layer_rows, skipped_rows, tensor_rows
from core.checkpoint.tensor_table import TensorTable
from core.contracts.errors import TilescopeError
from gui import theme as themes
from gui.pages.quantization.report_columns import SKIPPED_COLUMNS, layer_columns, matching, natural, tensor_columns
from gui.pages.quantization.report_table import ReportTable
from gui.pages.quantization.report_views import ReportRows
from gui.widgets.record_model import BAR_ROLE, RecordModel

LABELS = {"nf4": "NF4", "int4": "INT4"}
KINDS = ("self_attn.q_proj", "mlp.up_proj", "input_layernorm")
SNR = {"nf4": 20.0, "int4": 18.0}
TENSOR_COLUMNS = tensor_columns(LABELS)


def row(index: int, format_id: str = "nf4", **changes: Any) -> TensorErrors:
    layer, kind = divmod(index, len(KINDS))
    snr = SNR[format_id] + (index * 37 % 101) / 50
    errors = TensorErrors(
        tensor=f"model.layers.{layer}.{KINDS[kind]}.weight", layer=layer, kind=KINDS[kind], shape="64 x 32",
        dtype="BF16", elements=2048, bytes=4096, nonfinite=0, std=0.02, absmax=0.1, kurtosis=3.0, max_over_sigma=5.0,
        format=format_id, snr_db=snr, relative_rmse=10 ** (-snr / 20), max_abs_error=0.0123, bits_per_parameter=4.127,
        quantized_bytes=1057, signal_power=100.0, error_power=100 / 10 ** (snr / 10),
    )  # fmt: skip
    return replace(errors, **changes)


def report_of(*rows: TensorErrors) -> ReportRows:
    return ReportRows(TensorTable.of(rows))


def rows_of(count: int, formats: tuple[str, ...] = ("nf4", "int4")) -> ReportRows:
    rows = [row(index, name) for index in range(count) for name in formats]
    skipped = SkippedTensor("rotary.inv_freq", "I64", "32", 256, "of type I64")
    return ReportRows(TensorTable.of(rows), layer_rows(rows), (skipped,))


@pytest.fixture
def report(qtbot: Any) -> ReportTable:
    table = ReportTable()
    qtbot.addWidget(table)
    table.resize(700, 300)
    table.set_report(rows_of(60), LABELS)
    table.set_format("nf4")
    table.show()
    return table


def names(report: ReportTable) -> list[str]:
    return [shown.tensor for shown in report.table.rows]


def selected(report: ReportTable) -> list[str]:
    return [row.tensor for row in report.table.selected]


def column(report: ReportTable, name: str) -> int:
    return next(index for index, each in enumerate(report.table.model.columns) if each.name == name)


def test_that_without_a_report_it_says_what_to_open(qtbot: Any) -> None:
    report = ReportTable()
    qtbot.addWidget(report)
    assert report.table.sentence.startswith("Open a checkpoint")
    assert not report.export.isEnabled()


def test_that_numbers_are_written_with_their_units_and_exact_in_the_read_out(report: ReportTable) -> None:
    snr, size = (report.table.model.index(1, column(report, name)) for name in ("snr_db", "bytes"))
    assert (snr.data(), size.data()) == ("20.7", "4.10 kB")
    assert snr.data(Qt.ItemDataRole.ToolTipRole) == "20.74 dB"
    head = report.table.model.headerData(snr.column(), Qt.Orientation.Horizontal)
    assert head == "SNR (dB)"


def test_that_a_bar_shows_the_share_of_the_largest_number_whatever_the_filter(report: ReportTable) -> None:
    largest = max(row(index).snr_db for index in range(60))
    report.filter.setText("layer 0")
    bars = [report.table.model.index(place, column(report, "snr_db")).data(BAR_ROLE) for place in range(3)]
    assert bars == [row(index).snr_db / largest for index in range(3)]
    assert report.table.model.index(0, column(report, "bytes")).data(BAR_ROLE) is None


def test_that_every_column_is_there_in_the_rows_that_a_report_makes() -> None:
    """An empty tensor has no numbers at all, which is the hardest case."""
    empty = StoredTensor("h.3.w", "F32", (0, 4), Shard(Path("a"), 0, 0, ""), 0, 0)
    of_tensors = tensor_rows(empty, WeightSums(), {"nf4": FormatErrors()})
    of_layers = layer_rows([row(0, snr_db=None, signal_power=0.0, error_power=0.0), row(5)])
    for shown, rows in zip(
        (tensor_columns(LABELS), layer_columns(LABELS), SKIPPED_COLUMNS),
        (of_tensors, of_layers, skipped_rows([empty])),
        strict=True,
    ):
        for each_row in rows:
            texts = [each.text(each_row) for each in shown]
            assert all(texts[:2])
            assert all(each.exact(each_row) is not None for each in shown)


def test_that_what_was_not_obtained_is_a_dash(report: ReportTable) -> None:
    report.set_report(report_of(row(0, snr_db=None, kurtosis=None)), LABELS)
    for name in ("snr_db", "kurtosis"):
        assert report.table.model.index(0, column(report, name)).data() == "—"


@given(st.lists(st.one_of(st.none(), st.floats(-20, 60)), max_size=30), st.booleans())
def test_that_sorting_is_by_number_and_what_has_none_comes_last(values: list[float | None], descending: bool) -> None:
    by_snr = next(each for each in TENSOR_COLUMNS if each.name == "snr_db")
    in_order = [shown.snr_db for shown in by_snr.in_order([row(0, snr_db=value) for value in values], descending)]
    present = sorted((value for value in values if value is not None), reverse=descending)
    assert in_order == present + [None] * values.count(None)


def test_that_layer_two_comes_before_layer_ten() -> None:
    assert sorted(["l.10.a", "l.2.b", "l.2.a"], key=natural) == ["l.2.a", "l.2.b", "l.10.a"]


def test_that_a_header_sorts_and_a_selection_goes_with_its_row(report: ReportTable) -> None:
    report.select_tensor("model.layers.3.mlp.up_proj.weight")
    report.table.view.sortByColumn(column(report, "snr_db"), Qt.SortOrder.AscendingOrder)
    snr = [shown.snr_db for shown in report.table.rows]
    assert snr == sorted(snr)
    assert selected(report) == ["model.layers.3.mlp.up_proj.weight"]
    report.table.view.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
    assert names(report) == [row(index).tensor for index in range(60)]


@pytest.mark.parametrize(
    ("text", "count"),
    [("UP_PROJ", 20), ("layer 1", 3), ("Layer  12", 3), ("layers.1.", 3), ("", 60), ("none such", 0)],
)
def test_that_the_filter_takes_parts_of_names_and_whole_layers(report: ReportTable, text: str, count: int) -> None:
    report.filter.setText(text)
    assert len(report.table.rows) == count
    assert report.count.text() == f"{count} of 60 tensors"
    assert bool(report.table.sentence) == (count == 0)


@given(st.text("AYlayer. 019_p", max_size=9))
def test_that_a_filter_never_invents_or_reorders_rows(text: str) -> None:
    rows = [row(index) for index in range(12)]
    model = RecordModel(TENSOR_COLUMNS, attrgetter("tensor"))
    model.set_rows(rows, matching(text))
    assert [shown for shown in rows if shown in model.shown] == model.shown


def test_that_a_click_and_the_arrows_pick_a_tensor(report: ReportTable, qtbot: Any) -> None:
    where = report.table.view.visualRect(report.table.model.index(2, 0)).center()
    with qtbot.waitSignal(report.tensor_picked) as caught:
        qtbot.mouseClick(report.table.view.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert caught.args == [row(2).tensor]
    with qtbot.waitSignal(report.tensor_picked) as caught:
        qtbot.keyClick(report.table.view, Qt.Key.Key_Down)
    assert caught.args == [row(3).tensor]


def test_that_what_is_selected_from_outside_is_shown_without_an_echo(report: ReportTable, qtbot: Any) -> None:
    with qtbot.assertNotEmitted(report.tensor_picked), qtbot.assertNotEmitted(report.format_chosen):
        report.select_tensor(row(55).tensor)
        assert selected(report) == [row(55).tensor]
        assert report.table.view.rowAt(report.table.view.viewport().height() - 1) >= 55
        report.set_format("int4")
        report.show_view(1)
        assert [row.layer for row in report.table.selected] == [row(55).layer]
        report.show_view(0)
        report.select_tensor(None)
        assert selected(report) == []


def test_that_a_tensor_selected_before_it_is_measured_is_shown_when_it_is(report: ReportTable) -> None:
    report.select_tensor(row(70).tensor)
    assert selected(report) == []
    report.set_report(rows_of(80), LABELS)
    assert selected(report) == [row(70).tensor]


def test_that_a_growing_report_keeps_selection_order_and_place(report: ReportTable) -> None:
    report.table.view.sortByColumn(column(report, "snr_db"), Qt.SortOrder.DescendingOrder)
    report.filter.setText("proj")
    expected = names(report)[20:23]
    report.table.view.select(20)
    report.table.view.verticalScrollBar().setValue(11 * 22 + 5)
    report.table.view.horizontalScrollBar().setValue(30)
    top = report.table.view.indexAt(report.table.view.viewport().rect().topLeft())
    name, offset = report.table.rows[top.row()].tensor, report.table.view.visualRect(top).top()
    report.set_report(rows_of(90), LABELS)
    top = report.table.view.indexAt(report.table.view.viewport().rect().topLeft())
    assert (report.table.rows[top.row()].tensor, report.table.view.visualRect(top).top()) == (name, offset)
    assert selected(report) == expected[:1]
    assert report.table.view.horizontalScrollBar().value() == 30
    snr = [shown.snr_db for shown in report.table.rows]
    assert snr == sorted(snr, reverse=True)
    assert len(snr) == 60


def test_that_ten_thousand_rows_per_second_do_not_hold_the_window_up(report: ReportTable) -> None:
    """Showing a report again costs less than writing the text of each cell twice, on a machine of any speed: a sort in
    a proxy or widths measured cell by cell would cost many times that. The number of calls is bounded as well, and
    does not depend on the machine at all."""
    report.table.view.sortByColumn(column(report, "snr_db"), Qt.SortOrder.DescendingOrder)
    full = rows_of(5000)
    rows = full.tensors.rows
    report.select_tensor(rows[40].tensor)
    grown = []
    for changed in range(6):
        changed_rows = [*rows[:-2], row(4999, "nf4", kurtosis=float(changed)), row(4999, "int4")]
        grown.append(replace(full, tensors=TensorTable.of(changed_rows)))
    assert calls_of(lambda: report.set_report(grown.pop(), LABELS)) < 4 * 5000
    shown_s, written_s = [], []
    while grown:
        shown_s.append(cpu_s_of(lambda: report.set_report(grown.pop(), LABELS)))
        written_s.append(cpu_s_of(lambda: write_every_cell(report)))
    assert len(report.table.rows) == 5000
    assert min(shown_s) < 2 * min(written_s)


def write_every_cell(report: ReportTable) -> None:
    for shown in report.table.rows:
        for each in report.table.model.columns:
            each.text(shown)


def cpu_s_of(work: Callable[[], None]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def calls_of(work: Callable[[], None]) -> int:
    """How many functions Python calls, its built-in ones included."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return calls


def test_that_a_format_chosen_here_stays_until_another_is_given(report: ReportTable, qtbot: Any) -> None:
    with qtbot.waitSignal(report.format_chosen) as caught:
        report.format.setCurrentIndex(0)
        report.format.activated.emit(0)
    assert caught.args == [""]
    assert len(report.table.rows) == 120
    report.set_format("nf4")
    report.set_report(rows_of(61), LABELS)
    assert len(report.table.rows) == 122
    report.set_format("int4")
    assert {shown.format for shown in report.table.rows} == {"int4"}


def test_that_each_view_shows_its_rows(report: ReportTable) -> None:
    report.show_view(1)
    assert [shown.layer for shown in report.table.rows] == list(range(20))
    assert report.count.text() == "20 of 20 layers"
    report.show_view(2)
    snr = [shown.snr_db for shown in report.table.rows]
    assert snr == sorted(snr)
    assert len(snr) == 20
    report.show_view(3)
    assert names(report) == ["rotary.inv_freq"]
    report.set_report(replace(rows_of(3), skipped=()), LABELS)
    assert report.table.sentence == "Every tensor was measured."


def test_that_a_layer_picks_its_worst_tensor(report: ReportTable, qtbot: Any) -> None:
    report.show_view(1)
    with qtbot.waitSignal(report.tensor_picked) as caught:
        qtbot.keyClick(report.table.view, Qt.Key.Key_Down)
        qtbot.keyClick(report.table.view, Qt.Key.Key_Down)
    assert caught.args[0].startswith("model.layers.")
    assert caught.args[0] in {shown.worst_tensor for shown in report.table.rows}


def test_that_copy_takes_selected_rows_or_all(report: ReportTable) -> None:
    report.select_tensor(row(1).tensor)
    report.table.copy()
    text = QGuiApplication.clipboard().text()
    assert text.startswith("Tensor\tFormat\t")
    assert text.splitlines()[1].startswith(f"{row(1).tensor}\tNF4\t")
    assert len(text.splitlines()) == 2
    report.select_tensor(None)
    report.table.copy()
    assert len(QGuiApplication.clipboard().text().splitlines()) == 61


def test_that_an_export_is_written_beside_the_window(
    report: ReportTable, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(path: Path) -> None:
        path.write_text(path.suffix, encoding="utf-8")

    report.set_report(rows_of(3), LABELS, write)
    answers: list[tuple[str, bool]] = []

    def answer(dialog: QFileDialog) -> None:
        """The user types a name without an ending and accepts: the dialog completes it."""
        path = str(tmp_path / f"mine.{dialog.defaultSuffix()}")
        answers.append((path, dialog.testOption(QFileDialog.Option.DontConfirmOverwrite)))
        dialog.fileSelected.emit(path)

    monkeypatch.setattr(QFileDialog, "open", answer)
    for action in report.export.menu().actions()[:3]:
        with qtbot.waitSignal(report.export.saved) as caught:
            action.trigger()
        assert answers[-1] == (str(tmp_path / caught.args[0]), False)  # the dialog asks about the name that is written
        assert (tmp_path / caught.args[0]).read_text() == Path(caught.args[0]).suffix
        assert caught.args[0] in report.count.text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.csv", "mine.json", "mine.md"]
    assert report.export.isEnabled()


def test_that_an_export_that_fails_is_one_sentence(report: ReportTable, qtbot: Any, tmp_path: Path) -> None:
    def refuse(path: Path) -> None:
        raise TilescopeError(f"{path} cannot be written: no room.")

    report.set_report(rows_of(3), LABELS, refuse)
    with qtbot.capture_exceptions() as raised:
        report.export.save(tmp_path / "a.csv")
        qtbot.waitUntil(lambda: report.export.isEnabled())
    assert [str(error) for _, error, _ in raised] == [f"{tmp_path / 'a.csv'} cannot be written: no room."]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("view", range(4))
def test_that_every_view_paints_in_both_themes(report: ReportTable, qapp: QApplication, view: int) -> None:
    report.set_report(replace(rows_of(5), tensors=TensorTable.of([row(0, nonfinite=3), row(1, snr_db=None)])), LABELS)
    report.show_view(view)
    dark = report.grab().toImage()
    themes.apply(qapp, "light")
    light = report.grab().toImage()
    themes.apply(qapp, "dark")
    assert light != dark
