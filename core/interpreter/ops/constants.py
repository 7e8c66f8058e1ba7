"""Constants: splats stay Python numbers, anything else is a structured value or a tensor with one lane."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import torch

from core.interpreter.ir import Operation, Type
from core.interpreter.ops.elementwise import rounded
from core.interpreter.ops.registry import PureFunction, pure
from core.interpreter.values import device, torch_dtype
from core.trace import affine


@pure("arith.constant")
def _constant(operation: Operation) -> PureFunction:
    type_ = operation.result.type
    value = literal(operation.attributes["words"][0], type_)
    if isinstance(value, torch.Tensor):
        return lambda: value.to(device())
    return lambda: value


def literal(word: Any, type_: Type) -> Any:
    """The value that MLIR printed as `word`: a number, a boolean, a bit pattern '0x..', or nested tuples of them."""
    if isinstance(word, tuple):
        numbers = np.array(_map(word, type_))
        if type_.is_integer:
            return affine.from_array(numbers.reshape(1, *type_.dims), type_.rank)
        return torch.tensor(numbers, dtype=torch_dtype(type_.element)).reshape(1, *type_.dims)
    return _number(word, type_)


def _map(word: Any, type_: Type) -> Any:
    return [_map(w, type_) for w in word] if isinstance(word, tuple) else _number(word, type_)


def _number(word: Any, type_: Type) -> Any:
    if type_.element == "i1":
        return bool(word)
    if type_.is_integer:
        return affine.wrap(int(word, 16) if isinstance(word, str) else int(word), type_.bits)
    if isinstance(word, str):
        return _from_bits(int(word, 16), type_.element)
    return rounded(float(word), type_.element)


def _from_bits(bits: int, element: str) -> float:
    """The float whose bit pattern is `bits`: how MLIR prints infinities and NaN."""
    if element == "bf16":
        return float(struct.unpack("<f", struct.pack("<I", bits << 16))[0])
    code = {"f16": "He", "f32": "If", "f64": "Qd"}.get(element)
    if code is not None:
        return float(struct.unpack(f"<{code[1]}", struct.pack(f"<{code[0]}", bits))[0])
    return float(torch.tensor([bits], dtype=torch.uint8).view(torch_dtype(element)).item())
