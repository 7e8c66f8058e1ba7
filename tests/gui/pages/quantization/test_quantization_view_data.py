"""Plans and results of quantization in the terms of the plots: which run fits, numbers, maps by tensor and layer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.checkpoint.report import TensorErrors
from core.checkpoint.tensor_table import FormatReport, MapRow
from core.contracts.result import Provenance
from core.topics.quantization.params import FORMATS, QuantizationParams
from core.topics.quantization.plan import plan
from core.topics.quantization.result import QuantizationResult
from gui.pages.quantization import key_metrics, view_data
from gui.pages.quantization.error_maps import describe, error_scale, format_grid, layer_grid, tensor_grid
from tests.gui.pages.quantization.quantization_result import LAYERS, WORST, checkpoint_result, tensors, with_tensors

PARAMS = QuantizationParams(blocks=16)
OF_FILE = PARAMS.changed(checkpoint="some.safetensors")


def report(result: QuantizationResult) -> FormatReport:
    of_nf4 = result.report("nf4")
    assert of_nf4 is not None
    return of_nf4


@pytest.mark.parametrize(
    ("changes", "still"),
    [
        ({}, True),
        ({"format": "int4"}, True),
        ({"compare": "int4, int8"}, True),
        ({"model_preset": "mistral-7b", "outputs": False}, True),
        ({"block_size": 128}, False),
        ({"double_quantization": False}, False),
        ({"nested_block": 64}, False),
        ({"outlier_share": 0.01}, False),
        ({"seed": 1}, False),
        ({"checkpoint": "other.safetensors"}, False),
    ],
)
def test_that_a_run_fits_while_weights_blocks_and_formats_are_those_that_it_measured(
    changes: dict[str, Any], still: bool
) -> None:
    assert checkpoint_result(PARAMS, 1, samples=False).is_run_of(PARAMS.changed(**changes)) is still


def test_that_a_distribution_does_not_matter_beside_a_checkpoint_and_a_missing_format_does() -> None:
    of_checkpoint = PARAMS.changed(checkpoint="some.safetensors", compare="int4")
    result = checkpoint_result(of_checkpoint, 1, samples=False)
    assert result.is_run_of(of_checkpoint.changed(seed=5, distribution="laplace"))
    assert not result.is_run_of(of_checkpoint.changed(compare="int8"))
    assert not result.is_run_of(of_checkpoint.changed(checkpoint=""))


def test_that_scales_outliers_and_outputs_hang_on_parameters_of_their_own() -> None:
    assert not PARAMS.changed(nested_block=64).asks_for_the_scales_of(PARAMS)
    plain = PARAMS.changed(double_quantization=False)
    assert plain.changed(nested_block=64).needs_same_run_as(plain)
    assert not plain.changed(nested_block=64).asks_for_the_scales_of(plain)
    assert PARAMS.changed(blocks=32, checkpoint="a", outlier_share=0.01).asks_for_the_outliers_of(PARAMS)
    assert not PARAMS.changed(seed=1).asks_for_the_outliers_of(PARAMS)
    assert not PARAMS.changed(text_tokens=600).asks_for_the_outputs_of(PARAMS)
    assert PARAMS.changed(text_tokens=600).needs_same_run_as(PARAMS)


@given(st.sampled_from(list(FORMATS)), st.sampled_from([16, 64, 512]), st.booleans())
@settings(max_examples=12, deadline=None)
def test_that_the_setting_in_force_is_a_point_of_the_sweep(name: str, block_size: int, nested: bool) -> None:
    params = PARAMS.changed(format=str(name), block_size=block_size, double_quantization=nested)
    keys = {setting.key for setting in view_data.settings(plan(params).sweep)}
    assert view_data.current_setting(params) in keys


def test_that_before_a_run_the_numbers_are_of_all_the_weights_in_the_chosen_format() -> None:
    planned = plan(PARAMS.changed(format="int8"))
    ((provenance, numbers),) = key_metrics.groups(planned, None, None)
    labels = {number.label: number.value for number in numbers}
    assert provenance is Provenance.MODELLED
    assert labels["SNR of INT8"].startswith("4")
    assert labels["bits per parameter"] == "8.127"
    assert labels["quantized (4.10 kB stored)"] == "1.04 kB"
    assert "LLaMA 65B in INT8" in labels


def test_that_what_nan_or_inf_costs_comes_before_the_worst_tensor() -> None:
    result = checkpoint_result(PARAMS, samples=False)
    result = replace(result, totals=tuple(replace(row, nonfinite=12, lost=700) for row in result.totals))
    (_, errors), (_, sizes) = key_metrics.groups(plan(PARAMS), result, None)
    last = errors[-1]
    assert (last.value, last.label, last.tone) == ("700", "lost to NaN or inf", "bad")
    assert "12 weights are NaN or inf" in last.detail
    assert all("Modelled" in number.detail for number in sizes)
    assert not any("Modelled" in number.detail for number in errors)


def test_that_codebooks_keep_their_order_whatever_is_chosen() -> None:
    for name in FORMATS:
        rows = view_data.codebooks(plan(PARAMS.changed(format=name.value)), None)
        assert [row.id for row in rows] == [found.value for found in FORMATS]
        assert all(row.won.sum() == 16 * 64 or row.won.sum() > 0 for row in rows)


def test_that_a_map_of_layers_has_a_row_a_kind_and_reads_its_tensor() -> None:
    grid = layer_grid(report(checkpoint_result(PARAMS)))
    assert grid is not None
    assert grid.names == ("self_attn.q_proj", "mlp.down_proj")
    assert grid.values.shape == (2, LAYERS)
    assert grid.values[1].tolist() == pytest.approx([10, 30, 10])
    assert grid.key(1, 1) == WORST
    assert grid.cells[WORST] == (1, 1)
    assert grid.read(1, 1).startswith(WORST)
    assert grid.column_at(1.4) == 1
    assert all(grid.key(*grid.cells[name]) == name for name, layer, _ in tensors() if layer >= 0)


def test_that_layers_far_apart_take_a_column_each_and_are_named() -> None:
    result = with_tensors(
        checkpoint_result(OF_FILE), lambda row: replace(row, layer=99_999_999_999 if row.layer == 2 else row.layer)
    )
    grid = layer_grid(report(result))
    assert grid is not None
    assert grid.values.shape == (2, LAYERS)
    assert grid.x_ticks == ((0.0, "0"), (1.0, "1"), (2.0, "99999999999"))
    assert grid.key(0, 2) == "model.layers.2.self_attn.q_proj.weight"
    assert "left out" in grid.x_name


def test_that_layers_from_another_than_the_first_keep_their_numbers() -> None:
    result = with_tensors(
        checkpoint_result(OF_FILE), lambda row: replace(row, layer=row.layer + 4 if row.layer >= 0 else row.layer)
    )
    grid = layer_grid(report(result))
    assert grid is not None
    assert (grid.x_range, grid.x_ticks) == ((3.5, 6.5), ())
    assert grid.column_at(5.0) == 1


def test_that_tensors_without_an_error_or_a_layer_have_their_place() -> None:
    def without_error(row: TensorErrors) -> TensorErrors:
        return row if row.tensor == WORST else replace(row, relative_rmse=None, snr_db=None)

    of_nf4 = report(with_tensors(checkpoint_result(PARAMS), without_error))
    ordered = tensor_grid(of_nf4, worst_first=True)
    assert ordered is not None
    assert ordered.key(0, 0) == WORST
    assert sorted(ordered.cells) == sorted(name for name, _, _ in tensors())
    assert "only zeros" in describe(of_nf4, tensors()[0][0])
    layers = layer_grid(of_nf4)
    assert layers is not None
    assert np.isfinite(layers.values).sum() == 1
    assert layer_grid(report(checkpoint_result(PARAMS, 1))) is None


def test_that_one_bad_block_does_not_take_all_the_colours() -> None:
    values = np.full((200, 64), 9.0)
    values += np.linspace(0, 1, 64)
    values[0, 0] = 500.0
    assert error_scale(values).limits[1] < 11
    assert error_scale(values[:1]).limits[1] > 100
    assert error_scale(np.full((1, 4), np.nan)).limits == (0.0, 1.0)


def test_that_equal_errors_are_not_stretched_over_all_the_colours() -> None:
    low, high = error_scale(np.full((2, 4), 9.0)).limits
    assert low < 9.0 < high


def test_that_the_scale_of_errors_says_percent_and_what_lies_beyond() -> None:
    scale = error_scale(np.linspace(9.0, 10.0, 99))
    top, middle, bottom = (text for _, text in scale.ticks)
    assert top.startswith("≥")
    assert bottom.startswith("≤")
    assert middle.endswith("%")


def test_that_the_map_of_formats_is_of_the_selected_tensor_or_of_the_sample() -> None:
    planned, result = plan(PARAMS), checkpoint_result(OF_FILE)
    of_worst = format_grid(planned, result, WORST)
    assert of_worst.values[0] == pytest.approx(30.0)
    assert of_worst.values[-1] == pytest.approx(1.5)
    assert WORST not in of_worst.cells
    assert of_worst.key(5, 3) == "int8"
    of_sample = format_grid(planned, None, WORST)
    assert np.array_equal(of_sample.values[0], 100 * planned.errors_in(of_sample.key(0, 0) or "").map_row,
                          equal_nan=True)  # fmt: skip
    assert "normal" in of_sample.read(0, 0)


def test_that_stretches_of_one_drawn_tensor_are_one_row_of_each_format() -> None:
    params = PARAMS.changed(blocks=150)
    whole = with_tensors(checkpoint_result(params, 1, samples=False), lambda row: replace(row, tensor="weights"))
    maps = {name: np.repeat(of_format, 3, axis=0) for name, of_format in whole.error_maps.items()}
    result = replace(whole, error_maps=maps)
    assert result.map_rows == tuple(
        MapRow("weights", -1, "weights", (begin, min(begin + 63, 149))) for begin in (0, 64, 128)
    )
    grid = format_grid(plan(params), result, None)
    assert grid.values.shape == (6, 150)  # columns behind the last block are none
    assert (grid.x_name, grid.x_range) == ("block", (0.0, 150.0))
    assert grid.read(0, 11).startswith("NF4, block 11: ")
    stretches = tensor_grid(report(result), worst_first=False)
    assert stretches is not None
    assert stretches.names[1] == "blocks 64 to 127"
    assert stretches.read(1, 0).splitlines()[1] == "blocks 64 to 127"
    assert "block 64: " in stretches.read(1, 0)
    assert stretches.x_name == "block of the row"
    assert view_data.is_of_one_tensor(result)
