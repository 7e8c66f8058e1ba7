"""Errors as sums, as rows, and as text to keep."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from core.checkpoint.errors import MAP_COLUMNS, FormatErrors, WeightSums, by_column
from core.checkpoint.export import SUFFIXES, exported
from core.checkpoint.names import layer_and_kind
from core.checkpoint.opening import open_checkpoint
from core.checkpoint.report import TensorErrors, layer_rows, skipped_rows, tensor_rows, total_rows, worst_rows
from core.checkpoint.resume_cache import VERSION, ResumeCache
from tests.checkpoint.files import normal


def sums(values: np.ndarray) -> WeightSums:
    return WeightSums(len(values), 0, tuple(float((values**p).sum()) for p in range(1, 5)), float(abs(values).max()))


def errors(power: float, error: float, elements: int = 64, bits: float = 4.5) -> FormatErrors:
    columns = np.zeros((2, MAP_COLUMNS))
    columns[:, 0] = power, error
    return FormatErrors(elements, columns[0], columns[1], math.sqrt(error), bits * elements, block_snr_db=math.inf)


@pytest.mark.parametrize(
    ("name", "layer", "kind"),
    [
        ("model.layers.12.mlp.down_proj.weight", 12, "mlp.down_proj"),
        ("transformer.h.0.attn.c_attn.bias", 0, "attn.c_attn.bias"),
        ("model.layers.3.mlp.experts.7.w1.weight", 3, "mlp.experts.7.w1"),
        ("model.embed_tokens.weight", -1, "model.embed_tokens"),
        ("0.weight", 0, "weight"),
        ("v1.block2.weight", -1, "v1.block2"),
        ("", -1, ""),
        ("h.99999.weight", 99999, "weight"),
        ("h.99999999999.weight", -1, "h.99999999999"),
        (f"h.{'9' * 5000}.3.weight", 3, "weight"),
        ("h.\u0663.weight", -1, "h.\u0663"),
    ],
)
def test_that_a_name_tells_layer_and_kind(name: str, layer: int, kind: str) -> None:
    assert layer_and_kind(name) == (layer, kind)


def test_that_moments_are_those_of_numpy() -> None:
    values = np.random.default_rng(0).standard_t(5, 10_000) + 0.5
    moments = sums(values[:63]) + sums(values[63:])
    centred = values - values.mean()
    assert moments.mean == pytest.approx(values.mean(), rel=1e-12)
    assert moments.std == pytest.approx(values.std(), rel=1e-12)
    assert moments.kurtosis == pytest.approx((centred**4).mean() / (centred**2).mean() ** 2, rel=1e-9)
    assert moments.max_over_sigma == pytest.approx(abs(values).max() / values.std(), rel=1e-12)


def test_that_moments_of_nothing_and_of_a_constant_are_no_numbers() -> None:
    for moments in (WeightSums(), WeightSums(elements=3, nonfinite=3), sums(np.full(1000, 0.1)), sums(np.zeros(5))):
        assert math.isnan(moments.kurtosis)
    assert math.isnan(WeightSums().std)
    assert math.isnan(sums(np.zeros(5)).max_over_sigma)


@given(st.integers(1, 300), st.data())
def test_that_blocks_go_to_the_same_columns_in_any_slices(blocks: int, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, blocks))
    values = np.arange(1.0, blocks + 1)
    whole = by_column(values, 0, blocks)
    assert np.array_equal(by_column(values[:cut], 0, blocks) + by_column(values[cut:], cut, blocks), whole)
    assert whole.sum() == pytest.approx(values.sum(), rel=1e-12)
    assert (whole > 0).all(), "no column of the map is empty"


@given(st.integers(1, 300), st.data())
def test_that_a_block_lies_as_far_into_the_map_as_into_its_tensor(blocks: int, data: st.DataObject) -> None:
    block = data.draw(st.integers(0, blocks - 1))
    (columns,) = np.nonzero(by_column(np.eye(blocks)[block], 0, blocks))
    assert columns[0] / MAP_COLUMNS == pytest.approx(block / blocks, abs=1 / MAP_COLUMNS)
    assert (columns[-1] + 1) / MAP_COLUMNS == pytest.approx((block + 1) / blocks, abs=1 / MAP_COLUMNS)


def test_that_errors_add_up_to_those_of_the_whole() -> None:
    both = errors(8, 2) + errors(2, 3, elements=36)
    assert both.snr_db == pytest.approx(10 * math.log10(2))
    assert both.relative_rmse == pytest.approx(math.sqrt(0.5))
    assert both.max_abs == math.sqrt(3)
    assert both.bits_per_parameter == pytest.approx(4.5)
    assert math.isinf(errors(1, 0).snr_db)
    assert math.isnan(errors(0, 0).snr_db)


def rows_of(tmp_path: Path) -> list[TensorErrors]:
    save_file({f"m.{n}.w.weight": normal(64, seed=n) for n in range(3)}, tmp_path / "a.safetensors")
    rows = []
    for number, tensor in enumerate(open_checkpoint(tmp_path / "a.safetensors").tensors):
        weights = sums(np.random.default_rng(number).standard_normal(64))
        rows += tensor_rows(tensor, weights, {"nf4": errors(10, 1 + number), "int4": errors(10, 0 if number else 3)})
    return rows


def test_that_rows_add_up_by_layer_and_in_all(tmp_path: Path) -> None:
    rows = rows_of(tmp_path)
    totals = {row.format: row for row in total_rows(rows)}
    assert totals["nf4"].snr_db == pytest.approx(10 * math.log10(30 / 6))
    assert totals["nf4"].worst_tensor == "m.2.w.weight"
    assert totals["nf4"].quantized_bytes == 3 * 36
    assert totals["nf4"].bits_per_parameter == 4.5
    assert [(row.layer, row.format) for row in layer_rows(rows)][:3] == [(0, "nf4"), (0, "int4"), (1, "nf4")]
    assert [row.tensor for row in worst_rows(rows, "nf4")] == [f"m.{n}.w.weight" for n in (2, 1, 0)]
    assert [row.tensor for row in worst_rows(rows, "int4")] == ["m.0.w.weight"], "no error is no worst"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_that_a_report_can_be_read_back(tmp_path: Path, suffix: str) -> None:
    rows = rows_of(tmp_path)
    save_file({"n|m": torch.arange(3)}, tmp_path / "b.safetensors")
    skipped = skipped_rows(open_checkpoint(tmp_path / "b.safetensors").skipped)
    tables = {"tensors": rows, "layers": layer_rows(rows), "totals": total_rows(rows), "skipped": skipped}
    text = exported(suffix, {"checkpoint": "a.safetensors", "block size": 64}, tables)
    if suffix == ".csv":
        read = list(csv.DictReader(io.StringIO(text)))
        assert [row["tensor"] for row in read] == [row.tensor for row in rows]
        assert float(read[0]["snr_db"]) == rows[0].snr_db
    elif suffix == ".json":
        assert json.loads(text)["tensors"] == json.loads(json.dumps(list(map(asdict, rows))))
        assert json.loads(text)["block size"] == 64
    else:
        for expected in ("# Quantization report", "block size: 64", "m.2.w.weight", "## Not measured", "| 0 | nf4 |"):
            assert expected in text


ABOUT = {"checkpoint": "a|b.safetensors", "block size": 64, "provenance": "measured (CPU)", "numpy": np.__version__}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_that_a_report_says_what_was_measured_and_how(tmp_path: Path, suffix: str) -> None:
    rows = rows_of(tmp_path)
    text = exported(suffix, ABOUT, {"tensors": rows, "totals": total_rows(rows), "layers": layer_rows(rows)})
    if suffix == ".csv":
        for row in csv.DictReader(io.StringIO(text)):
            assert {name: row[name] for name in ABOUT} == {name: str(value) for name, value in ABOUT.items()}
    elif suffix == ".json":
        assert {name: json.loads(text)[name] for name in ABOUT} == ABOUT
    else:
        for name, value in ABOUT.items():
            assert f"- {name}: {value}".replace("|", "\\|") in text


@pytest.mark.parametrize("name", ["=1+1", "@sum(a)", "-a", "+a", "a|b", "a\n| b", "<b>a", 'a",b', "ä", "'a"])
def test_that_no_name_is_more_than_text(tmp_path: Path, name: str) -> None:
    save_file({name: normal(64)}, tmp_path / "a.safetensors")
    (tensor,) = open_checkpoint(tmp_path / "a.safetensors").tensors
    rows = tensor_rows(tensor, sums(np.arange(5.0)), {"nf4": errors(10, 1)})
    tables = {"tensors": rows, "totals": total_rows(rows), "layers": layer_rows(rows)}
    (row,) = csv.DictReader(io.StringIO(exported(".csv", {}, tables), newline=""))
    assert row["tensor"] == (f"'{name}" if name[0] in "=@+-" else name)
    assert json.loads(exported(".json", {}, tables))["tensors"][0]["tensor"] == name
    lines = [line for line in exported(".md", {}, tables).splitlines() if "64" in line]
    assert [line.replace("\\|", "").count("|") for line in lines] == [9], "a table row of eight cells"
    assert "<b>" not in lines[0]


def test_that_json_holds_no_nan() -> None:
    row = SimpleNamespace(a=math.nan, b=-math.inf, c=1.5, d="nan")
    text = exported(".json", {}, {"tensors": [row]})
    assert json.loads(text) == {"tensors": [{"a": None, "b": None, "c": 1.5, "d": "nan"}]}


def test_that_a_report_of_nothing_is_text(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        assert isinstance(exported(suffix, {}, {}), str)


def test_that_finished_tensors_come_back_and_others_do_not(tmp_path: Path) -> None:
    save_file({"a": normal(64), "b": normal(64)}, tmp_path / "a.safetensors")
    first, second = open_checkpoint(tmp_path / "a.safetensors").tensors
    kept = ResumeCache(tmp_path / "cache")
    kept.keep(first, sums(np.arange(5.0)), {"nf4 64": errors(10, 1.5)})
    with next((tmp_path / "cache").iterdir()).open("ab") as file:
        file.write(b'[4, "b", "nf4 64", {"elem')  # killed while it wrote
    ResumeCache(tmp_path / "cache").keep(second, sums(np.arange(5.0)), {"fp4 64": errors(1, 1)})
    again = ResumeCache(tmp_path / "cache")
    assert again.errors(first, "nf4 64").as_json() == errors(10, 1.5).as_json()
    assert again.weights(first) == sums(np.arange(5.0))
    assert again.errors(second, "fp4 64") is not None
    assert again.errors(second, "nf4 64") is None
    assert again.errors(first, "nf4 128") is None
    assert not again.notice


def test_that_nothing_is_taken_for_a_file_that_was_written_again(tmp_path: Path) -> None:
    save_file({"a": normal(64)}, tmp_path / "a.safetensors")
    (before,) = open_checkpoint(tmp_path / "a.safetensors").tensors
    ResumeCache(tmp_path / "cache").keep(before, sums(np.arange(5.0)), {"nf4 64": errors(10, 1)})
    save_file({"a": normal(64, seed=1)}, tmp_path / "a.safetensors")
    (after,) = open_checkpoint(tmp_path / "a.safetensors").tensors
    assert ResumeCache(tmp_path / "cache").errors(after, "nf4 64") is None


@pytest.mark.parametrize(
    "text", [b"\xff\xfe", b"null\n", b'[4,"a","nf4 64",{"elements":1}]\n', b"[" * 9999, b"[1,2]\n"]
)
def test_that_a_damaged_cache_costs_time_and_nothing_else(tmp_path: Path, text: bytes) -> None:
    assert VERSION == 4, "the lines here are of this version"
    save_file({"a": normal(64)}, tmp_path / "a.safetensors")
    (tensor,) = open_checkpoint(tmp_path / "a.safetensors").tensors
    (tmp_path / f"{tensor.shard.identity}.jsonl").write_bytes(text)
    assert ResumeCache(tmp_path).errors(tensor, "nf4 64") is None
    assert ResumeCache(tmp_path).weights(tensor) is None


def test_that_a_cache_that_cannot_be_written_says_so_once(tmp_path: Path) -> None:
    save_file({"a": normal(64)}, tmp_path / "a.safetensors")
    (tensor,) = open_checkpoint(tmp_path / "a.safetensors").tensors
    (tmp_path / "cache").write_text("a file is in the way")
    kept = ResumeCache(tmp_path / "cache")
    kept.keep(tensor, sums(np.arange(5.0)), {"nf4 64": errors(10, 1)})
    assert "A report that is stopped will start over" in str(kept.notice)
    kept.prune([])


def test_that_the_cache_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.checkpoint.resume_cache.MAX_FILES", 2)
    for number in range(4):
        (tmp_path / f"{number}.jsonl").write_text("x")
    ResumeCache(tmp_path).prune([])
    assert len(list(tmp_path.iterdir())) == 2
