"""libdevice: arithmetic and conversions with a rounding mode: to nearest (rn), to zero (rz), down (rd) and up (ru)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from core.interpreter.ops.elementwise import TensorFunction

Exact = tuple[torch.Tensor, torch.Tensor]
"""A result in float64, and a number with the sign of what is missing."""


def fused(a: torch.Tensor, b: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    return (a.double() * b.double() + c.double()).to(a.dtype)


_NEAREST: dict[str, TensorFunction] = {
    "add": torch.add,
    "div": torch.div,
    "fma": fused,
    "mul": torch.mul,
    "rcp": torch.reciprocal,
    "rsqrt": torch.rsqrt,
    "sqrt": torch.sqrt,
    "sub": torch.sub,
}


def rounded_arithmetic(name: str) -> TensorFunction | None:
    """Such as 'fadd_rz', 'ddiv_rn' or 'fmaf_ru'. Only to nearest in double precision."""
    match = re.fullmatch(r"([fd]?)(add|sub|mul|div|rcp|sqrt|rsqrt|fma|ma)(f?)_(r[nzdu])", name)
    if match is None:
        return None
    operation, mode = "fma" if match[2] == "ma" else match[2], match[4]
    if mode == "rn":
        return _NEAREST[operation]
    exact = _EXACT.get(operation)
    if exact is None or match[1] == "d" or (operation == "fma" and match[3] != "f"):
        return None
    return lambda *operands: _directed(*exact(*(x.double() for x in operands)), mode)


def _sum(a: torch.Tensor, b: torch.Tensor) -> Exact:
    """Knuth's two-sum: the error is exact."""
    total = a + b
    other = total - a
    return total, (a - (total - other)) + (b - other)


def _quotient(a: torch.Tensor, b: torch.Tensor) -> Exact:
    quotient = (a / b).float().double()
    return quotient, (a - quotient * b) * b.sign()  # the product of two float32 is exact in float64


def _root(a: torch.Tensor) -> Exact:
    root = a.sqrt().float().double()
    return root, a - root * root


_EXACT: dict[str, Callable[..., Exact]] = {
    "add": _sum,
    "sub": lambda a, b: _sum(a, -b),
    "mul": lambda a, b: (a * b, torch.zeros_like(a)),
    "fma": lambda a, b, c: _sum(a * b, c),
    "div": _quotient,
    "rcp": lambda a: _quotient(torch.ones_like(a), a),
    "sqrt": _root,
}
"""Of float32 operands as float64."""


def _directed(value: torch.Tensor, missing: torch.Tensor, mode: str) -> torch.Tensor:
    """The float32 next to value + missing in the direction of `mode`."""
    nearest = value.float()
    above = torch.where(value == nearest.double(), missing, value - nearest.double())  # > 0: the exact value is above
    if mode == "rz":
        down = torch.where(nearest > 0, above < 0, torch.zeros_like(above, dtype=torch.bool))
        up = torch.where(nearest < 0, above > 0, torch.zeros_like(above, dtype=torch.bool))
    else:
        down, up = (above < 0) & (mode == "rd"), (above > 0) & (mode == "ru")
    lower = torch.nextafter(nearest, torch.full_like(nearest, -torch.inf))
    upper = torch.nextafter(nearest, torch.full_like(nearest, torch.inf))
    return torch.where(down, lower, torch.where(up, upper, nearest))


_INTEGERS: dict[str, type[np.integer[Any]]] = {"int": np.int32, "uint": np.uint32, "ll": np.int64, "ull": np.uint64}
_WHOLE = {"rn": torch.round, "rz": torch.trunc, "rd": torch.floor, "ru": torch.ceil}


def conversion(name: str) -> TensorFunction | None:
    """Such as 'float2int_rn', 'uint2float_rz' or 'double2float_rd'."""
    match = re.fullmatch(r"(float|double|u?int|u?ll)2(float|double|u?int|u?ll)_(r[nzdu])", name)
    if match is None:
        return None
    source, target, mode = match.groups()
    if target in _INTEGERS:
        return lambda a: _to_integers(_WHOLE[mode](a.double()), _INTEGERS[target])
    if source in _INTEGERS:
        if target == "double" and source in ("ll", "ull") and mode != "rn":
            return None
        return lambda a: _from_integers(a, _INTEGERS[source], target, mode)
    return lambda a: a if mode == "rn" else _directed(a.double(), torch.zeros_like(a.double()), mode)


def _to_integers(whole: torch.Tensor, kind: type[np.integer[Any]]) -> torch.Tensor:
    """Numbers beyond the type become its largest or smallest, and NaN becomes 0."""
    limits, array = np.iinfo(kind), whole.nan_to_num(0.0, torch.inf, -torch.inf).cpu().numpy()
    inside = np.where((array >= float(limits.max)) | (array <= float(limits.min)), 0, array).astype(kind)
    result = np.where(array >= float(limits.max), limits.max, np.where(array <= float(limits.min), limits.min, inside))
    signed = result.astype(kind).view(np.int64 if limits.bits == 64 else np.int32)
    return torch.from_numpy(np.ascontiguousarray(signed)).to(whole.device)


def _from_integers(a: torch.Tensor, kind: type[np.integer[Any]], target: str, mode: str) -> torch.Tensor:
    numbers = np.ascontiguousarray(a.cpu().numpy()).view(kind)
    nearest = torch.from_numpy(numbers.astype(np.float64 if target == "double" else np.float32)).to(a.device)
    if mode == "rn" or target == "double":
        return nearest
    # What float32 lost, exactly: both are whole numbers.
    lost = (numbers.astype(object) - nearest.cpu().double().numpy().astype(object)).astype(np.float64)
    return _directed(nearest.double(), torch.from_numpy(np.asarray(lost)).to(a.device), mode)
