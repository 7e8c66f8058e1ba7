"""Recognises quantized weights by the names, dtypes and shapes of their tensors. No data is read.

The names are those that the libraries write: bitsandbytes (`weight.absmax`, `SCB`), AutoGPTQ and AutoAWQ (`qweight`,
`qzeros`, `scales`, `g_idx`), transformers' gpt-oss (`_blocks`, `_scales`), compressed-tensors (`weight_packed`,
`weight_scale`), ModelOpt (`weight_scale_2`), DeepSeek (`weight_scale_inv`, `scale`), torchao (`weight_qdata`). In
GGUF files the type of a tensor says it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping

from core.checkpoint.gguf_files import types
from core.checkpoint.header import StoredTensor
from core.checkpoint.quantized.layouts import Layout, QuantizedWeight
from core.checkpoint.stored_types import ELEMENT_BYTES

Tensors = Mapping[str, StoredTensor]
Found = Iterator[QuantizedWeight]

FP8_TYPES = ("F8_E4M3", "F8_E5M2")
_FLOATS = ("F64", "F32", "F16", "BF16")
_BNB_STATE = {Layout.BNB_NF4: "quant_state.bitsandbytes__nf4", Layout.BNB_FP4: "quant_state.bitsandbytes__fp4"}
_SCALES = re.compile(
    r"(^|\.)(SCB|absmax|nested_absmax|quant_map|nested_quant_map|qzeros|g_idx|qscale_(weight|act)|"
    r"(weight|input|output|activation)_(global_)?scale(_inv|_2)?|weight_(zero_point|g_idx|shape)|scale_(weight|input)|"
    r"quant_state\.bitsandbytes__\w+|weight_format)$"
)
"""Names that only tensors beside quantized weights have."""

_CACHE_SCALE = re.compile(r"(^|\.)(k|v|q|prob)_scale$")
_TORCHAO = re.compile(r"(?P<name>.+?)[.:_]+(qdata|int_data|scale_and_zero|zero_point|scale)$")


def find_quantized(tensors: Tensors) -> tuple[QuantizedWeight, ...]:
    """The quantized weights among the tensors, in the order of their codes. Each tensor belongs to at most one."""
    taken: set[str] = set()
    found = []
    for name, tensor in tensors.items():
        for find in _FINDERS:
            weight = None if name in taken else find(name, tensor, tensors)
            if weight is not None:
                found.append(weight)
                taken |= {weight.codes.name, *(part.name for part in weight.parts.values())}
    return tuple(found)


def is_scale(name: str, *, beside_quantized: bool) -> bool:
    """Whether a tensor can only be a scale, table or index of quantized weights. Scales of a KV cache are named so
    generally that they count only `beside_quantized` weights."""
    return bool(_SCALES.search(name)) or (beside_quantized and bool(_CACHE_SCALE.search(name)))


def _bitsandbytes4(name: str, codes: StoredTensor, tensors: Tensors) -> QuantizedWeight | None:
    for layout, state in _BNB_STATE.items():
        if codes.dtype != "U8" or f"{name}.{state}" not in tensors:
            continue
        parts = _parts(tensors, f"{name}.", absmax="absmax", levels="quant_map", state=state)
        parts |= _parts(tensors, f"{name}.", nested_absmax="nested_absmax", nested_levels="nested_quant_map")
        complete = "absmax" in parts and "levels" in parts
        # The shape is in the state, which is data: until it is read the weight counts as a row.
        return QuantizedWeight(
            name, layout, codes, parts, 2 * codes.elements, (2 * codes.elements,) if complete else None
        )
    return None


def _bitsandbytes8(name: str, codes: StoredTensor, tensors: Tensors) -> QuantizedWeight | None:
    module = _module(name)
    if codes.dtype != "I8" or f"{module}SCB" not in tensors:
        return None
    parts = _parts(tensors, module, scales="SCB", format="weight_format")
    shape = codes.shape if parts["scales"].elements == codes.shape[0] else None
    return QuantizedWeight(name, Layout.BNB_INT8, codes, parts, codes.elements, shape)


def _gptq_or_awq(name: str, codes: StoredTensor, tensors: Tensors) -> QuantizedWeight | None:
    module = name.removesuffix("qweight")
    if module == name or codes.dtype != "I32" or f"{module}scales" not in tensors:
        return None
    parts = _parts(tensors, module, scales="scales", zeros="qzeros", groups="g_idx")
    scales, zeros = parts["scales"].shape, parts["zeros"].shape if "zeros" in parts else ()
    if len(codes.shape) != 2 or len(scales) != 2:
        return QuantizedWeight(f"{module}weight", Layout.GPTQ, codes, parts, 0, None)
    outputs = scales[1]
    if codes.shape[1] == outputs:  # GPTQ packs along the inputs, AWQ along the outputs
        bits = 32 * zeros[1] // outputs if len(zeros) == 2 else 4
        inputs = 32 * codes.shape[0] // max(1, bits)
        fits = bits in (2, 4, 8) and zeros == (scales[0], outputs * bits // 32)
        return QuantizedWeight(
            f"{module}weight", Layout.GPTQ, codes, parts, inputs * outputs, (outputs, inputs) if fits else None
        )
    inputs = codes.shape[0]
    fits = codes.shape[1] * 8 == outputs and zeros == (scales[0], codes.shape[1]) and inputs % scales[0] == 0
    return QuantizedWeight(
        f"{module}weight", Layout.AWQ, codes, parts, 8 * codes.elements, (outputs, inputs) if fits else None
    )


def _mxfp4_blocks(name: str, codes: StoredTensor, tensors: Tensors) -> QuantizedWeight | None:
    stem = name.removesuffix("_blocks")
    scales = tensors.get(f"{stem}_scales")
    if stem == name or codes.dtype != "U8" or scales is None or scales.dtype not in ("U8", "F8_E8M0"):
        return None
    fits = codes.shape == (*scales.shape, 16)
    shape = (*scales.shape[:-1], scales.shape[-1] * 32) if fits else None
    return QuantizedWeight(stem, Layout.MXFP4, codes, {"scales": scales}, 2 * codes.elements, shape)


def _packed_fp4(name: str, codes: StoredTensor, tensors: Tensors) -> QuantizedWeight | None:
    """MXFP4 and NVFP4 with two codes per byte: `weight_packed` of compressed-tensors, `weight` of ModelOpt."""
    module, packed = _module(name), name.endswith("weight_packed")
    if packed:
        module = name.removesuffix("weight_packed")
    scales = tensors.get(f"{module}weight_scale")
    if codes.dtype != "U8" or scales is None or (not packed and not name.endswith("weight")):
        return None
    parts = _parts(tensors, module, scales="weight_scale", second="weight_scale_2", divisor="weight_global_scale")
    parts |= _parts(tensors, module, input="input_scale", input_global="input_global_scale")
    columns = 2 * codes.shape[-1] if codes.shape else 0
    layout = Layout.NVFP4 if scales.dtype == "F8_E4M3" else Layout.MXFP4
    group = 16 if layout is Layout.NVFP4 else 32
    has_second = "second" in parts or "divisor" in parts
    fits = scales.shape == (*codes.shape[:-1], columns // group) and columns % group == 0
    fits = fits and (has_second if layout is Layout.NVFP4 else scales.dtype in ("U8", "F8_E8M0"))
    shape = (*codes.shape[:-1], columns) if fits else None
    return QuantizedWeight(f"{module}weight", layout, codes, parts, 2 * codes.elements, shape)


def _packed_integers(name: str, codes: StoredTensor, tensors: Tensors) -> QuantizedWeight | None:
    module = name.removesuffix("weight_packed")
    if module == name or codes.dtype != "I32" or len(codes.shape) != 2:
        return None
    parts = _parts(tensors, module, scales="weight_scale", zeros="weight_zero_point", groups="weight_g_idx")
    parts |= _parts(tensors, module, shape="weight_shape")
    # Four bits are what such files have; the shape, which is data, tells it for certain.
    weights = 8 * codes.elements
    return QuantizedWeight(f"{module}weight", Layout.PACKED_INT, codes, parts, weights, None)


def _scaled(name: str, codes: StoredTensor, tensors: Tensors) -> QuantizedWeight | None:
    """FP8 and INT8, a byte per weight, with the scales that are beside it."""
    if codes.dtype not in (*FP8_TYPES, "I8") or is_scale(name, beside_quantized=False):
        return None
    module = _module(name)
    candidates = [f"{name}_scale_inv", f"{name}_scale"]
    if module != name:
        candidates += [f"{module}{last}" for last in ("scale", "qscale_weight", "scale_weight")]
    scales = next((tensors[each] for each in candidates if each in tensors), None)
    parts = {} if scales is None else {"scales": scales}
    parts |= _parts(tensors, module, input="input_scale", act="qscale_act", zeros="weight_zero_point")
    if codes.dtype == "I8":
        shape = codes.shape if scales is not None and "zeros" not in parts and _blocks(codes, scales) else None
        return None if scales is None else QuantizedWeight(name, Layout.INT8, codes, parts, codes.elements, shape)
    layout = Layout.FP8 if scales is None else _fp8_layout(codes, scales)
    fits = scales is None or (scales.dtype in (*_FLOATS, "F8_E8M0") and _blocks(codes, scales))
    return QuantizedWeight(name, layout, codes, parts, codes.elements, codes.shape if fits else None)


def _torchao(name: str, codes: StoredTensor, tensors: Tensors) -> QuantizedWeight | None:
    match = _TORCHAO.fullmatch(name)
    if match is None or match[2] not in ("qdata", "int_data"):
        return None
    before = name[: match.start(2)]
    parts = _parts(tensors, before, scales="scale", zeros="zero_point", both="scale_and_zero")
    weight = re.sub(r"([.:])_?weight$", ".weight", match["name"])
    return QuantizedWeight(weight, Layout.TORCHAO, codes, parts, codes.elements, None) if parts else None


def _gguf(name: str, codes: StoredTensor, tensors: Tensors) -> QuantizedWeight | None:
    if codes.dtype in ELEMENT_BYTES or types.stored_bytes(codes.dtype, codes.elements) != codes.bytes:
        return None
    restores = bool(codes.elements) and types.can_restore(codes.dtype)
    return QuantizedWeight(name, Layout.GGUF, codes, {}, codes.elements, codes.shape if restores else None)


def _fp8_layout(codes: StoredTensor, scales: StoredTensor) -> Layout:
    if scales.elements == 1:
        return Layout.FP8_TENSOR
    rows = math.prod(codes.shape[:-1])
    return Layout.FP8_CHANNEL if scales.elements == rows else Layout.FP8_BLOCK


def _blocks(codes: StoredTensor, scales: StoredTensor) -> bool:
    return block_shape(codes.shape, scales.shape) is not None


def block_shape(shape: tuple[int, ...], scales: tuple[int, ...]) -> tuple[int, ...] | None:
    """How many weights share a scale along each axis; None if the shapes do not fit. A block has 128 weights along an
    axis where that fits, as in DeepSeek's files, since the last block may be short."""
    if math.prod(scales) == 1:
        return shape
    if scales == shape[:-1]:  # a scale per row
        scales = (*scales, 1)
    if len(scales) != len(shape) or not all(scales):
        return None
    fits = all(size % count == 0 or -(-size // 128) == count for size, count in zip(shape, scales, strict=True))
    if not fits:
        return None
    return tuple(
        128 if -(-size // 128) == count and count > 1 else size // count
        for size, count in zip(shape, scales, strict=True)
    )


def _module(name: str) -> str:
    """'a.b.' for 'a.b.weight'; the name itself for one without a module."""
    return name.removesuffix("weight") if name.endswith(".weight") or name == "weight" else name


def _parts(tensors: Tensors, before: str, **names: str) -> dict[str, StoredTensor]:
    return {part: tensors[before + name] for part, name in names.items() if before + name in tensors}


_FINDERS: tuple[Callable[[str, StoredTensor, Tensors], QuantizedWeight | None], ...] = (
    _bitsandbytes4,
    _bitsandbytes8,
    _gptq_or_awq,
    _mxfp4_blocks,
    _packed_fp4,
    _packed_integers,
    _torchao,
    _scaled,
    _gguf,
)
