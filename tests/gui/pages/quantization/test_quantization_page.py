"""The quantization page: form, codebooks, map, table and curves follow each other; a report grows; stale is marked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest

from core.checkpoint.nested_scales import NestedScales
from core.contracts.registry import topic
from core.contracts.result import Provenance
from core.topics.quantization.params import QuantizationParams
from core.topics.quantization.result import Agreement, QuantizationResult, WeightImplResult
from gui import theme
from gui.pages.quantization import QuantizationPage
from gui.pages.quantization.deployment_view import KERNELS, MODEL, OUTPUTS, REPORT
from gui.pages.quantization.formats_view import DISTRIBUTION, ERRORS, OUTLIERS, SIZES
from gui.pages.quantization.map_panel import EVERY_FORMAT, LAYERS, TENSORS
from tests.gui.pages.quantization.quantization_result import WORST, checkpoint_result, tensors

PARAMS = QuantizationParams(blocks=64)


def new_page() -> QuantizationPage:
    shown = QuantizationPage(topic("quantization"))
    theme.dress(shown)
    shown.resize(1500, 1000)

    def show(params: QuantizationParams) -> None:
        shown.show_plan(shown.topic.plan(params), params)

    shown.params_changed.connect(show)
    shown.form.set_params(PARAMS)
    show(PARAMS)
    shown.show()
    return shown


def params(page: QuantizationPage) -> QuantizationParams:
    current = page.params
    assert isinstance(current, QuantizationParams)
    return current


def present(page: QuantizationPage, **changes: Any) -> QuantizationResult:
    result = checkpoint_result(params(page).changed(**changes) if changes else params(page))
    page.present(result, {})
    return result


def selected_cell(page: QuantizationPage) -> tuple[int | None, int | None]:
    return page.map_panel.map.row, page.map_panel.map.column


def click_row(page: QuantizationPage, row: int, x: float = 0.0) -> None:
    parts = page.codebooks.canvas.parts_geometry
    position = QPointF(parts.x_of(x), parts.row_rect(row).center().y())
    QTest.mouseClick(page.codebooks.canvas, Qt.MouseButton.LeftButton, pos=position.toPoint())


def test_that_the_plan_is_drawn_at_once_and_says_that_it_is_modelled(page: QuantizationPage, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: not page.drawing)
    assert [row.id for row in page.codebooks.rows] == ["nf4", "fp4-e2m1", "fp4-e3m0", "int4", "int4-affine", "int8"]
    assert not page.formats_view.pareto.is_empty
    assert not page.map_panel.map.is_empty
    for badge in (
        page.cards["codebooks"].badge,
        page.cards["map"].badge,
        page.cards["formats"].badge,
        page.key_metrics.badges[0],
    ):
        assert badge.provenance is Provenance.MODELLED
    assert page.key_metrics.numbers[0].label == "SNR of NF4"
    assert page.key_metrics.numbers[0].value.endswith("dB")


def test_that_a_click_on_a_codebook_changes_the_form_and_every_picture(page: QuantizationPage) -> None:
    click_row(page, 3)
    assert params(page).format == "int4"
    assert page.codebooks.row is not None
    assert page.codebooks.row.id == "int4"
    assert page.selection.selection.get("format") == "int4"
    assert page.key_metrics.numbers[0].label == "SNR of INT4"
    assert selected_cell(page) == (3, None)
    page.form.undo_stack.undo()
    assert params(page).format == "nf4"
    assert page.codebooks.chosen == 0


def test_that_the_form_s_format_reaches_the_codebooks(page: QuantizationPage) -> None:
    page.form.fields["format"].edited.emit("fp4-e3m0")
    assert page.codebooks.row is not None
    assert page.codebooks.row.id == "fp4-e3m0"


@pytest.mark.parametrize("view", ["map", "errors", "budget", "outputs", "report"])
def test_that_a_format_can_be_chosen_in_every_view(page: QuantizationPage, view: str) -> None:
    emit = {
        "map": page.map_panel.key_picked,
        "errors": page.formats_view.errors.series_picked,
        "budget": page.deployment_view.budget.picked,
        "outputs": page.deployment_view.outputs.picked,
        "report": page.deployment_view.report.format_chosen,
    }[view].emit
    emit("int8")
    assert params(page).format == "int8"
    emit("")  # the weights as they are, or all formats
    assert params(page).format == "int8"


def test_that_a_setting_of_the_sweep_goes_into_the_form_as_one_step(page: QuantizationPage, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: not page.formats_view.pareto.is_empty)
    assert page.formats_view.pareto.current == ("nf4", 64, True)
    page.formats_view.pareto.setting_picked.emit(("int4", 128, False))
    chosen = params(page)
    assert (chosen.format, chosen.block_size, chosen.double_quantization) == ("int4", 128, False)
    qtbot.waitUntil(lambda: page.formats_view.pareto.current == ("int4", 128, False))
    page.formats_view.pareto.setting_picked.emit(("int4-affine", 32, False))
    assert params(page).double_quantization is False
    page.form.undo_stack.undo()
    page.form.undo_stack.undo()
    assert params(page) == PARAMS
    qtbot.waitUntil(lambda: not page.drawing)


def test_that_a_run_replaces_the_plan_and_is_measured(page: QuantizationPage) -> None:
    result = present(page)
    assert page.cards["codebooks"].badge.provenance is Provenance.MEASURED_CPU
    assert page.cards["formats"].badge.provenance is Provenance.MEASURED_CPU
    assert [badge.provenance for badge in page.key_metrics.badges] == [Provenance.MEASURED_CPU, Provenance.MODELLED]
    assert [number.label for number in page.key_metrics.strips[1].numbers] == [
        "bits per parameter",
        "quantized (115 kB stored)",
    ]
    assert page.codebooks.rows[0].won.sum() == result.codebooks["nf4"].won.sum()
    assert len(page.formats_view.pareto.settings) == 12
    assert page.map_panel.map.grid is not None
    assert page.map_panel.map.grid.rows == len(tensors())
    worst = page.key_metrics.strips[0].numbers[-1]
    assert worst.label == "worst: L1 mlp.down_proj"
    assert worst.tone == "bad"


def test_that_a_tensor_is_selected_everywhere_and_a_second_click_lets_it_go(page: QuantizationPage) -> None:
    present(page)
    page.deployment_view.show_picture(REPORT)
    row = page.map_panel.map.grid.cells[WORST][0] if page.map_panel.map.grid else -1
    page.map_panel.map.chart.clicked.emit(50.0, row + 0.5)
    assert page.selection.selection.get("tensor") == WORST
    assert selected_cell(page) == (row, None)
    assert page.key_metrics.strips[0].numbers[-1].label == "L1 mlp.down_proj"
    assert page.key_metrics.numbers[1].value == "30%"
    page.map_panel.views.choose(LAYERS)
    assert selected_cell(page) == (1, 1)
    page.map_panel.views.choose(EVERY_FORMAT)
    assert np.allclose(page.map_panel.map.grid.values[0], 30.0) if page.map_panel.map.grid else False
    page.map_panel.views.choose(TENSORS)
    page.map_panel.map.chart.clicked.emit(50.0, row + 0.5)
    assert "tensor" not in page.selection.selection
    assert page.map_panel.map.row is None


def test_that_a_tensor_of_the_table_is_lit_in_the_map_and_escape_lets_it_go(page: QuantizationPage) -> None:
    present(page)
    page.deployment_view.report.tensor_picked.emit(WORST)
    assert page.map_panel.map.row is not None
    assert page.dismiss()
    assert page.map_panel.map.row is None
    assert not page.dismiss()


def test_that_arrows_walk_over_layers_and_kinds_and_stay_at_the_edge(page: QuantizationPage) -> None:
    present(page)
    page.map_panel.views.choose(LAYERS)
    page.selection.update(tensor=WORST)
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Up):
        QTest.keyClick(page.map_panel.map.pad, key)
    assert page.selection.selection.get("tensor") == "model.layers.2.self_attn.q_proj.weight"
    assert selected_cell(page) == (0, 2)


def test_that_worst_first_puts_the_worst_on_top_and_names_it(page: QuantizationPage) -> None:
    present(page)
    page.map_panel.order.click()
    grid = page.map_panel.map.grid
    assert grid is not None
    assert grid.key(0, 0) == WORST
    assert grid.highlighted[0] == 0
    assert WORST in grid.read(0, 5)
    assert "rank 1 of 7 by error" in grid.read(0, 5)
    assert grid.names[0] == "L1 mlp.down_proj"


def test_that_a_report_in_the_making_grows_and_keeps_the_selection(page: QuantizationPage) -> None:
    for count in (0, 1, 5, 7):
        page.show_partial(checkpoint_result(params(page), count, samples=False))
        if count == 5:
            page.deployment_view.report.tensor_picked.emit(WORST)
        expected = Provenance.MEASURED_CPU if count else Provenance.MODELLED
        assert page.key_metrics.badges[0].provenance is expected
        assert page.cards["codebooks"].badge.provenance is Provenance.MODELLED
    assert page.map_panel.map.grid is not None
    assert page.map_panel.map.grid.rows == 7
    page.show_partial(checkpoint_result(params(page), 2, samples=False))  # a new run has begun
    assert page.selection.selection.get("tensor") == WORST
    assert page.map_panel.map.row is None
    page.show_result(checkpoint_result(params(page), 2))
    assert "tensor" not in page.selection.selection  # the whole report does not have it


def test_that_another_format_or_preset_makes_nothing_stale_but_other_blocks_do(page: QuantizationPage) -> None:
    present(page)
    page.form.propose(params(page).changed(format="int8", model_preset="llama-7b"))
    assert not page.cards["map"].property("stale")
    assert page.cards["codebooks"].badge.provenance is Provenance.MEASURED_CPU
    page.form.propose(params(page).changed(block_size=256))
    assert page.cards["map"].property("stale")
    assert page.cards["codebooks"].badge.provenance is Provenance.MODELLED
    assert page.map_panel.map.grid is not None
    assert page.map_panel.map.grid.rows == len(tensors())  # the last run, marked
    page.deployment_view.show_picture(REPORT)
    assert page.cards["practice"].property("stale")
    page.deployment_view.show_picture(MODEL)
    assert not page.cards["practice"].property("stale")
    page.form.propose(params(page).changed(block_size=64))
    assert not page.cards["map"].property("stale")


def test_that_what_needs_a_run_says_so_in_one_sentence(page: QuantizationPage) -> None:
    page.map_panel.views.choose(TENSORS)
    page.formats_view.show_picture(OUTLIERS)
    page.deployment_view.show_picture(OUTPUTS)
    for figure in (page.map_panel.map, page.formats_view.outliers, page.deployment_view.outputs):
        assert figure.is_empty
        assert "Run (F5)" in figure.empty_sentence
    page.formats_view.show_picture(DISTRIBUTION)
    assert page.formats_view.distributions.curves.is_empty
    page.form.propose(params(page).changed(outputs=False))
    assert "Turn on Effect on outputs" in page.deployment_view.outputs.empty_sentence
    present(page)
    page.formats_view.show_picture(OUTLIERS)
    assert not page.formats_view.outliers.is_empty
    page.formats_view.show_picture(DISTRIBUTION)
    page.formats_view.distributions.buttons.choose(3)
    assert page.formats_view.distributions.distribution == "uniform"
    assert not page.formats_view.distributions.curves.is_empty
    page.withdraw()
    page.formats_view.show_picture(OUTLIERS)
    assert page.formats_view.outliers.is_empty


def test_that_timed_kernels_are_compared_and_untimed_ones_are_not(page: QuantizationPage) -> None:
    page.deployment_view.show_picture(KERNELS)
    kernels = page.deployment_view.kernels
    assert "Turn on Benchmark kernels" in kernels.comparison.empty_sentence
    page.form.propose(params(page).changed(kernels=False, timing=True))  # timed without being traced
    assert kernels.comparison.empty_sentence.startswith("Run (F5) to compare")
    page.form.undo_stack.undo()
    row = WeightImplResult("bitsandbytes", "bitsandbytes", "cpu", time_ms=2.0, rms_error=1e-8, operation="dequantize")
    page.present(replace(checkpoint_result(params(page)), comparison=(row,)), {})
    assert [row.name for row in kernels.comparison.rows] == ["dequantize · bitsandbytes"]
    assert page.cards["practice"].badge.provenance is Provenance.MEASURED_CPU
    page.form.propose(params(page).changed(block_size=512))
    assert page.cards["practice"].property("stale")


def test_that_differing_codes_are_shown_even_without_timing(page: QuantizationPage) -> None:
    page.deployment_view.show_picture(KERNELS)
    assert page.cards["practice"].badge.provenance is None
    result = checkpoint_result(params(page))
    rows = (
        Agreement("nf4", 64, "numpy", 16384, "emulated", differing_codes=3),
        Agreement("int8", 64, "numpy", 16384, "emulated"),
        Agreement("nf4", 64, "bitsandbytes", 16384, "emulated", differing_codes=0),
    )
    page.present(replace(result, agreement=rows), {})
    assert page.deployment_view.kernels.comparison.is_empty
    assert page.deployment_view.kernels.agreement.text().splitlines() == [
        "Codes that differ between Triton (traced) and numpy, of 16,384 per format: NF4\N{NO-BREAK SPACE}3, "
        "INT8 not compared.",
        "Codes that differ between Triton (traced) and bitsandbytes, of 16,384 per format: NF4\N{NO-BREAK SPACE}0.",
    ]
    assert page.cards["practice"].badge.provenance is Provenance.TRACED
    page.form.propose(params(page).changed(block_size=512))
    assert page.cards["practice"].property("stale")


def test_that_a_run_without_errors_of_the_selected_tensor_draws_no_other_one_under_its_name(
    page: QuantizationPage,
) -> None:
    present(page)
    page.map_panel.views.choose(EVERY_FORMAT)
    page.deployment_view.report.tensor_picked.emit("model.norm.weight")
    assert page.map_panel.map.is_empty
    assert "no errors of model.norm.weight" in page.map_panel.map.empty_sentence
    assert page.cards["map"].badge.provenance is None
    page.form.propose(params(page).changed(block_size=256))  # no run fits: what is drawn is the sample, and says so
    assert not page.map_panel.map.is_empty
    assert page.map_panel.facts.toolTip() == "sample of normal"
    assert page.cards["map"].badge.provenance is Provenance.MODELLED


def test_that_each_picture_of_a_run_is_stale_when_its_own_parameters_changed(page: QuantizationPage) -> None:
    page.form.propose(params(page).changed(double_quantization=False))
    result = present(page)
    scales = NestedScales("normal", 64, 256, np.full(4, 2.0), np.zeros(4, np.uint8), np.full(4, 2.0))
    page.present(replace(result, scales=scales), {})
    assert page.cards["practice"].badge.provenance is Provenance.MEASURED_CPU
    page.form.propose(params(page).changed(nested_block=64))
    assert page.cards["practice"].badge.provenance is Provenance.MODELLED
    assert page.cards["codebooks"].badge.provenance is Provenance.MEASURED_CPU
    page.formats_view.show_picture(OUTLIERS)
    assert not page.cards["formats"].property("stale")
    page.form.propose(params(page).changed(blocks=128))
    assert not page.cards["formats"].property("stale")  # outliers are grown among weights of their own number
    page.form.propose(params(page).changed(seed=7))
    assert page.cards["formats"].property("stale")


def test_that_outliers_show_the_error_of_the_other_weights(page: QuantizationPage) -> None:
    present(page)
    page.formats_view.show_picture(OUTLIERS)
    text = page.formats_view.outliers.describe(np.log10(64.0), 0.0) or ""
    assert "NF4: 80.0%" in text  # the fixture's errors of the others grow with the root of the outliers
    assert page.formats_view.outliers.chart.getAxis("left").labelText == "error of the other weights"


def test_that_a_code_is_picked_and_let_go(page: QuantizationPage) -> None:
    page.codebooks.code_picked.emit(5)
    assert page.codebooks.code == 5
    page.codebooks.code_picked.emit(5)
    assert page.codebooks.code is None


def test_that_a_checkpoint_that_cannot_be_opened_is_marked_at_its_field(page: QuantizationPage) -> None:
    page.form.fields["checkpoint"].edited.emit("/nowhere/model.safetensors")
    assert "/nowhere/model.safetensors" in page.form.fields["checkpoint"].problem
    assert not page.codebooks.is_empty
    page.form.undo_stack.undo()
    assert page.form.fields["checkpoint"].problem == ""


def test_that_no_compared_formats_leave_the_chosen_one(page: QuantizationPage) -> None:
    page.form.propose(params(page).changed(compare="int4"))
    assert [row.id for row in page.codebooks.rows] == ["nf4", "int4"]
    present(page)
    page.form.propose(params(page).changed(compare="int8"))  # the run did not measure it
    assert page.cards["codebooks"].badge.provenance is Provenance.MODELLED


def test_that_a_result_without_numbers_is_drawn(page: QuantizationPage) -> None:
    page.show_partial(QuantizationResult(params=params(page)))
    for formats in (SIZES, ERRORS, OUTLIERS, DISTRIBUTION):
        page.formats_view.show_picture(formats)
        page.deployment_view.show_picture(formats)
    assert page.key_metrics.badges[0].provenance is Provenance.MODELLED


def test_that_both_themes_draw(page: QuantizationPage, qapp: Any) -> None:
    from gui import theme

    present(page)
    dark = page.grab().toImage()
    theme.apply(qapp, "light")
    assert page.grab().toImage() != dark
    theme.apply(qapp, "dark")
