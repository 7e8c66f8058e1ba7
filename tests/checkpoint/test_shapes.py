"""Shapes: which blocks straddle rows and experts, what that costs, and the errors by row, column and expert.

The witness quantizes block by block, weight by weight.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from core.checkpoint import shape_errors as module
from core.checkpoint.measuring import Quantization
from core.checkpoint.opening import open_checkpoint
from core.checkpoint.shape_errors import OfTensor, shape_errors
from core.checkpoint.shapes import Layout, ShapeKind, layout_of
from kernels.quantization.formats import FORMATS, FormatId

BLOCK = 64
NF4 = Quantization((FormatId.NF4,), BLOCK)


def measured(folder: Path, name: str, weights: np.ndarray, quantization: Quantization = NF4) -> OfTensor:
    save_file({name: torch.from_numpy(weights.copy())}, folder / "a.safetensors")
    (found,) = shape_errors(open_checkpoint(folder / "a.safetensors").tensors, quantization, lambda _: None)
    return found


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def one_by_one(blocks: list[np.ndarray]) -> float:
    """The sum of squared errors of NF4, each weight of each block on its own."""
    levels = FORMATS[FormatId.NF4].levels.astype(np.float64)
    total = 0.0
    for block in blocks:
        scale = float(np.abs(block).max())
        total += sum(float(np.min((levels * scale - float(weight)) ** 2)) for weight in block)
    return total


def cut(values: np.ndarray, size: int = BLOCK) -> list[np.ndarray]:
    return [values[begin : begin + size] for begin in range(0, len(values), size)]


def relative(error: float, weights: np.ndarray) -> float:
    return 10 * np.log10(np.square(weights, dtype=np.float64).sum() / error)


@pytest.mark.parametrize(
    ("name", "shape", "kind", "sizes"),
    [
        ("model.layers.0.mlp.up_proj.weight", (8, 6), ShapeKind.MATRIX, (1, 8, 6)),
        ("model.embed_tokens.weight", (8, 6), ShapeKind.EMBEDDING, (1, 8, 6)),
        ("model.layers.0.mlp.experts.gate_up_proj", (4, 8, 6), ShapeKind.EXPERTS, (4, 8, 6)),
        ("blk.0.ffn_up_exps.weight", (4, 8, 6), ShapeKind.EXPERTS, (4, 8, 6)),
        ("h.0.w", (4, 32, 64), ShapeKind.EXPERTS, (4, 32, 64)),
        ("conv1.weight", (8, 3, 3, 3), ShapeKind.CONVOLUTION, (1, 8, 27)),
        ("mixer.conv1d.weight", (64, 1, 4), ShapeKind.CONVOLUTION, (1, 64, 4)),
        ("visual.patch_embed.proj.weight", (32, 3, 2, 16, 16), ShapeKind.CONVOLUTION, (1, 32, 1536)),
        ("norm.weight", (6,), ShapeKind.VECTOR, (1, 1, 6)),
        ("scalar", (), ShapeKind.VECTOR, (1, 1, 1)),
        ("a.bias", (1, 6), ShapeKind.VECTOR, (1, 1, 6)),
    ],
)
def test_that_a_shape_is_taken_for_what_it_is(
    name: str, shape: tuple[int, ...], kind: ShapeKind, sizes: tuple[int, int, int]
) -> None:
    assert layout_of(name, shape) == Layout(kind, *sizes)


@given(st.integers(1, 5), st.integers(1, 9), st.integers(1, 200), st.sampled_from([16, 64, 256]))
def test_that_straddling_blocks_are_those_with_weights_of_two_rows(
    experts: int, rows: int, columns: int, block: int
) -> None:
    layout = Layout(ShapeKind.EXPERTS, experts, rows, columns)
    row_of = np.arange(layout.elements) // columns
    blocks = [row_of[begin : begin + block] for begin in range(0, layout.elements, block)]
    assert layout.blocks(block) == len(blocks)
    assert layout.blocks_over_rows(block) == sum(part[0] != part[-1] for part in blocks)
    assert layout.blocks_over_experts(block) == sum(part[0] // rows != part[-1] // rows for part in blocks)
    assert layout.aligned_blocks(block) == experts * rows * len(range(0, columns, block))


def test_that_straddling_and_aligned_blocks_have_the_errors_of_one_by_one(tmp_path: Path) -> None:
    weights = normal(12, 100)
    weights[3] *= 40  # a large row spoils blocks that reach into its neighbours
    row = measured(tmp_path, "model.layers.0.mlp.up_proj.weight", weights).shape
    assert (row.blocks, row.blocks_over_rows, row.sampled) == (19, 11, weights.size)
    assert row.snr_db == pytest.approx(relative(one_by_one(cut(weights.ravel())), weights), rel=1e-5)
    aligned = [block for line in weights for block in cut(line)]
    assert row.aligned_snr_db == pytest.approx(relative(one_by_one(aligned), weights), rel=1e-5)
    along = [block for line in weights.T for block in cut(line)]
    assert row.columns_snr_db == pytest.approx(relative(one_by_one(along), weights), rel=1e-5)
    assert row.bits_per_parameter == pytest.approx(4 + 32 * 19 / 1200)
    assert row.aligned_bits_per_parameter == pytest.approx(4 + 32 * 24 / 1200)
    assert row.worst_row in (2, 4)
    assert row.worst_row_rmse > 5 * row.aligned_worst_row_rmse


def test_that_rows_of_whole_blocks_straddle_nothing(tmp_path: Path) -> None:
    row = measured(tmp_path, "model.layers.0.mlp.up_proj.weight", normal(8, 128)).shape
    assert row.blocks_over_rows == 0
    assert row.aligned_snr_db == row.snr_db
    assert row.aligned_bits_per_parameter == row.bits_per_parameter


def test_that_an_outlier_channel_is_found_and_spoils_the_columns_beside_it(tmp_path: Path) -> None:
    weights = normal(64, 256)
    weights[:, 70] *= 50
    row = measured(tmp_path, "model.layers.0.mlp.up_proj.weight", weights).shape
    assert row.outlier_column == 70
    assert row.outlier_power == pytest.approx(2500, rel=0.4)
    assert 64 <= row.worst_column < 128
    assert row.worst_column != 70
    assert row.worst_column_rmse > 3 * row.median_column_rmse
    assert row.worst_row_rmse < 3 * row.median_row_rmse
    errors = np.sqrt(row.columns_error_power / row.signal_power), np.sqrt(row.aligned_error_power / row.signal_power)
    assert row.columns_snr_db is not None
    assert all(error > 0 for error in errors)


@pytest.mark.parametrize("rows", [6, 16])
def test_that_each_expert_has_its_own_errors(rows: int, tmp_path: Path) -> None:
    """With 6 rows of 24 weights a block reaches into the next expert."""
    weights = normal(5, rows, 24)
    weights[2] *= np.random.default_rng(1).standard_t(3, (rows, 24)).astype(np.float32) ** 3
    found = measured(tmp_path, "model.layers.3.mlp.experts.gate_up_proj", weights)
    assert found.shape.experts == 5
    assert [expert.expert for expert in found.experts] == list(range(5))
    assert {expert.layer for expert in found.experts} == {3}
    levels = FORMATS[FormatId.NF4].levels
    restored = np.concatenate(
        [
            (levels[np.abs(levels[:, None] * np.abs(block).max() - block).argmin(axis=0)] * np.abs(block).max())
            for block in cut(weights.ravel())
        ]
    ).reshape(weights.shape)
    for expert, of_expert in enumerate(found.experts):
        error = np.square(restored[expert] - weights[expert].astype(np.float64)).sum()
        assert of_expert.snr_db == pytest.approx(relative(error, weights[expert]), rel=1e-4)
    assert found.shape.blocks_over_experts == (3 if rows == 6 else 0)


def test_that_a_large_tensor_is_measured_in_part_with_the_blocks_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = normal(4, 200, 40)
    whole = measured(tmp_path, "model.layers.0.mlp.experts.down_proj", weights)
    monkeypatch.setattr(module, "_PART_ELEMENTS", 4 * 64 * 40)
    monkeypatch.setattr(module, "_EXPERT_ELEMENTS", 1)
    part = measured(tmp_path, "model.layers.0.mlp.experts.down_proj", weights)
    assert part.shape.sampled == 4 * 64 * 40
    assert (part.shape.blocks, part.shape.blocks_over_rows) == (whole.shape.blocks, whole.shape.blocks_over_rows)
    assert part.shape.snr_db == pytest.approx(whole.shape.snr_db, abs=0.3)
    assert part.shape.worst_row % 200 < 64


def test_that_vectors_zeros_and_lost_weights_have_no_invented_figures(tmp_path: Path) -> None:
    vector = measured(tmp_path, "norm.weight", normal(100)).shape
    assert (vector.columns_snr_db, vector.outlier_power, vector.blocks_over_rows) == (None, None, 0)
    zeros = measured(tmp_path, "a.weight", np.zeros((4, 64), np.float32)).shape
    assert (zeros.snr_db, zeros.worst_row, zeros.worst_row_rmse, zeros.outlier_power) == (None, -1, None, None)
    lost = normal(4, 64)
    lost[0, 0] = np.nan
    assert measured(tmp_path, "a.weight", lost).shape.snr_db is not None
