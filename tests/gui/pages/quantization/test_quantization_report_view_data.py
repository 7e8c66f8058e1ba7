"""Plans and results of quantization in the terms of the report's pictures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.checkpoint.nested_scales import NestedScales
from core.checkpoint.report import TensorErrors
from core.checkpoint.tensor_table import TensorTable
from core.contracts.errors import TilescopeError
from core.model_presets import PRESETS
from core.topics.quantization.params import QuantizationParams
from core.topics.quantization.plan import plan
from core.topics.quantization.result import OutputLoss, QuantizationResult
from gui.pages.quantization import view_data
from gui.pages.quantization.deployment_rows import loss_rows

ROW = TensorErrors(
    tensor="model.layers.0.mlp.up_proj.weight", layer=0, kind="mlp.up_proj", shape="64 x 32", dtype="F32",
    elements=2048, bytes=8192, nonfinite=0, std=0.02, absmax=0.1, kurtosis=3.0, max_over_sigma=4.0, format="nf4",
    snr_db=20.6, relative_rmse=0.093, max_abs_error=0.01, bits_per_parameter=4.127, quantized_bytes=1057,
    signal_power=1.0, error_power=0.01,
)  # fmt: skip
OUTPUT = OutputLoss("small model", "", 1.8, None, 6.05, 0.0, None, 4096, 0, 32.0)


def result(params: QuantizationParams | None = None, **fields: Any) -> QuantizationResult:
    return QuantizationResult(params=params or QuantizationParams(), **fields)


def test_that_the_preset_adds_up_to_what_the_plan_says() -> None:
    for preset, architecture in PRESETS.items():
        reference, *in_formats = plan(QuantizationParams(model_preset=preset)).memory
        assert reference.format is None
        assert reference.bytes == 2 * architecture.parameters
        for memory in in_formats:
            bits = architecture.linear_parameters * memory.bits_per_parameter + architecture.other_parameters * 16
            assert memory.bytes == pytest.approx(bits / 8)


def test_that_memories_ascend_and_each_is_of_a_known_gpu() -> None:
    memories = plan(QuantizationParams()).gpu_memories
    sizes = [memory.bytes for memory in memories]
    assert sizes == sorted(set(sizes))
    assert {24e9, 80e9} <= set(sizes)
    assert "H100" in next(memory.label for memory in memories if memory.bytes == 80e9)


@given(st.sampled_from([16, 64, 1024, 4096]), st.sampled_from([16, 256, 4096]))
@settings(max_examples=12, deadline=None)
def test_that_scales_ascend_and_every_one_is_counted(block_size: int, nested_block: int) -> None:
    params = QuantizationParams(block_size=block_size, nested_block=nested_block)
    scales = plan(params).scales
    assert np.array_equal(scales.ascending.absmax, np.sort(scales.absmax).astype(np.float64))
    assert scales.code_counts.sum() == scales.ascending.errors[0].sum() == len(scales.absmax)
    assert scales.ascending.relative_rmse == pytest.approx(scales.relative_rmse)
    assert scales.nested_bits == scales.plain_bits - scales.saved_bits


def test_that_qlora_s_case_is_half_a_bit_to_an_eighth() -> None:
    scales = plan(QuantizationParams()).scales
    assert (scales.tensor, scales.plain_bits, round(scales.nested_bits, 3)) == ("normal", 0.5, 0.127)


def test_that_a_scale_of_zero_has_no_relative_error() -> None:
    absmax, restored = np.array([2.0, 1.0, 0.0], np.float32), np.array([2.02, 1.0, 0.0], np.float32)
    scales = NestedScales("a", 128, 256, absmax, np.array([9, 5, 0], np.uint8), restored).ascending
    assert scales.absmax.tolist() == [0.0, 1.0, 2.0]
    assert scales.codes.tolist() == [0, 5, 9]
    counts, edges = scales.errors
    assert counts.sum() == 2
    assert edges[-1] == pytest.approx(1.0, rel=1e-4)


def test_that_losses_keep_what_is_not_a_number_apart() -> None:
    lost = replace(OUTPUT, format="nf4", loss=None, perplexity=None, loss_increase=None)
    (band,) = loss_rows((OUTPUT, lost)).bands
    assert band.heads[0].startswith("unquantized: loss 1.800")
    assert [row.name for row in band.rows] == ["NF4"]
    assert "NaN or inf" in band.rows[0].read_out
    assert loss_rows(()).bands == ()


def test_that_the_standard_error_is_that_of_the_increase() -> None:
    (band,) = loss_rows((replace(OUTPUT, format="int4", loss_stderr=0.5, increase_stderr=0.01),)).bands
    assert band.rows[0].cells[0].error == 0.01


def test_that_before_a_run_only_what_headers_tell_is_shown() -> None:
    planned = plan(QuantizationParams())
    before = view_data.report_rows(planned, None)
    assert (len(before.tensors), before.layers, before.skipped) == (0, (), ())
    assert view_data.saver(None) is None
    after = view_data.report_rows(planned, result(tensors=TensorTable.of([ROW]), outputs=(OUTPUT,)))
    assert after.tensors.rows == (ROW,)
    assert after.skipped == ()


def test_that_a_checkpoint_lists_what_it_skips_before_any_run(tmp_path: Path) -> None:
    stored = {
        "a.weight": {"dtype": "F32", "shape": [2, 64], "data_offsets": [0, 512]},
        "ids": {"dtype": "I64", "shape": [2], "data_offsets": [512, 528]},
    }
    header = json.dumps(stored).encode()
    file = tmp_path / "one.safetensors"
    file.write_bytes(len(header).to_bytes(8, "little") + header + np.ones(128, np.float32).tobytes() + bytes(16))
    planned = plan(QuantizationParams(checkpoint=str(file)))
    assert not planned.problem
    assert [row.tensor for row in view_data.report_rows(planned, None).skipped] == ["ids"]
    assert (planned.scales.tensor, planned.scales.absmax.tolist()) == ("a.weight", [1.0, 1.0])


@pytest.mark.parametrize("suffix", [".csv", ".json", ".md"])
def test_that_a_saved_report_names_its_tensors(tmp_path: Path, suffix: str) -> None:
    write = view_data.saver(result(tensors=TensorTable.of([ROW])))
    assert write is not None
    write(tmp_path / f"report{suffix}")
    assert ROW.tensor in (tmp_path / f"report{suffix}").read_text(encoding="utf-8")
    assert len(list(tmp_path.iterdir())) == 1


def test_that_a_report_that_cannot_be_saved_is_one_sentence(tmp_path: Path) -> None:
    write = view_data.saver(result())
    assert write is not None
    with pytest.raises(TilescopeError, match="could not be saved"):
        write(tmp_path / "missing" / "report.csv")
