"""The page compare: what the plan knows before a run, what a run adds, and what the user chooses."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from core.compiling.record import CompiledKernel
from core.contracts.registry import topic
from core.contracts.result import Provenance
from core.contracts.text import EMPTY, tr
from core.recordings import document
from core.recordings.run import Band, Device, FamilyRun, Traced
from core.run_files import SavedRun
from core.topics.compare.params import CompareParams
from core.topics.compare.result import CompareResult
from gui import theme
from gui.pages.compare import ComparePage
from gui.pages.compare.curve_series import modelled_curves
from gui.pages.compare.curves_view import BYTES, ERROR, MODELLED, ROOFLINE, SHARE, TIME
from gui.pages.compare.details_view import CHANGES, RECORDINGS
from gui.pages.compare.toolbar import CSV, JSON
from tests.gui.pages.compare.compare_result import compare_result, family_run, outcome


def new_page() -> ComparePage:
    page = ComparePage(topic("compare"))
    theme.dress(page)
    page.resize(1280, 720)
    page.show_plan(page.topic.plan(CompareParams()), CompareParams())
    page.show()
    return page


def show_run(page: ComparePage, run: FamilyRun) -> None:
    page.show_result(CompareResult(params=CompareParams(), run=run))


def plan_with(page: ComparePage, recordings: Path) -> None:
    """Show the plan that reads these recordings, as the controller does after the form changed."""
    params = CompareParams(recordings=str(recordings))
    page.show_plan(page.topic.plan(params), params)


def recorded(device: str = "NVIDIA H200", **fields: Any) -> FamilyRun:
    """The run of the fixture as it came from another machine."""
    kind = "cuda" if "NVIDIA" in device else "cpu"
    return replace(family_run(CompareParams()), device=Device(kind, device), **fields)  # type: ignore[arg-type]


def cells(page: ComparePage, column: str) -> list[str]:
    table = page.details.outcomes
    found = next(each for each in table.model.columns if each.name == column)
    return [found.text(row) for row in table.rows]


# Before a run.


def test_that_the_page_shows_what_the_plan_knows_before_a_run(page: ComparePage) -> None:
    contenders = page.topic.plan(CompareParams()).contenders

    assert [row.name for row in page.bars.rows] == [str(each.label) for each in contenders]
    assert all(row.note and not row.cells for row in page.bars.rows)
    assert page.curves.switcher.index == MODELLED
    assert page.curves.charts[MODELLED].series[0].style == "dashed"
    assert page.cards["curves"].badge.provenance is Provenance.MODELLED
    assert cells(page, "remark") == ["not run yet"] * (4 * len(contenders))
    assert "537 MFLOP" in [number.value for number in page.key_metrics.numbers]


def test_that_nothing_can_be_pinned_or_exported_before_a_run(page: ComparePage) -> None:
    assert not page.bar.pin.isEnabled()
    assert not page.bar.export.isEnabled()


def test_that_a_sweep_of_one_point_has_a_roofline_instead_of_curves(page: ComparePage) -> None:
    params = CompareParams(sweep="none")
    page.show_plan(page.topic.plan(params), params)

    assert page.bar.point.count() == 1
    page.curves.show_picture(TIME)
    assert "Nothing is swept" in page.curves.charts[TIME].empty_sentence
    page.curves.show_picture(ROOFLINE)
    assert len(page.curves.roofline.chart.points) == 1


# A run.


def test_that_a_run_has_bars_with_samples_and_errors(page: ComparePage) -> None:
    page.show_result(compare_result())
    page.bar.index_chosen.emit(0)

    flash, sdpa, naive, cudnn = page.bars.rows
    assert not flash.cells[0].bars
    assert "2.0 µs to 3.0 µs" in flash.cells[0].texts[0]
    assert sdpa.cells[0].bars[0][0].value == pytest.approx(1.01)
    assert len(sdpa.cells[0].samples) == 10
    assert (naive.cells[0].texts, naive.cells[1].texts) == (("2.02 ms",), ("2×",))
    assert (sdpa.cells[1].texts, naive.cells[1].text_ink.role) == (("1×",), "bad")
    assert "no GPU" in cudnn.note
    assert page.cards["bars"].badge.provenance is Provenance.MEASURED_CPU


def test_that_a_value_that_follows_from_the_swept_one_breaks_no_curve(page: ComparePage) -> None:
    params = CompareParams(case="batch=0")  # as many as make 16,384 tokens, so fewer for longer sequences
    page.show_plan(page.topic.plan(params), params)
    page.show_result(compare_result(params))

    assert [int(np.isfinite(one.y).sum()) for one in page.curves.charts[TIME].series] == [3, 3]


def test_that_a_modelled_time_is_never_a_single_number(page: ComparePage) -> None:
    page.show_result(compare_result())
    page.curves.show_picture(MODELLED)

    band = next(one for one in page.curves.charts[MODELLED].series if one.name == "Triton flash")
    assert band.upper is not None
    assert (band.upper[:3] > band.y[:3]).all()
    assert np.isnan(band.y[3])  # nothing ran there
    assert set(cells(page, "band")) == {"2.0 µs to 3.0 µs", "—"}
    read_out = page.curves.charts[MODELLED].describe(2.2, 0.0)
    assert read_out is not None
    assert read_out.splitlines()[0] == "Sequence length N = 128"  # 158 was not run
    assert "Triton flash: 2.00 µs to 3.00 µs" in read_out


def test_that_curves_grow_with_partial_results_on_axes_that_stay(page: ComparePage) -> None:
    run = family_run(CompareParams())
    show_run(page, replace(run, points=run.points[:1]))
    chart = page.curves.charts[TIME]
    before = chart.chart.getViewBox().viewRange()[0]
    assert page.curves.switcher.index == TIME
    assert [one.x.tolist() for one in chart.series] == [[128.0], [128.0]]
    assert page.bar.point.currentText() == "seq_len=128"

    page.show_partial(CompareResult(params=CompareParams(), run=replace(run, points=run.points[:2])))

    assert [one.x.tolist() for one in chart.series] == [[128.0, 256.0]] * 2
    assert chart.chart.getViewBox().viewRange()[0] == before
    assert page.bar.point.currentText() == "seq_len=256"


def test_that_the_point_that_the_user_chose_stays_while_points_are_added(page: ComparePage) -> None:
    run = family_run(CompareParams())
    show_run(page, replace(run, points=run.points[:1]))
    page.bar.index_chosen.emit(0)
    show_run(page, run)

    assert page.bar.point.currentText() == "seq_len=128"


def test_that_an_inaccurate_result_has_no_bar_but_its_error(page: ComparePage) -> None:
    run = family_run(CompareParams())
    wrong = outcome("torch-naive", time_ms=None, time_ms_samples=(), passed=False, rms_error=1e-3)
    first = replace(run.points[0], outcomes=(outcome("sdpa-flash"), wrong))
    show_run(page, replace(run, points=(first,)))

    cell, _, error = page.bars.rows[1].cells
    assert not cell.bars
    assert cell.texts[0] == "not accurate enough: no time"
    assert (error.mark, error.ink.role) == (1e-3, "bad")
    assert "1/2" in [number.value for number in page.key_metrics.numbers]
    assert [one.name for one in page.curves.charts[TIME].series] == ["PyTorch SDPA, flash"]
    page.curves.show_picture(ERROR)
    assert page.curves.charts[ERROR].series[-1].name == "allowed error"


def test_that_a_point_that_ran_out_of_memory_says_so(page: ComparePage) -> None:
    page.show_result(compare_result())
    page.bar.index_chosen.emit(3)

    assert [row.note for row in page.bars.rows] == ["It ran out of memory here."]
    assert cells(page, "remark")[-1] == "It ran out of memory here."


@pytest.mark.parametrize(
    ("picture", "provenance"),
    [(TIME, Provenance.MEASURED_CPU), (ERROR, Provenance.MEASURED_CPU), (SHARE, Provenance.MEASURED_CPU),
     (BYTES, Provenance.TRACED), (MODELLED, Provenance.MODELLED), (ROOFLINE, Provenance.MEASURED_CPU)],
)  # fmt: skip
def test_that_each_picture_has_its_provenance(page: ComparePage, picture: int, provenance: Provenance) -> None:
    page.show_result(compare_result())
    page.curves.show_picture(picture)

    assert page.cards["curves"].badge.provenance is provenance


def test_that_the_roofline_is_of_ceilings_measured_in_the_same_run(page: ComparePage) -> None:
    page.show_result(compare_result())
    page.curves.show_picture(ROOFLINE)
    chart = page.curves.roofline.chart

    assert (chart.roofs[0].name, chart.roofs[0].peak_tflops, chart.roofs[0].bandwidth_gb_s) == ("AMD EPYC", 0.05, 10.0)
    assert [point.label for point in chart.points] == ["PyTorch SDPA, flash", "PyTorch, three operations"]

    page.curves.roofline.of.choose(1)

    assert chart.roofs[0].name == "NVIDIA H200"
    assert [point.label for point in chart.points if point.traced] == ["Triton flash"]
    assert page.cards["curves"].badge.provenance is Provenance.MODELLED


def test_that_a_file_without_a_formula_has_no_badge_for_modelled_numbers(page: ComparePage) -> None:
    params = CompareParams(family="file")
    page.show_plan(page.topic.plan(params), params)
    run = replace(family_run(CompareParams()), family="file", file="compare_softmax.py", points=())
    page.show_result(CompareResult(params=params, run=run))

    assert [badge.provenance for badge in page.key_metrics.badges] == [Provenance.MEASURED_CPU, None]


def test_that_clearing_the_run_leaves_the_plan(page: ComparePage) -> None:
    page.show_result(compare_result())
    page.clear_result()

    assert all(row.note for row in page.bars.rows)
    assert set(cells(page, "time")) == {"—"}


# Samples.


def test_that_a_picked_bar_shows_its_samples_and_the_verdict_on_their_noise(page: ComparePage) -> None:
    page.show_result(compare_result())
    assert page.samples.isHidden()

    page.bars.picked.emit("run/torch-naive")

    assert not page.samples.isHidden()
    assert [one.y.size for one in page.samples.chart.series] == [10, 10]
    assert "2.00 times as long as PyTorch SDPA, flash: slower." in page.samples.verdict.text()
    assert page.samples.badge.provenance is Provenance.MEASURED_CPU
    assert page.details.outcomes.marked == (2, "torch-naive")

    assert page.dismiss()
    assert page.samples.isHidden()
    assert not page.dismiss()


def test_that_samples_that_are_equal_are_not_told_apart(page: ComparePage) -> None:
    run = family_run(CompareParams())
    first = replace(run.points[0], outcomes=(outcome("sdpa-flash"), outcome("sdpa-math")))
    show_run(page, replace(run, points=(first,)))
    page.bars.picked.emit("run/sdpa-math")

    assert "cannot be told apart here" in page.samples.verdict.text()
    assert page.bars.rows[1].cells[1].texts == ("≈",)


def test_that_the_list_of_points_says_what_the_parameters_are(page: ComparePage) -> None:
    assert "kv_heads: Number of key and value heads." in page.bar.point.toolTip()


def test_that_too_few_samples_do_not_look_like_equal_times(page: ComparePage) -> None:
    run = family_run(CompareParams())
    short = tuple(replace(each, time_ms_samples=each.time_ms_samples[:3]) for each in
                  (outcome("sdpa-flash"), outcome("sdpa-math", 9.0)))  # fmt: skip
    show_run(page, replace(run, points=(replace(run.points[0], outcomes=short),)))

    ratio, mark = page.bars.rows[1].cells[1].texts
    assert (ratio.endswith("× ?"), mark) == (True, "?")
    assert "too few samples to tell" in page.bars.rows[1].read_out


def test_that_a_row_of_the_table_picks_its_point_and_its_samples(page: ComparePage) -> None:
    page.show_result(compare_result())
    row = next(row for row in page.details.outcomes.rows if (row.index, row.impl) == (1, "sdpa-flash"))
    page.details.outcomes.picked.emit(row)

    assert page.bar.point.currentText() == "seq_len=256"
    assert page.bars.chosen == "run/sdpa-flash"


# The keyboard, and clicks on curves.


def test_that_left_and_right_go_from_point_to_point(page: ComparePage) -> None:
    page.show_result(compare_result())
    page.step(-1)
    assert page.bar.point.currentText() == "seq_len=256"
    page.step(1)
    page.step(1)
    page.step(1)

    assert page.bar.point.currentText() == "seq_len=1024"
    assert page.curves.charts[TIME].selected_x == 1024
    assert not page.bar.forward.isEnabled()


def test_that_bars_are_picked_by_keyboard(page: ComparePage, qtbot: Any) -> None:
    page.show_result(compare_result())
    page.activateWindow()
    page.bars.view.setFocus()
    QTest.keyClick(page.bars.view, Qt.Key.Key_Down)
    with qtbot.waitSignal(page.bars.picked):
        QTest.keyClick(page.bars.view, Qt.Key.Key_Return)

    assert not page.samples.isHidden()


def test_that_a_click_on_a_curve_shows_the_bars_of_the_nearest_point(page: ComparePage) -> None:
    page.show_result(compare_result())
    page.curves.charts[TIME].chart.clicked.emit(2.4, 0.0)

    assert page.bar.point.currentText() == "seq_len=256"


# Recordings.


def test_that_a_recording_of_another_device_stands_below_on_an_axis_of_its_own(
    page: ComparePage, tmp_path: Path
) -> None:
    document.write(tmp_path / "h200.json", [recorded()])
    page.show_result(compare_result())
    plan_with(page, tmp_path / "h200.json")
    page.bar.index_chosen.emit(0)

    assert page.bars.spec is not None
    here, there = page.bars.spec.bands
    assert "NVIDIA H200" in there.title
    assert len(here.rows) == 4
    assert page.bars.minimumHeight() > 200  # it scrolls, where there is less room
    assert [one.style for one in page.curves.charts[TIME].series] == ["rings", "rings", "dashed", "dashed"]
    assert page.curves.badge.provenance is Provenance.RECORDED
    page.bars.picked.emit("0/sdpa-flash")
    assert page.samples.badge.provenance is Provenance.RECORDED


def test_that_a_recording_is_drawn_before_any_run(page: ComparePage, tmp_path: Path) -> None:
    document.write(tmp_path / "h200.json", [recorded()])
    plan_with(page, tmp_path / "h200.json")

    assert page.curves.switcher.index == TIME
    assert page.cards["curves"].badge.provenance is Provenance.RECORDED


def test_that_a_dropped_recording_goes_into_the_form(page: ComparePage, tmp_path: Path) -> None:
    path = tmp_path / "h200.json"
    document.write(path, [recorded()])
    assert page.open_dropped(str(path))
    assert page.params.recordings == str(path)  # type: ignore[attr-defined]


def test_that_a_damaged_recording_is_said_and_the_others_are_listed(page: ComparePage, tmp_path: Path) -> None:
    document.write(tmp_path / "good.json", [recorded()])
    (tmp_path / "old.json").write_text(json.dumps({"format": "tilescope-recording", "version": 99, "runs": []}))
    plan_with(page, tmp_path)

    table = page.details.recordings.table
    assert [row.path.name for row in table.rows] == ["good.json", "old.json"]
    assert "version 99" in str(table.rows[1].problem)


def test_that_recordings_are_filtered_by_device_kernel_and_date(page: ComparePage, tmp_path: Path) -> None:
    document.write(tmp_path / "a.json", [recorded()])
    document.write(tmp_path / "b.json", [recorded("AMD EPYC", recorded_at="2024-01-02T03:04:05+00:00")])
    plan_with(page, tmp_path)
    view = page.details.recordings

    view.device.setText("h200")
    assert [row.path.name for row in view.table.rows] == ["a.json"]
    view.device.clear()
    view.until.setText("2024")
    assert [row.path.name for row in view.table.rows] == ["b.json"]
    view.impl.setText("no-such-kernel")
    assert view.table.rows == ()


def test_that_two_recordings_are_compared_and_regressions_listed(page: ComparePage, tmp_path: Path) -> None:
    run = recorded("AMD EPYC", recorded_at="2025-06-02T12:00:00+00:00")
    slow = replace(run.points[0], outcomes=(outcome("sdpa-flash", 1.5), outcome("torch-naive", 2.0)))
    document.write(tmp_path / "a.json", [recorded("AMD EPYC")])
    document.write(tmp_path / "b.json", [replace(run, points=(slow,))])
    plan_with(page, tmp_path)
    view = page.details.recordings
    assert not view.compare.isEnabled()

    view.table.view.select_places([0, 1], None)
    view.compare.click()

    assert page.details.index == CHANGES
    changes = page.details.changes
    assert [row.change.impl for row in changes.table.rows] == ["sdpa-flash", "torch-naive"]
    assert "1 of 2 times is slower" in changes.summary.text()
    changes.only.setChecked(True)
    assert [row.change.impl for row in changes.table.rows] == ["sdpa-flash"]


def test_that_the_form_takes_the_sizes_of_a_recording(page: ComparePage, tmp_path: Path) -> None:
    params = CompareParams(size="full", sweep="seq_len=1024,2048", case="dtype=fp16")
    document.write(tmp_path / "h200.json", [replace(recorded(), points=family_run(params).points)])
    plan_with(page, tmp_path / "h200.json")
    page.details.recordings.table.view.select_places([0], 0)
    page.details.recordings.sizes.click()

    wanted, taken = page.topic.plan(params), page.topic.plan(page.params)
    assert [point.case for point in taken.points] == [point.case for point in wanted.points]


def test_that_times_of_different_devices_are_not_called_regressions(page: ComparePage, tmp_path: Path) -> None:
    document.write(tmp_path / "h200.json", [recorded()])
    page.show_result(compare_result())
    plan_with(page, tmp_path / "h200.json")

    assert "times of different devices are not compared" in page.details.changes.summary.text()


# Two runs.


def test_that_a_run_that_is_pinned_elsewhere_on_the_page_is_this_pin(page: ComparePage) -> None:
    result = compare_result(CompareParams())
    page.show_pinned(SavedRun(result, datetime(2026, 11, 28, tzinfo=UTC), 1.0), page.topic.plan(result.params))
    assert page.pinned is result.run
    page.show_pinned(None)
    assert page.pinned is None


def test_that_the_pinned_run_is_compared_with_the_next(page: ComparePage) -> None:
    page.show_result(compare_result())
    page.bar.pin.click()
    assert page.bar.pin.text() == "A pinned"

    run = family_run(CompareParams())
    faster = tuple(replace(point, outcomes=(outcome("sdpa-flash", 0.5),)) for point in run.points[:2])
    show_run(page, replace(run, points=faster))

    changes = [row.change for row in page.details.changes.table.rows]
    verdicts = {str(change.time.verdict) for change in changes if change.time is not None}
    assert verdicts == {"faster"}
    assert [one.style for one in page.curves.charts[TIME].series] == ["rings", "faint", "faint"]

    page.bar.pin.click()
    assert page.pinned is None
    assert page.details.changes.pair is None


def test_that_a_run_is_saved_as_table_and_as_recording(page: ComparePage, tmp_path: Path, qtbot: Any) -> None:
    page.show_result(compare_result())
    page.bar.save_requested.emit(CSV, tmp_path / "run.csv")
    page.bar.save_requested.emit(JSON, tmp_path / "run.json")
    qtbot.waitUntil(lambda: not page._writer.busy)

    assert (tmp_path / "run.csv").read_text().splitlines()[0].startswith("recorded_at,device,commit,family")
    (saved,) = document.read(tmp_path / "run.json").runs
    run = family_run(CompareParams())
    assert (saved.device, saved.impls) == (run.device, run.impls)
    assert [point.outcome("sdpa-flash") for point in saved.points] == [p.outcome("sdpa-flash") for p in run.points]


# Compiled kernels.


def test_that_compiled_kernels_are_listed_as_the_compiler_states_them(page: ComparePage) -> None:
    run = family_run(CompareParams())
    kernel = CompiledKernel("flash_fwd", "sm_90", 4, 3, 168, 16, 65536, ("wgmma", "TMA"))
    failed = CompiledKernel("other", "sm_90", problem=tr("It was not compiled here."))
    flash = replace(run.points[0].outcomes[0], compiled=(kernel, failed))
    show_run(page, replace(run, points=(replace(run.points[0], outcomes=(flash,)),)))

    texts = [[column.text(row) for column in page.details.compiled.model.columns] for row in page.details.compiled.rows]
    assert texts[0][1:9] == ["flash_fwd", "sm_90", "168", "16 B", "64 KiB", "4", "3", "wgmma, TMA"]
    assert texts[1][-1] == "It was not compiled here."
    assert texts[2][0] == "Triton standard, three kernels"


def test_that_the_table_of_recordings_is_marked_as_recorded(page: ComparePage, tmp_path: Path) -> None:
    document.write(tmp_path / "h200.json", [recorded()])
    plan_with(page, tmp_path)
    page.details.show_picture(RECORDINGS)

    assert page.cards["outcomes"].badge.provenance is Provenance.RECORDED


# A machine without a GPU: kernels of one's own have no times.


def emulated_run(moved: tuple[int, int], seconds: tuple[float, float] = (0.002, 0.002)) -> FamilyRun:
    """Two kernels that the TTIR interpreter executed: the same distinct bytes, other bytes and bands as given."""
    run = family_run(CompareParams())
    kernels = [
        outcome(
            impl, runs_on="emulated", time_ms=None, time_ms_samples=(), kind="triton",
            traced=Traced(1, 8, read, 0, 1 << 20, None), modelled=Band("h200", low, 2 * low),
        )
        for impl, read, low in zip(("triton-flash", "triton-standard"), moved, seconds, strict=True)
    ]  # fmt: skip
    return replace(run, points=tuple(replace(each, problem=EMPTY, outcomes=tuple(kernels)) for each in run.points))


def test_that_kernels_with_the_same_band_are_told_apart_by_the_bytes_that_they_move(page: ComparePage) -> None:
    show_run(page, emulated_run((3 << 20, 6 << 20)))

    assert page.curves.switcher.index == BYTES
    assert cells(page, "moved")[:2] != cells(page, "moved")[1:3]
    assert len({*cells(page, "distinct")} - {"—"}) == 1
    texts = [row.cells[0].texts[0] for row in page.bars.rows if row.cells]
    assert len(set(texts)) == 2
    assert page.shown is not None
    assert "the bands coincide" in str(modelled_curves(page.shown).note)


def test_that_bands_that_differ_are_shown(page: ComparePage) -> None:
    show_run(page, emulated_run((3 << 20, 3 << 20), seconds=(0.002, 0.004)))

    assert page.curves.switcher.index == MODELLED
    assert page.shown is not None
    assert "bands assume 60% to 100%" in str(modelled_curves(page.shown).note)


def test_that_without_times_there_are_no_empty_columns_and_nothing_is_called_measured(page: ComparePage) -> None:
    show_run(page, emulated_run((3 << 20, 6 << 20)))
    table = page.details.outcomes
    shown = [column.name for i, column in enumerate(table.model.columns) if not table.view.isColumnHidden(i)]

    assert shown == ["case", "impl", "error", "moved", "distinct", "band", "formula", "remark"]
    assert all(len(row.cells) in (0, 2) for row in page.bars.rows)
    assert page.cards["bars"].badge.provenance is Provenance.TRACED
    assert page.cards["outcomes"].badge.provenance is Provenance.TRACED


def test_that_two_runs_without_times_are_compared_by_errors_and_bytes(page: ComparePage) -> None:
    show_run(page, emulated_run((3 << 20, 3 << 20)))
    page.bar.pin.click()
    show_run(page, emulated_run((3 << 20, 6 << 20)))
    page.details.show_picture(CHANGES)

    assert "no times in common" in page.details.changes.summary.toolTip() + page.details.changes.summary.text()
    assert "2×" in [page.details.changes.table.model.columns[-2].text(row) for row in page.details.changes.table.rows]
