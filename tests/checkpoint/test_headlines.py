"""Headlines count weight matrices, rank by a figure that no weight can improve, and say what NaN and inf cost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from core.checkpoint.measuring import Measurer, Quantization
from core.checkpoint.opening import open_checkpoint
from core.checkpoint.report import TensorErrors, layer_rows, role_rows, total_rows, worst_rows
from core.checkpoint.roles import Role, role_of
from core.checkpoint.tensor_table import TensorTable
from kernels.quantization.formats import FormatId
from tests.checkpoint.files import normal
from tests.checkpoint.surveying import report_of

NF4, PLAIN = Quantization((FormatId.NF4,), 64, 256), Quantization((FormatId.NF4,), 64)


def rows_of(tmp_path: Path, tensors: dict[str, torch.Tensor], quantization: Quantization = NF4) -> list[TensorErrors]:
    save_file(tensors, tmp_path / "a.safetensors")
    return report_of(open_checkpoint(tmp_path / "a.safetensors"), quantization, tmp_path / "cache")


@pytest.mark.parametrize(
    ("name", "shape", "role"),
    [
        ("model.layers.3.self_attn.q_proj.weight", (64, 64), Role.MATRIX),
        ("model.layers.3.mlp.experts.gate_up_proj", (8, 64, 32), Role.MATRIX),
        ("model.layers.3.mlp.gate_proj.weight", (256, 64), Role.MATRIX),
        ("mlp.gate.weight", (256, 64), Role.MATRIX),
        ("conv1.weight", (64, 3, 7, 7), Role.MATRIX),
        ("q", (64, 64), Role.MATRIX),
        ("model.layers.3.mlp.gate.weight", (8, 64), Role.ROUTER),
        ("model.layers.3.mlp.router.weight", (8, 64), Role.ROUTER),
        ("model.layers.3.block_sparse_moe.gate.weight", (8, 64), Role.ROUTER),
        ("model.embed_tokens.weight", (1000, 64), Role.EMBEDDING),
        ("lm_head.weight", (1000, 64), Role.EMBEDDING),
        ("transformer.wte.weight", (1000, 64), Role.EMBEDDING),
        ("token_embd.weight", (1000, 64), Role.EMBEDDING),
        ("bert.embeddings.word_embeddings.weight", (1000, 64), Role.EMBEDDING),
        ("model.layers.3.input_layernorm.weight", (64,), Role.NORM),
        ("model.layers.3.self_attn.q_norm.weight", (64,), Role.NORM),
        ("transformer.h.0.ln_1.weight", (64,), Role.NORM),
        ("transformer.h.0.ln_1.bias", (64,), Role.BIAS),
        ("blocks.0.norm1.linear.weight", (384, 64), Role.MATRIX),
        ("norm", (4096,), Role.NORM),
        ("model.layers.3.mlp.experts.gate_up_proj_bias", (8, 64), Role.BIAS),
        ("model.layers.0.mixer.A_log", (64,), Role.OTHER),
        ("attn.output.dense.weight", (64, 64), Role.MATRIX),
    ],
)
def test_that_a_name_and_a_shape_tell_the_role(name: str, shape: tuple[int, ...], role: Role) -> None:
    assert role_of(name, shape) is role


def test_that_norms_do_not_lift_the_headline(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, {"q": normal(64, 64, dtype=torch.float32), "norm": torch.ones(4096)})
    (total,) = total_rows(rows)
    matrix = next(row for row in rows if row.tensor == "q")
    assert total.snr_db == pytest.approx(matrix.snr_db)
    assert 20 < total.snr_db < 21.5
    assert total.block_snr_db == matrix.block_snr_db == pytest.approx(total.snr_db, abs=0.7)
    assert (total.role, total.tensors, total.elements) == ("matrix", 1, 4096)
    assert {row.role: row.tensors for row in role_rows(rows)} == {"matrix": 1, "norm": 1}
    assert layer_rows(rows)[0].snr_db == total.snr_db
    assert [row.tensor for row in worst_rows(rows, "nf4")] == ["q"]


def test_that_without_a_matrix_everything_counts(tmp_path: Path) -> None:
    (total,) = total_rows(rows_of(tmp_path, {"a": normal(640), "norm": torch.ones(64)}))
    assert (total.role, total.tensors) == ("", 2)


@pytest.mark.parametrize("quantization", [NF4, PLAIN])
def test_that_an_outlier_does_not_make_a_broken_tensor_look_better(tmp_path: Path, quantization: Quantization) -> None:
    clean = normal(64, 64, dtype=torch.float32)
    broken = clean.clone()
    broken[5, 7] = 6e4
    rows = {row.tensor: row for row in rows_of(tmp_path, {"broken": broken, "clean": clean}, quantization)}
    assert rows["broken"].snr_db > rows["clean"].snr_db + 8, "why the SNR cannot rank"
    assert rows["broken"].block_snr_db <= rows["clean"].block_snr_db
    assert [row.tensor for row in worst_rows(rows.values(), "nf4")] == ["broken", "clean"]
    assert [row.tensor for row in TensorTable.of(list(rows.values())).by_error("nf4")] == ["broken", "clean"]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1023), st.floats(30, 1e6), st.sampled_from([1, -1]), st.sampled_from([0, 256]))
def test_that_no_outlier_improves_the_median_block(place: int, size: float, sign: int, nested: int) -> None:
    weights = np.random.default_rng(0).standard_normal(1024).astype(np.float32)
    quantization = Quantization((FormatId.NF4,), 64, nested)
    measurer = Measurer(1)

    def figure() -> float:
        measured = measurer.measure(lambda: [weights.copy()], 1024, quantization, lambda _: None)
        return measured.errors[FormatId.NF4].block_snr_db

    before = figure()
    weights[place] = sign * size
    assert figure() <= before + 0.15, "what the rounding of nested scales and the width of a bin allow"
    measurer.close()


@pytest.mark.parametrize("nested", [0, 256])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_that_what_nan_and_inf_cost_is_what_bitsandbytes_loses(tmp_path: Path, bad: float, nested: int) -> None:
    functional = pytest.importorskip("bitsandbytes.functional")
    weights = normal(32, 64, dtype=torch.float32)
    weights[3, 5] = bad
    codes, state = functional.quantize_4bit(weights, blocksize=64, compress_statistics=bool(nested), quant_type="nf4")
    back = functional.dequantize_4bit(codes, state)
    (row,) = rows_of(tmp_path, {"w": weights}, Quantization((FormatId.NF4,), 64, nested))
    assert row.nonfinite == 1
    assert row.lost == int((~torch.isfinite(back)).sum()) == (32 * 64 if nested else 64)
    if nested:
        assert (row.snr_db, row.block_snr_db, row.max_abs_error) == (None, None, None)
    else:
        kept = torch.isfinite(back)
        expected = 10 * torch.log10((weights[kept] ** 2).sum() / ((weights - back)[kept] ** 2).sum())
        assert row.snr_db == pytest.approx(float(expected), abs=0.01)


def test_that_a_tensor_with_lost_weights_is_the_worst(tmp_path: Path) -> None:
    spoiled, noisy = normal(64, 64, dtype=torch.float32), normal(64, 64, dtype=torch.float32, seed=1)
    spoiled[0, 0] = float("nan")
    noisy[:, 0] = 5.0
    for quantization in (NF4, PLAIN):
        rows = rows_of(tmp_path, {"a": normal(64, 64), "noisy": noisy, "spoiled": spoiled}, quantization)
        assert [row.tensor for row in worst_rows(rows, "nf4")] == ["spoiled", "noisy", "a"]
        (total,) = total_rows(rows)
        assert total.worst_tensor == "spoiled"
        assert total.lost == (4096 if quantization is NF4 else 64)


def test_that_a_table_of_an_earlier_version_gets_the_columns_it_lacks() -> None:
    columns = {
        name: np.array([[value]] if name in ("snr_db", "relative_rmse") else [value])
        for name, value in {"tensor": "a", "snr_db": 20.0, "relative_rmse": 0.1}.items()
    }
    table = TensorTable(("nf4",), columns)
    assert np.isnan(table.columns["block_snr_db"]).all()
    assert table.columns["lost"].tolist() == [[0]]
