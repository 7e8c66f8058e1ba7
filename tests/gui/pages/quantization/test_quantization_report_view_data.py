"""Plans and results of quantization in the terms of the report's pictures."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.contracts.errors import TilescopeError
from core.contracts.result import Environment, Result
from core.model_presets import PRESETS
from core.topics.quantization.model.plan import plan
from core.topics.quantization.params import QuantizationParams
from gui.pages.quantization import report_figures

ROW = {
    "tensor": "model.layers.0.mlp.up_proj.weight",
    "layer": 0,
    "kind": "mlp.up_proj",
    "shape": "64 x 32",
    "max_over_sigma": 4.0,
    "format": "nf4",
    "snr_db": 20.6,
    "relative_rmse": 0.093,
    "max_abs_error": 0.01,
    "bits_per_parameter": 4.127,
    "quantized_bytes": 1057,
}
OUTPUT = {
    "model": "small model",
    "format": "",
    "loss": 1.8,
    "perplexity": 6.05,
    "loss_increase": 0.0,
    "increase_stderr": None,
    "tokens": 4096,
    "quantized_layers": 0,
    "bits_per_parameter": 32.0,
}


def result(params: QuantizationParams | None = None, **changes: Any) -> Result:
    params = params or QuantizationParams()
    return Result("quantization", params.model_dump(mode="json"), Environment("cpu", "none"), {}, **changes)


def test_that_the_preset_adds_up_to_what_the_plan_says() -> None:
    for preset in PRESETS:
        made = plan(QuantizationParams(model_preset=preset))
        rows = report_figures.budget(made)
        assert [row.bytes for row in rows] == pytest.approx([found.bytes for found in made.memory])
        assert rows[0].format == ""
        assert rows[0].bytes == 2 * PRESETS[preset].parameters


def test_that_memories_ascend_and_each_is_of_a_known_gpu() -> None:
    memories = report_figures.memories()
    sizes = [memory.bytes for memory in memories]
    assert sizes == sorted(set(sizes))
    assert {24e9, 80e9} <= set(sizes)
    assert "H100" in next(memory.label for memory in memories if memory.bytes == 80e9)


@given(st.sampled_from([16, 64, 1024, 4096]), st.sampled_from([16, 256, 4096]), st.booleans())
@settings(max_examples=12, deadline=None)
def test_that_scales_ascend_and_every_one_is_counted(block_size: int, nested_block: int, used: bool) -> None:
    params = QuantizationParams(block_size=block_size, nested_block=nested_block, double_quantization=used)
    made = plan(params)
    picture = report_figures.scales(made, None)
    assert picture is not None
    assert np.array_equal(picture.absmax, np.sort(made.scales.absmax).astype(np.float64))
    assert picture.code_counts.sum() == picture.error_counts.sum() == len(picture.absmax)
    assert picture.nested_bits == pytest.approx(made.scales.nested_bits)
    assert picture.plain_bits == made.scales.plain_bits
    assert picture.relative_rmse == made.scales.relative_rmse
    assert picture.used == used


def test_that_qlora_s_case_is_half_a_bit_to_an_eighth() -> None:
    picture = report_figures.scales(plan(QuantizationParams()), None)
    assert picture is not None
    assert (picture.plain_bits, round(picture.nested_bits, 3)) == (0.5, 0.127)


def test_that_the_scales_of_a_run_take_the_place_of_the_plan_s() -> None:
    arrays = {
        "scales.absmax": np.array([2.0, 1.0, 0.0], np.float32),
        "scales.codes": np.array([9, 5, 0], np.uint8),
        "scales.restored": np.array([2.02, 1.0, 0.0], np.float32),
    }
    params = QuantizationParams(block_size=128)
    picture = report_figures.scales(plan(QuantizationParams()), result(params, arrays=arrays))
    assert picture is not None
    assert picture.absmax.tolist() == [0.0, 1.0, 2.0]
    assert picture.codes.tolist() == [0, 5, 9]
    assert picture.block_size == 128
    assert picture.error_counts.sum() == 2
    assert picture.error_edges[-1] == pytest.approx(1.0, rel=1e-4)


def test_that_outcomes_keep_what_is_not_a_number_apart() -> None:
    lost = {**OUTPUT, "format": "nf4", "loss": None, "perplexity": None, "loss_increase": None}
    reference, found = report_figures.outcomes(result(tables={"outputs": [OUTPUT, lost]}))
    assert (reference.label, found.label) == ("as it is", "NF4")
    assert reference.is_number
    assert math.isnan(found.loss)
    assert not found.is_number
    assert report_figures.outcomes(None) == ()
    assert report_figures.outcomes(result()) == ()


def test_that_the_standard_error_is_that_of_the_increase() -> None:
    row = {**OUTPUT, "format": "int4", "loss_stderr": 0.5, "increase_stderr": 0.01}
    assert report_figures.outcomes(result(tables={"outputs": [row]}))[0].stderr == 0.01


def test_that_before_a_run_only_what_headers_tell_is_shown() -> None:
    made = plan(QuantizationParams())
    assert report_figures.report_tables(made, None) == {}
    assert report_figures.saver(None) is None
    tables = report_figures.report_tables(made, result(tables={"tensors": [ROW], "outputs": [OUTPUT]}))
    assert list(tables["tensors"]) == [ROW]
    assert tables["skipped"] == []


def test_that_a_checkpoint_lists_what_it_skips_before_any_run(tmp_path: Path) -> None:
    stored = {
        "a.weight": {"dtype": "F32", "shape": [2, 64], "data_offsets": [0, 512]},
        "ids": {"dtype": "I64", "shape": [2], "data_offsets": [512, 528]},
    }
    header = json.dumps(stored).encode()
    file = tmp_path / "one.safetensors"
    file.write_bytes(len(header).to_bytes(8, "little") + header + np.ones(128, np.float32).tobytes() + bytes(16))
    made = plan(QuantizationParams(checkpoint=str(file)))
    assert made.problem == ""
    tables = report_figures.report_tables(made, None)
    assert [row["tensor"] for row in tables["skipped"]] == ["ids"]
    picture = report_figures.scales(made, None)
    assert picture is not None
    assert (picture.tensor, picture.absmax.tolist()) == ("a.weight", [1.0, 1.0])


@pytest.mark.parametrize("suffix", [".csv", ".json", ".md"])
def test_that_a_saved_report_names_its_tensors(tmp_path: Path, suffix: str) -> None:
    write = report_figures.saver(result(tables={"tensors": [ROW]}))
    assert write is not None
    write(tmp_path / f"report{suffix}")
    assert ROW["tensor"] in (tmp_path / f"report{suffix}").read_text(encoding="utf-8")
    assert len(list(tmp_path.iterdir())) == 1


def test_that_a_report_that_cannot_be_saved_is_one_sentence(tmp_path: Path) -> None:
    write = report_figures.saver(result())
    assert write is not None
    with pytest.raises(TilescopeError, match="could not be saved"):
        write(tmp_path / "missing" / "report.csv")
