"""Files that are quantized already: recognised, counted by format, not measured as weights, and restored.

The witnesses are torch for 8-bit floats, bitsandbytes for its formats, transformers for gpt-oss, and for the others
packing by hand, weight by weight.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from core.checkpoint.measuring import Quantization
from core.checkpoint.opening import Checkpoint, open_checkpoint
from core.checkpoint.quantized.finding import block_shape
from core.checkpoint.quantized.floats import FP4_E2M1, byte_values
from core.checkpoint.quantized.reading import weight_slices, with_restored
from core.checkpoint.quantized.storage import storage_rows
from core.checkpoint.slices import FileChanged
from kernels.quantization.formats import FormatId
from tests.checkpoint.files import normal
from tests.checkpoint.surveying import report_of

Tensors = dict[str, torch.Tensor]
NAME = "model.layers.0.mlp.up_proj.weight"
MODULE = NAME.removesuffix("weight")
RNG = np.random.default_rng(0)
E2M1 = [0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6]


def opened(folder: Path, tensors: Tensors) -> Checkpoint:
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "a.safetensors")
    return open_checkpoint(folder / "a.safetensors")


def restored(checkpoint: Checkpoint, name: str = NAME, elements: int = 4096) -> np.ndarray:
    (tensor,) = [tensor for tensor in with_restored(checkpoint).measured if tensor.name == name]
    parts = [part.copy() for part in weight_slices(tensor, elements)]
    assert all(len(part) == elements for part in parts[:-1])
    return np.concatenate(parts).reshape(tensor.shape)


def bitsandbytes4(quant_type: str, nested: bool) -> tuple[Tensors, torch.Tensor]:
    functional = pytest.importorskip("bitsandbytes.functional")
    codes, state = functional.quantize_4bit(
        normal(96, 128, dtype=torch.float32), blocksize=64, compress_statistics=nested, quant_type=quant_type
    )
    packed = {f"{NAME}.{name}": value for name, value in state.as_dict(packed=True).items()}
    return {NAME: codes, **packed}, functional.dequantize_4bit(codes, state)


def bitsandbytes8() -> tuple[Tensors, torch.Tensor]:
    functional = pytest.importorskip("bitsandbytes.functional")
    codes, scales, _ = functional.int8_vectorwise_quant(normal(96, 128, dtype=torch.float16))
    tensors = {NAME: codes, f"{MODULE}SCB": scales, f"{MODULE}weight_format": torch.tensor(0, dtype=torch.uint8)}
    return tensors, functional.int8_vectorwise_dequant(codes, scales)


def fp8(scale: torch.Tensor, name: str, dtype: torch.dtype = torch.float8_e4m3fn) -> tuple[Tensors, torch.Tensor]:
    """FP8 codes of 200 x 300 weights with scales that are repeated to the shape of the weights."""
    codes = normal(200, 300, dtype=torch.float32, scale=20.0).to(dtype)
    wide = scale
    if scale.ndim == 2 and scale.shape[1] > 1:
        wide = scale.repeat_interleave(128, 0)[:200].repeat_interleave(128, 1)[:, :300]
    elif scale.ndim == 1 and scale.numel() > 1:
        wide = scale[:, None]
    return {NAME: codes, f"{MODULE}{name}": scale, f"{MODULE}input_scale": torch.ones(1)}, codes.float() * wide


def gptq(bits: int, second_version: bool) -> tuple[Tensors, torch.Tensor]:
    inputs, outputs, group, per_word = 64, 32, 16, 32 // bits
    codes = RNG.integers(0, 1 << bits, (inputs, outputs))
    zeros = RNG.integers(1, 1 << bits, (inputs // group, outputs))
    zeros = np.full_like(zeros, 1 << (bits - 1)) if second_version else zeros
    stored_zeros = zeros if second_version else zeros - 1
    scales = normal(inputs // group, outputs, dtype=torch.float16).abs()
    order = RNG.permutation(inputs) // group
    qweight = np.zeros((inputs // per_word, outputs), np.uint32)
    qzeros = np.zeros((inputs // group, outputs // per_word), np.uint32)
    for row in range(inputs):
        qweight[row // per_word] |= codes[row].astype(np.uint32) << np.uint32(bits * (row % per_word))
    for column in range(outputs):
        shift = np.uint32(bits * (column % per_word))
        qzeros[:, column // per_word] |= stored_zeros[:, column].astype(np.uint32) << shift
    expected = (codes - zeros[order]) * scales.float().numpy()[order]
    tensors = {
        f"{MODULE}qweight": torch.from_numpy(qweight.view(np.int32)),
        f"{MODULE}qzeros": torch.from_numpy(qzeros.view(np.int32)),
        f"{MODULE}scales": scales,
        f"{MODULE}g_idx": torch.from_numpy(order.astype(np.int32)),
    }
    return tensors, torch.from_numpy(expected.T.copy())


def awq() -> tuple[Tensors, torch.Tensor]:
    inputs, outputs, group = 64, 32, 16
    codes, zeros = RNG.integers(0, 16, (inputs, outputs)), RNG.integers(0, 16, (inputs // group, outputs))
    scales = normal(inputs // group, outputs, dtype=torch.float16).abs()

    def packed(values: np.ndarray) -> torch.Tensor:
        words = np.zeros((len(values), outputs // 8), np.uint32)
        for word in range(outputs // 8):
            for place, column in enumerate((0, 2, 4, 6, 1, 3, 5, 7)):
                words[:, word] |= values[:, 8 * word + column].astype(np.uint32) << np.uint32(4 * place)
        return torch.from_numpy(words.view(np.int32))

    wide = scales.float().numpy().repeat(group, 0)
    expected = (codes - zeros.repeat(group, 0)) * wide
    tensors = {f"{MODULE}qweight": packed(codes), f"{MODULE}qzeros": packed(zeros), f"{MODULE}scales": scales}
    return tensors, torch.from_numpy(expected.T.copy())


def nvfp4(packed_name: str) -> tuple[Tensors, torch.Tensor]:
    rows, columns = 24, 64
    codes = RNG.integers(0, 16, (rows, columns))
    scales = (torch.rand(rows, columns // 16) + 0.5).to(torch.float8_e4m3fn)
    second = torch.tensor([0.25])
    packed = torch.from_numpy((codes[:, ::2] | codes[:, 1::2] << 4).astype(np.uint8))
    expected = torch.tensor(E2M1)[torch.from_numpy(codes)] * (scales.float() * second).repeat_interleave(16, 1)
    tensors = {f"{MODULE}{packed_name}": packed, f"{MODULE}weight_scale": scales}
    if packed_name == "weight":
        return {**tensors, f"{MODULE}weight_scale_2": second, f"{MODULE}input_scale": torch.ones(1)}, expected
    return {**tensors, f"{MODULE}weight_global_scale": 1 / second}, expected


def mxfp4() -> tuple[Tensors, torch.Tensor]:
    rows, columns = 24, 64
    codes = RNG.integers(0, 16, (rows, columns))
    scales = RNG.integers(120, 130, (rows, columns // 32)).astype(np.uint8)
    packed = torch.from_numpy((codes[:, ::2] | codes[:, 1::2] << 4).astype(np.uint8))
    wide = torch.from_numpy(2.0 ** (scales.astype(np.float64) - 127)).repeat_interleave(32, 1)
    tensors = {f"{MODULE}weight_packed": packed, f"{MODULE}weight_scale": torch.from_numpy(scales)}
    return tensors, torch.tensor(E2M1)[torch.from_numpy(codes)] * wide


FILES: dict[str, tuple[str, Callable[[], tuple[Tensors, torch.Tensor]]]] = {
    "nf4": ("bitsandbytes-nf4", lambda: bitsandbytes4("nf4", False)),
    "nf4 nested": ("bitsandbytes-nf4", lambda: bitsandbytes4("nf4", True)),
    "fp4": ("bitsandbytes-fp4", lambda: bitsandbytes4("fp4", True)),
    "int8": ("bitsandbytes-int8", bitsandbytes8),
    "fp8 tensor": ("fp8-tensor", lambda: fp8(torch.tensor(0.5), "weight_scale")),
    "fp8 e5m2": ("fp8-tensor", lambda: fp8(torch.tensor([0.5]), "weight_scale", torch.float8_e5m2)),
    "fp8 row": ("fp8-channel", lambda: fp8(torch.rand(200, 1) + 0.5, "weight_scale")),
    "fp8 vector": ("fp8-channel", lambda: fp8(torch.rand(200) + 0.5, "scale")),
    "fp8 block": ("fp8-block", lambda: fp8(torch.rand(2, 3) + 0.5, "weight_scale_inv")),
    "gptq": ("gptq", lambda: gptq(4, False)),
    "gptq 8 bit": ("gptq", lambda: gptq(8, False)),
    "gptq 2 bit": ("gptq", lambda: gptq(2, False)),
    "gptq second version": ("gptq", lambda: gptq(4, True)),
    "awq": ("awq", awq),
    "nvfp4 modelopt": ("nvfp4", lambda: nvfp4("weight")),
    "nvfp4 compressed-tensors": ("nvfp4", lambda: nvfp4("weight_packed")),
    "mxfp4": ("mxfp4", mxfp4),
}


@pytest.mark.parametrize("case", FILES)
def test_that_a_quantized_weight_is_recognised_and_restored(tmp_path: Path, case: str) -> None:
    layout, make = FILES[case]
    tensors, expected = make()
    checkpoint = opened(tmp_path, {**tensors, "model.norm.weight": torch.ones(96)})
    assert [tensor.name for tensor in checkpoint.measured] == ["model.norm.weight"], "no code or scale is a weight"
    (weight,) = checkpoint.quantized
    assert (weight.name, weight.layout.value, weight.elements) == (NAME, layout, expected.numel())
    rows = {row.format: row for row in storage_rows(checkpoint)}
    assert rows.keys() == {layout, "F32"}
    assert sum(row.bytes for row in rows.values()) == sum(tensor.bytes for tensor in checkpoint.tensors)
    assert sum(row.share for row in rows.values()) == pytest.approx(1)
    assert (rows[layout].tensors, rows[layout].restorable) == (1, 1)
    back = restored(checkpoint)
    assert back.shape == expected.shape
    np.testing.assert_allclose(
        back, expected.float().numpy(), rtol=2e-3 if "int8" in layout else 1e-6, atol=1e-4 if "int8" in layout else 1e-7
    )
    assert storage_rows(with_restored(checkpoint)) == storage_rows(checkpoint)


def test_that_requantizing_measures_the_restored_weights(tmp_path: Path) -> None:
    tensors, _ = bitsandbytes4("nf4", False)
    checkpoint = with_restored(opened(tmp_path, {**tensors, "model.norm.weight": torch.ones(96)}))
    rows = report_of(checkpoint, Quantization((FormatId.NF4, FormatId.INT4), 64), tmp_path / "cache")
    of_weight = {row.format: row for row in rows if row.tensor == NAME}
    assert of_weight["nf4"].dtype == "bitsandbytes-nf4"
    assert of_weight["nf4"].elements == 96 * 128
    assert of_weight["nf4"].snr_db is None or of_weight["nf4"].snr_db > 100, "NF4 weights are exact in NF4"
    assert of_weight["int4"].snr_db < 25
    codes = next(tensor for tensor in tensors.values())
    assert of_weight["nf4"].bytes > codes.numel()


def test_that_experts_of_gpt_oss_are_restored_as_transformers_does(tmp_path: Path) -> None:
    module = pytest.importorskip("transformers.integrations.mxfp4")
    blocks = torch.from_numpy(RNG.integers(0, 256, (4, 32, 3, 16)).astype(np.uint8))
    scales = torch.from_numpy(RNG.integers(120, 130, (4, 32, 3)).astype(np.uint8))
    name = "model.layers.0.mlp.experts.gate_up_proj"
    back = restored(opened(tmp_path, {f"{name}_blocks": blocks, f"{name}_scales": scales}), name)
    theirs = module.convert_moe_packed_tensors(blocks, scales, dtype=torch.float32)
    assert back.shape == (4, 32, 96)
    np.testing.assert_array_equal(back.swapaxes(1, 2), theirs.numpy())


def test_that_fused_experts_in_fp8_have_their_own_scales(tmp_path: Path) -> None:
    name = "model.layers.0.mlp.experts.gate_up_proj"
    codes, scales = normal(3, 256, 128, dtype=torch.float32).to(torch.float8_e4m3fn), torch.rand(3, 2, 1) + 0.5
    back = restored(opened(tmp_path, {name: codes, f"{name}_scale_inv": scales}), name)
    np.testing.assert_array_equal(back, (codes.float() * scales.repeat_interleave(128, 1)).numpy())


@pytest.mark.parametrize(
    ("tensors", "layout"),
    [
        ({"a.weight_packed": (torch.int32, (8, 4)), "a.weight_scale": (torch.float16, (8, 1))}, "packed-int"),
        ({"a.weight": (torch.int8, (8, 8)), "a.weight_scale": (torch.float32, (8, 1))}, "int8-scaled"),
        ({"a._weight_qdata": (torch.int8, (8, 8)), "a._weight_scale": (torch.float32, (8, 1))}, "torchao"),
        ({"a.weight:_qdata": (torch.int8, (8, 8)), "a.weight:_scale": (torch.float32, (8, 1))}, "torchao"),
        ({"a.weight": (torch.float8_e4m3fn, (8, 8))}, "fp8"),
    ],
)
def test_that_other_libraries_are_recognised(tmp_path: Path, tensors: dict[str, tuple], layout: str) -> None:
    made = {name: torch.ones(shape).to(dtype) for name, (dtype, shape) in tensors.items()}
    checkpoint = opened(tmp_path, made)
    assert [weight.layout.value for weight in checkpoint.quantized] == [layout]
    assert not checkpoint.measured


def test_that_scales_alone_are_no_weights(tmp_path: Path) -> None:
    names = ("a.SCB", "a.weight.absmax", "a.weight_scale_inv", "a.weight_scale_2", "a.input_scale")
    checkpoint = opened(tmp_path, {name: torch.ones(8) for name in names})
    assert not checkpoint.measured
    assert [row.format for row in storage_rows(checkpoint)] == ["unknown"]


def test_that_an_ordinary_scale_stays_a_weight(tmp_path: Path) -> None:
    tensors = {"norm.scale": torch.ones(8), "a.scales": torch.ones(8), "attn.k_scale": torch.ones(8)}
    assert len(opened(tmp_path, {**tensors, "a.weight": torch.ones(8, 8)}).measured) == 4


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_that_bytes_have_the_values_of_torch(dtype: torch.dtype) -> None:
    ours = byte_values({torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2"}[dtype])
    theirs = torch.arange(256, dtype=torch.int32).to(torch.uint8).view(dtype).float().numpy()
    np.testing.assert_array_equal(ours, theirs)
    assert FP4_E2M1.tolist() == E2M1


@pytest.mark.parametrize(
    ("shape", "scales", "expected"),
    [
        ((200, 300), (2, 3), (128, 128)),
        ((200, 300), (), (200, 300)),
        ((200, 300), (200,), (1, 300)),
        ((200, 300), (200, 1), (1, 300)),
        ((64, 128), (64, 4), (1, 32)),
        ((200, 300), (7, 3), None),
        ((200, 300), (3,), None),
    ],
)
def test_that_blocks_follow_from_the_shapes(shape: tuple, scales: tuple, expected: tuple | None) -> None:
    assert block_shape(shape, scales) == expected


def test_that_contents_that_do_not_fit_are_one_sentence(tmp_path: Path) -> None:
    tensors, _ = gptq(4, False)
    tensors[f"{MODULE}g_idx"] = torch.full_like(tensors[f"{MODULE}g_idx"], 99)
    with pytest.raises(FileChanged, match="cannot be restored: its contents do not fit GPTQ"):
        restored(opened(tmp_path, tensors))


@pytest.mark.parametrize("state", [b"{", b"[]", json.dumps({"shape": [3, 3]}).encode()])
def test_that_a_damaged_state_is_listed_and_not_restored(tmp_path: Path, state: bytes) -> None:
    tensors, _ = bitsandbytes4("nf4", False)
    tensors[f"{NAME}.quant_state.bitsandbytes__nf4"] = torch.tensor(list(state), dtype=torch.uint8)
    assert not with_restored(opened(tmp_path, tensors)).measured
