"""What the quantization page knows before any run: samples, codebooks, sweep, scales, whole models."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from core.checkpoint.coding import absmax_of, restored_weights
from core.checkpoint.opening import open_checkpoint
from core.contracts.errors import InvalidParams
from core.model_presets import PRESETS
from core.topics.quantization import TOPIC
from core.topics.quantization.codebooks import EDGES, ERROR_EDGES, codebooks, histogram, sort_weights
from core.topics.quantization.params import DISTRIBUTIONS, QuantizationParams
from core.topics.quantization.plan import model_memory, plan
from core.topics.quantization.sampling import (
    draw_standardized,
    draw_weights,
    open_cached,
    pick_evenly,
    representative_tensor,
)
from core.topics.quantization.sweep import Point, mark_pareto
from kernels.quantization.formats import BLOCK_SIZES, FORMATS, FormatId
from tests.checkpoint.files import normal

PUBLISHED = {
    "llama-7b": 6_738_415_616,
    "llama-13b": 13_015_864_320,
    "llama-33b": 32_528_943_616,
    "llama-65b": 65_285_660_672,
    "llama-2-70b": 68_976_648_192,
    "llama-3.1-8b": 8_030_261_248,
    "llama-3.1-405b": 405_853_388_800,
    "mistral-7b": 7_241_732_096,
    "mixtral-8x7b": 46_702_792_704,
    "qwen2.5-7b": 7_615_616_512,
}
"""Parameters of the weights that the makers published."""

TIGHT = settings(max_examples=25, deadline=None)


@pytest.mark.parametrize("preset", PRESETS)
def test_that_a_preset_has_the_published_number_of_parameters(preset: str) -> None:
    assert PRESETS[preset].parameters == PUBLISHED[preset]


def test_that_a_whole_model_is_its_linear_layers_in_the_format_and_the_rest_in_16_bits() -> None:
    planned = plan(QuantizationParams(model_preset="llama-65b"))
    reference, nf4 = planned.memory[0], next(row for row in planned.memory if row.format is FormatId.NF4)
    assert reference.bytes == 2 * PUBLISHED["llama-65b"]
    linear = planned.preset.linear_parameters
    assert nf4.bytes == linear * (4 + 8 / 64 + 32 / (64 * 256)) / 8 + 2 * (PUBLISHED["llama-65b"] - linear)
    assert model_memory(planned.preset, None, 16).bytes == reference.bytes
    # QLoRA finetunes 65B on one 48 GB GPU, and in 16 bits the weights alone would not fit.
    assert nf4.bytes < 36e9 < 48e9 < reference.bytes


@TIGHT
@given(
    seed=st.integers(0, 2**32 - 1),
    block_size=st.sampled_from(BLOCK_SIZES[:5]),
    scale=st.floats(1e-30, 1e30),
    zeros=st.integers(0, 3),
)
def test_that_every_weight_is_won_by_the_level_that_it_is_restored_to(
    seed: int, block_size: int, scale: float, zeros: int
) -> None:
    rng = np.random.default_rng(seed)
    blocks = (rng.standard_t(3, (6, block_size)) * scale).astype(np.float32)
    blocks[:zeros] = 0
    absmax = absmax_of(blocks)
    kept = blocks[zeros:]
    weights = sort_weights(blocks, absmax)
    shares = kept / absmax[zeros:, None]
    counted = histogram(weights)
    expected = np.histogram(shares, EDGES.astype(np.float32))[0]
    assert counted.counts.sum() == kept.size
    assert np.abs(counted.counts - expected).sum() <= 4  # rounding may move a weight that lies on an edge
    assert counted.affine_counts.sum() == kept.size
    for book in codebooks(FORMATS, weights).values():
        assert book.won.sum() == book.errors.sum() == kept.size
        if FORMATS[book.format].affine:
            continue
        restored = restored_weights(kept.ravel(), book.format, block_size, 0).reshape(kept.shape)
        nearest = np.abs(restored[..., None] / absmax[zeros:, None, None] - book.levels).argmin(-1)
        # Rounding may move a weight that lies on a boundary to the other side of it.
        assert np.abs(np.bincount(nearest.ravel(), minlength=len(book.levels)) - book.won).sum() <= 2


def test_that_affine_levels_span_each_blocks_own_range() -> None:
    blocks = np.array([[1, 2, 3, 4], [-7, -7, -7, -7]], dtype=np.float32)
    weights = sort_weights(blocks, absmax_of(blocks))
    (book,) = codebooks([FormatId.INT4_AFFINE], weights).values()
    won = np.flatnonzero(book.won)
    assert won.tolist() == [0, 5, 7, 10, 15]  # thirds of the range, and the middle for a block without one
    assert book.won[7] == 4
    assert book.errors[len(ERROR_EDGES) // 2 - 1 :].sum() == 8  # none of them an error below zero


def test_that_blocks_of_zeros_are_left_out_of_the_pictures() -> None:
    blocks = np.zeros((3, 16), dtype=np.float32)
    weights = sort_weights(blocks, absmax_of(blocks))
    assert histogram(weights).counts.sum() == 0
    assert all(book.won.sum() == 0 for book in codebooks(FORMATS, weights).values())


@TIGHT
@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=12))
def test_that_the_front_is_what_nothing_smaller_beats(pairs: list[tuple[int, int]]) -> None:
    points = [Point(FormatId.NF4, 64, False, float(bits), float(rmse), 0.0) for bits, rmse in pairs]
    marked = mark_pareto(points)
    assert len(marked) == len(points)
    front = {(p.bits_per_parameter, p.relative_rmse) for p in marked if p.pareto}
    best = {
        (bits, rmse)
        for bits, rmse in set(pairs)
        if not any((b, r) != (bits, rmse) and b <= bits and r <= rmse for b, r in pairs)
    }
    assert front == best


def test_that_the_sweep_has_every_format_and_block_size_at_its_exact_bits() -> None:
    planned = plan(QuantizationParams())
    points = planned.sweep
    found = {(p.format, p.block_size, p.nested) for p in points}
    assert found == {
        (name, size, nested)
        for name in FORMATS
        for size in BLOCK_SIZES
        for nested in (False, True)
        if not (nested and FORMATS[name].affine)
    }
    by_key = {(p.format, p.block_size, p.nested): p for p in points}
    assert by_key[FormatId.NF4, 64, True].bits_per_parameter == 4 + 8 / 64 + 32 / (64 * 256)
    assert by_key[FormatId.INT4_AFFINE, 32, False].bits_per_parameter == 4 + 64 / 32
    assert by_key[FormatId.INT8, 4096, False].bits_per_parameter == 8 + 32 / 4096
    for name in (FormatId.NF4, FormatId.INT4, FormatId.INT8):
        errors = [by_key[name, size, False].relative_rmse for size in BLOCK_SIZES]
        assert errors[0] < errors[-1]
    assert not any(p.nested for p in plan(QuantizationParams(double_quantization=False)).sweep)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_that_a_distribution_has_mean_0_and_deviation_1(distribution: str) -> None:
    values = draw_standardized(distribution, 30, 1 << 17, np.random.default_rng(1)).astype(np.float64)
    assert abs(values.mean()) < 0.01
    assert abs(values.std() - 1) < 0.02


def test_that_outliers_leave_the_other_weights_where_they_are() -> None:
    no_outliers = draw_weights(QuantizationParams(), 4096)
    few_outliers = draw_weights(QuantizationParams(outlier_share=0.01, outlier_scale=50), 4096)
    more_outliers = draw_weights(QuantizationParams(outlier_share=0.02, outlier_scale=50), 4096)
    changed, changed_more = no_outliers != few_outliers, no_outliers != more_outliers
    assert 20 < changed.sum() < 70
    assert set(np.abs(few_outliers[changed])) == {np.float32(50)}
    assert np.all(changed <= changed_more)
    assert not no_outliers.flags.writeable


def test_that_the_plan_is_of_the_distribution_without_a_checkpoint() -> None:
    planned = plan(QuantizationParams(distribution="laplace"))
    assert (planned.sampled, str(planned.problem), planned.checkpoint) == ("laplace", "", None)
    assert [point.format for point in planned.errors] == list(planned.params.formats)
    assert planned.scales.saved_bits == pytest.approx(0.373, abs=5e-5)
    assert planned.codebooks["int4"].format is FormatId.INT4


def test_that_a_checkpoint_is_sampled_and_what_is_wrong_with_it_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    weights = normal(64, 128)
    outside = {"model.embed_tokens.weight": normal(500, 128), "lm_head.weight": normal(500, 128)}
    save_file({**outside, "model.layers.0.q_proj.weight": weights, "model.norm.weight": normal(128)}, path)
    planned = plan(QuantizationParams(checkpoint=str(path)))
    assert planned.sampled == "model.layers.0.q_proj.weight"
    np.testing.assert_array_equal(planned.sample, weights.float().numpy().ravel())
    missing = plan(QuantizationParams(checkpoint=str(tmp_path / "none.safetensors")))
    assert missing.blames == "checkpoint"
    assert "none.safetensors" in str(missing.problem)
    assert missing.sampled == "normal"
    with pytest.raises(InvalidParams, match="none"):
        TOPIC.check(missing.params)


def test_that_a_tensor_smaller_than_a_block_can_be_planned_with(tmp_path: Path) -> None:
    save_file({"a": normal(5), "b": torch.full((3,), float("nan"))}, tmp_path / "a.safetensors")
    planned = plan(QuantizationParams(checkpoint=str(tmp_path / "a.safetensors"), block_size=4096))
    assert planned.histogram.counts.sum() == 5
    assert planned.sweep == ()  # no block size is filled


def test_that_the_sweep_leaves_out_blocks_that_the_weights_do_not_fill(tmp_path: Path) -> None:
    save_file({"a": normal(100)}, tmp_path / "a.safetensors")
    points = plan(QuantizationParams(checkpoint=str(tmp_path / "a.safetensors"))).sweep
    assert {point.block_size for point in points} == {16, 32, 64}
    assert min(point.bits_per_parameter for point in points) == 4 + 8 / 64 + 32 / (64 * 256)


@pytest.mark.parametrize("name", ["checkpoint", "report", "model", "text_file"])
def test_that_the_home_of_a_user_who_does_not_exist_is_refused_in_one_sentence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "text_file":
        _accept_any_model(monkeypatch)
    (tmp_path / "model").mkdir()
    values = {"model": str(tmp_path / "model"), "text_file": "text.txt", name: "~nobodyx/a.csv"}
    params = QuantizationParams.parse(values)
    with pytest.raises(InvalidParams, match="home folder") as refused:
        TOPIC.check(params)
    assert refused.value.field == name
    planned = plan(params)
    assert planned.blames == ("checkpoint" if name == "checkpoint" else None)


def _accept_any_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model folder is examined before the text."""
    module = importlib.import_module("core.topics.quantization.plan")  # the package has a function of that name
    monkeypatch.setattr(module, "inspect", lambda *_: None)
    monkeypatch.setattr(module, "check_fits", lambda _: None)


@pytest.mark.parametrize("name", ["model", "text_file"])
def test_that_a_path_too_long_for_any_file_is_refused_in_one_sentence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "text_file":
        _accept_any_model(monkeypatch)
    values = {"model": str(tmp_path), "text_file": "text.txt", name: "a" * 4000}
    with pytest.raises(InvalidParams, match=r"cannot be (opened|read) \(the path is too long\)") as refused:
        TOPIC.check(QuantizationParams.parse(values))
    assert refused.value.field == name


def test_that_a_shard_that_was_replaced_is_opened_again(tmp_path: Path) -> None:
    """The folder's own time does not change with a file that is written in place."""
    path = tmp_path / "model.safetensors"
    save_file({"a": normal(4, 4)}, path)
    folder_before = tmp_path.stat()
    first = open_cached(QuantizationParams(checkpoint=str(tmp_path)))
    path.write_bytes(path.read_bytes().replace(b'"a"', b'"b"'))
    os.utime(path, ns=(1, 1))
    os.utime(tmp_path, ns=(folder_before.st_atime_ns, folder_before.st_mtime_ns))
    assert representative_tensor(first).name == "a"
    assert representative_tensor(open_cached(QuantizationParams(checkpoint=str(tmp_path)))).name == "b"


def test_that_matrices_stand_for_a_checkpoint_and_are_spread_over_it(tmp_path: Path) -> None:
    save_file({f"{i:03}.w": normal(2, 2) for i in range(100)} | {"norm": normal(4)}, tmp_path / "a.safetensors")
    tensors = open_checkpoint(tmp_path / "a.safetensors").tensors
    found = pick_evenly(tensors, 10)
    assert len({tensor.name for tensor in found}) == 10
    assert all(len(tensor.shape) == 2 for tensor in found)
    assert [t.name for t in pick_evenly([t for t in tensors if t.name == "norm"])] == ["norm"]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"compare": "nf5"}, "compare names 'nf5', which is not a format"),
        ({"compare": "int4, fp3"}, "compare names 'fp3'"),
        ({"block_size": 65}, "not a choice"),
        ({"outlier_share": 0.5}, "must lie between 0 and 0.1"),
        ({"format": "q4_k"}, "not a choice"),
    ],
)
def test_that_a_bad_parameter_gets_one_sentence(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(InvalidParams, match=sentence):
        QuantizationParams.parse(values)


def test_that_the_chosen_format_comes_first_and_once() -> None:
    names = QuantizationParams(format="int4", compare="int8, int4 ,nf4").formats
    assert names == (FormatId.INT4, FormatId.NF4, FormatId.INT8)
    assert QuantizationParams(compare="").formats == (FormatId.NF4,)
    assert QuantizationParams(compare="int8,all").formats == tuple(FORMATS)
