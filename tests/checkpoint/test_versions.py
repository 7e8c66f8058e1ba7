"""Other versions of a checkpoint's weights: a quantized file beside its original, and types of GGUF.

The witnesses are the package's own arithmetic on whole tensors, and blocks packed by hand.
"""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from core.checkpoint.gguf_files import types
from core.checkpoint.opening import Checkpoint, open_checkpoint
from core.checkpoint.quantized.reading import with_restored
from core.checkpoint.versions import FILE, PACKAGE, VersionErrors, compared, version_totals
from tests.checkpoint.gguf_writing import BY_HAND, normal_weights, write_gguf

HEADS, KV_HEADS, HIDDEN, EXPERTS = 4, 2, 64, 3
LAYER = "model.layers.0."
LLAMA = {"head_count": HEADS, "head_count_kv": KV_HEADS}


def saved(folder: Path, tensors: dict[str, np.ndarray]) -> Checkpoint:
    save_file({name: torch.from_numpy(values.copy()) for name, values in tensors.items()}, folder / "a.safetensors")
    return open_checkpoint(folder / "a.safetensors")


def rows_of(original: Checkpoint, file: Path | None, *names: str) -> dict[tuple[str, str], VersionErrors]:
    version = None if file is None else with_restored(open_checkpoint(file))
    return {(row.tensor, row.format): row for row in compared(original, version, names, lambda _: None)}


def relative_error(weights: np.ndarray, dtype: str) -> float:
    number = gguf.GGMLQuantizationType[dtype]
    restored = gguf.quants.dequantize(gguf.quants.quantize(weights, number), number).astype(np.float64)
    return float(np.sqrt(((weights - restored) ** 2).sum() / (weights.astype(np.float64) ** 2).sum()))


def permuted(weights: np.ndarray, heads: int) -> np.ndarray:
    """What llama.cpp's converter does to the rows of a Llama model's query and key projections."""
    rows, columns = weights.shape
    return weights.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


@pytest.mark.parametrize("dtype", types.QUANTIZABLE)
def test_that_a_type_has_the_error_of_the_packages_own_arithmetic(dtype: str, tmp_path: Path) -> None:
    weights = normal_weights(6, 256)
    row = rows_of(saved(tmp_path, {"a.weight": weights}), None, dtype)["a.weight", dtype]
    assert row.source == PACKAGE
    assert row.relative_rmse == pytest.approx(relative_error(weights, dtype), rel=1e-6)
    assert (
        row.bits_per_weight
        == 8
        * gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[dtype]][1]
        / (gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[dtype]][0])
    )


def test_that_the_table_of_what_the_package_quantizes_is_what_it_quantizes() -> None:
    made, restored = [], []
    for each, (block, size) in gguf.GGML_QUANT_SIZES.items():
        if types.block_type(each.name) is None:
            continue
        try:
            gguf.quants.quantize(np.zeros((1, block), np.float32), each)
            made.append(each.name)
        except NotImplementedError:
            if types.can_restore(each.name):
                restored.append(each.name)
        assert types.block_type(each.name) == types.BlockType(each.name, block, size)
    assert sorted(made) == sorted(types.QUANTIZABLE)
    assert sorted(restored) == sorted(types.RESTORED_ONLY)


def test_that_rows_that_are_no_whole_blocks_have_no_version(tmp_path: Path) -> None:
    original = saved(tmp_path, {"a.weight": normal_weights(4, 48), "b.weight": normal_weights(96)})
    rows = rows_of(original, None, "Q8_0")
    assert str(rows["a.weight", "Q8_0"].why) == "its rows of 48 weights are no whole blocks of 32"
    assert rows["a.weight", "Q8_0"].snr_db is None
    assert ("b.weight", "Q8_0") not in rows  # vectors stay in float32


@pytest.mark.parametrize("dtype", BY_HAND)
def test_that_a_file_packed_by_hand_has_the_error_that_was_put_in(dtype: str, tmp_path: Path) -> None:
    """Every weight of the original is off by 1 from what the block holds."""
    packed, weights = BY_HAND[dtype]()
    original = np.array([weights, weights], np.float32) + 1
    codes = np.stack([np.frombuffer(packed, np.uint8)] * 2)
    file = write_gguf(tmp_path / "a.gguf", {"blk.0.ffn_up.weight": (dtype, codes)})
    name = LAYER + "mlp.up_proj.weight"
    row = rows_of(saved(tmp_path, {name: original}), file)[name, dtype]
    assert (row.source, row.other) == (FILE, "blk.0.ffn_up.weight")
    assert (row.max_abs_error, row.error_power) == (1, original.size)
    assert row.snr_db == pytest.approx(10 * np.log10(np.square(original, dtype=np.float64).mean()))


@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
def test_that_heads_are_compared_in_the_order_of_the_original(architecture: str, tmp_path: Path) -> None:
    query, key = normal_weights(HIDDEN, HIDDEN, seed=1), normal_weights(HIDDEN // 2, HIDDEN, seed=2)
    original = {LAYER + "self_attn.q_proj.weight": query, LAYER + "self_attn.k_proj.weight": key}
    is_llama = architecture == "llama"
    stored = {
        "blk.0.attn_q.weight": ("Q8_0", permuted(query, HEADS) if is_llama else query),
        "blk.0.attn_k.weight": ("Q4_0", permuted(key, KV_HEADS) if is_llama else key),
    }
    file = write_gguf(tmp_path / "a.gguf", stored, architecture, **LLAMA)
    rows = rows_of(saved(tmp_path, original), file)
    assert [row.rearranged for row in rows.values()] == [is_llama] * 2
    for (name, dtype), row in rows.items():
        assert row.relative_rmse == pytest.approx(relative_error(original[name], dtype), rel=1e-6)


@pytest.mark.parametrize(
    ("architecture", "experts"),
    [("llama", "block_sparse_moe.experts.{}.w1.weight"), ("qwen2moe", "mlp.experts.{}.gate_proj.weight")],
)
def test_that_experts_are_found_in_the_tensor_of_all(architecture: str, experts: str, tmp_path: Path) -> None:
    all_experts = normal_weights(EXPERTS, 8, HIDDEN, seed=3)
    original = {LAYER + experts.format(index): all_experts[index] for index in range(EXPERTS)}
    file = write_gguf(tmp_path / "a.gguf", {"blk.0.ffn_gate_exps.weight": ("Q5_0", all_experts)}, architecture)
    rows = rows_of(saved(tmp_path, original), file)
    assert len(rows) == EXPERTS
    for (name, dtype), row in rows.items():
        assert row.relative_rmse == pytest.approx(relative_error(original[name], dtype), rel=1e-6)


def test_that_layers_are_counted_by_their_tensors_and_not_by_what_the_file_says(tmp_path: Path) -> None:
    matrices = [normal_weights(8, HIDDEN, seed=layer) for layer in range(3)]
    original = {f"model.layers.{layer}.mlp.up_proj.weight": values for layer, values in enumerate(matrices)}
    stored = {f"blk.{layer}.ffn_up.weight": ("Q8_0", values) for layer, values in enumerate(matrices)}
    for said in (1, 2**31):
        file = write_gguf(tmp_path / "a.gguf", stored, block_count=said)
        rows = rows_of(saved(tmp_path, original), file)
        assert not [row.why for row in rows.values() if row.why]


def test_that_what_cannot_be_compared_says_why(tmp_path: Path) -> None:
    original = {
        LAYER + "mlp.up_proj.weight": normal_weights(8, HIDDEN),
        LAYER + "mlp.down_proj.weight": normal_weights(HIDDEN, 32),
        LAYER + "mlp.gate_proj.weight": normal_weights(8, HIDDEN, seed=1),
    }
    stored = {
        "blk.0.ffn_down.weight": ("Q8_0", normal_weights(32, HIDDEN)),
        "blk.0.ffn_gate.weight": ("Q8_0", normal_weights(8, HIDDEN, seed=7)),
    }
    rows = rows_of(saved(tmp_path, original), write_gguf(tmp_path / "a.gguf", stored))
    whys = {row.kind: str(row.why) for row in rows.values()}
    assert whys["mlp.up_proj"] == "the file has no tensor of this name"
    assert whys["mlp.down_proj"] == "the file has it as 32 x 64"
    assert whys["mlp.gate_proj"].startswith("the file has other weights there: the error is")
    assert not version_totals(list(rows.values()))


def test_that_a_file_of_another_kind_is_compared_by_name(tmp_path: Path) -> None:
    functional = pytest.importorskip("bitsandbytes.functional")
    name = LAYER + "mlp.up_proj.weight"
    weights = torch.from_numpy(normal_weights(64, 64))
    codes, state = functional.quantize_4bit(weights, blocksize=64, quant_type="nf4")
    save_file(
        {name: codes, **{f"{name}.{part}": value for part, value in state.as_dict(packed=True).items()}},
        tmp_path / "b.safetensors",
    )
    row = rows_of(saved(tmp_path, {name: weights.numpy()}), tmp_path / "b.safetensors")[name, "bitsandbytes-nf4"]
    error = (functional.dequantize_4bit(codes, state).double() - weights.double()).square().sum()
    assert row.error_power == pytest.approx(float(error), rel=1e-6)


def test_that_totals_count_the_weight_matrices_of_each_format(tmp_path: Path) -> None:
    matrices = {kind: normal_weights(32, HIDDEN, seed=seed) for seed, kind in enumerate(("up", "gate"))}
    original = {LAYER + f"mlp.{kind}_proj.weight": values for kind, values in matrices.items()}
    original["model.embed_tokens.weight"] = normal_weights(32, HIDDEN, seed=9)
    stored = {
        "blk.0.ffn_up.weight": ("Q8_0", matrices["up"]),
        "blk.0.ffn_gate.weight": ("Q4_0", matrices["gate"]),
        "token_embd.weight": ("Q4_0", original["model.embed_tokens.weight"]),
    }
    file = with_restored(open_checkpoint(write_gguf(tmp_path / "a.gguf", stored)))
    rows = list(compared(saved(tmp_path, original), file, ["Q4_0"], lambda _: None))
    totals = {(row.source, row.format): row for row in version_totals(rows)}
    assert {key: row.tensors for key, row in totals.items()} == {
        (FILE, ""): 2,
        (FILE, "Q8_0"): 1,
        (FILE, "Q4_0"): 1,
        (PACKAGE, "Q4_0"): 2,
    }
    assert totals[FILE, ""].bits_per_weight == (8.5 + 4.5) / 2
    assert totals[FILE, ""].worst_tensor == LAYER + "mlp.gate_proj.weight"


def test_that_lost_weights_are_counted_and_left_out_of_errors(tmp_path: Path) -> None:
    weights = normal_weights(4, 64)
    weights[1, 5] = np.inf
    row = rows_of(saved(tmp_path, {"a.weight": weights}), None, "Q8_0")["a.weight", "Q8_0"]
    assert row.lost == 32
    assert row.relative_rmse == pytest.approx(
        relative_error(np.delete(weights.reshape(-1, 32), 2, axis=0), "Q8_0"), rel=1e-6
    )
