"""arith, math and tt: floating point. Every operation rounds to its type, as torch rounds."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import torch

from core.interpreter.ir import Operation
from core.interpreter.ops.elementwise import TensorFunction, float_function, rounded, scalar_tensor
from core.interpreter.ops.registry import PureFunction, pure
from core.interpreter.values import Pointer, device, to_predicate, to_torch, torch_dtype, zero_of
from core.trace import affine, mask
from core.trace.affine import Affine
from core.trace.mask import Mask

_OPERATORS: dict[str, TensorFunction] = {
    "arith.addf": operator.add,
    "arith.subf": operator.sub,
    "arith.mulf": operator.mul,
    "arith.divf": operator.truediv,
    "tt.precise_divf": operator.truediv,
    "arith.negf": operator.neg,
}

_FUNCTIONS: dict[str, TensorFunction] = {
    "arith.maximumf": torch.maximum,
    "arith.minimumf": torch.minimum,
    "arith.maxnumf": torch.fmax,
    "arith.minnumf": torch.fmin,
    "arith.remf": torch.fmod,
    "math.absf": torch.abs,
    "math.ceil": torch.ceil,
    "math.cos": torch.cos,
    "math.erf": torch.erf,
    "math.exp": torch.exp,
    "math.exp2": torch.exp2,
    "math.floor": torch.floor,
    "math.log": torch.log,
    "math.log2": torch.log2,
    "math.rsqrt": torch.rsqrt,
    "math.sin": torch.sin,
    "math.sqrt": torch.sqrt,
    "math.tanh": torch.tanh,
    "tt.precise_sqrt": torch.sqrt,
}


@pure(*_OPERATORS)
def _operators(operation: Operation) -> PureFunction:
    return float_function(operation, _OPERATORS[operation.name], scalars_pass=True)


@pure(*_FUNCTIONS)
def _functions(operation: Operation) -> PureFunction:
    return float_function(operation, _FUNCTIONS[operation.name])


@pure("math.fma")
def _fma(operation: Operation) -> PureFunction:
    """A fused multiply-add with one rounding: exact in float64 for every narrower type."""
    dtype = torch_dtype(operation.result.type.element)
    return float_function(operation, lambda a, b, c: (a.double() * b.double() + c.double()).to(dtype))


@pure("tt.clampf")
def _clampf(operation: Operation) -> PureFunction:
    propagate = operation.attributes.get("propagateNan") == "all"
    low, high = (torch.maximum, torch.minimum) if propagate else (torch.fmax, torch.fmin)
    return float_function(operation, lambda x, minimum, maximum: high(low(x, minimum), maximum))


@pure("arith.sitofp", "arith.uitofp")
def _from_integer(operation: Operation) -> PureFunction:
    source, element = operation.operands[0].type, operation.result.type.element
    dtype = torch_dtype(element)
    unsigned = operation.name == "arith.uitofp"

    def call(a: Any) -> Any:
        if isinstance(a, bool | int):
            number = float(a)
            if unsigned and number < 0:
                number += 2.0**source.bits
            return rounded(-number if source.bits == 1 and not unsigned else number, element)
        tensor = to_torch(a, source) if isinstance(a, Affine | Mask) else a
        if source.bits == 1:
            return tensor.to(dtype) if unsigned else -tensor.to(dtype)
        if unsigned and source.bits < 64:
            tensor = tensor.to(torch.int64) & ((1 << source.bits) - 1)
        return tensor.to(dtype)

    return call


@pure("arith.fptosi", "arith.fptoui")
def _to_integer(operation: Operation) -> PureFunction:
    """Towards zero. Values outside the range are undefined in the IR, and here."""
    target = operation.result.type
    dtype = torch_dtype(target.element)

    def call(a: Any) -> Any:
        if not isinstance(a, torch.Tensor):
            return affine.wrap(int(a), target.bits)
        return a.to(torch.int64).to(dtype) if operation.name == "arith.fptoui" else a.to(dtype)

    return call


@pure("arith.bitcast", "tt.bitcast")
def _bitcast(operation: Operation) -> PureFunction:
    source, target = operation.operands[0].type, operation.result.type
    if source.element == target.element or source.pointer:
        return lambda a: a  # pointers to elements of another width are recast: see pointers.py
    dtype = torch_dtype(target.element)

    def call(a: Any) -> Any:
        result = to_torch(a, source).contiguous().view(dtype)
        return result.item() if result.numel() == 1 and not isinstance(a, torch.Tensor) else result

    return call


_FLOAT_PREDICATES = {"eq": operator.eq, "ne": operator.ne, "gt": operator.gt, "ge": operator.ge}
_FLOAT_PREDICATES |= {"lt": operator.lt, "le": operator.le}


@pure("arith.cmpf")
def _cmpf(operation: Operation) -> PureFunction:
    """Ordered predicates are false for NaN, unordered ones true."""
    word = next(w for w in operation.attributes["words"] if w in _CMPF_WORDS)
    return float_function(operation, _CMPF_WORDS[word])


def _ordered(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return ~(torch.isnan(a) | torch.isnan(b))


_CMPF_WORDS: dict[str, TensorFunction] = {
    "ord": _ordered,
    "uno": lambda a, b: ~_ordered(a, b),
    "one": lambda a, b: (a != b) & _ordered(a, b),
    "une": operator.ne,
    **{f"o{name}": compare for name, compare in _FLOAT_PREDICATES.items() if name != "ne"},
    "ueq": lambda a, b: (a == b) | ~_ordered(a, b),
    "ult": lambda a, b: ~(a >= b),
    "ule": lambda a, b: ~(a > b),
    "ugt": lambda a, b: ~(a <= b),
    "uge": lambda a, b: ~(a < b),
}


@pure("arith.select")
def _select(operation: Operation) -> PureFunction:
    condition_type, type_ = operation.operands[0].type, operation.result.type

    def call(condition: Any, a: Any, b: Any) -> Any:
        if isinstance(condition, bool):
            return a if condition else b
        if type_.pointer:
            return _select_pointer(operation, condition, a, b)
        structured = isinstance(condition, Mask) and not isinstance(a, torch.Tensor) and not isinstance(b, torch.Tensor)
        if structured and not type_.is_float:
            return _select_structured(condition, a, b, type_.rank, type_.element == "i1")
        where = to_torch(condition, condition_type)
        if where.dim() < type_.rank + 1:
            where = where.view(-1, *(1,) * type_.rank)
        dtype = torch_dtype(type_.element)
        values = (
            scalar_tensor(v, dtype, device()) if isinstance(v, bool | int | float) else to_torch(v, type_)
            for v in (a, b)
        )
        return torch.where(where, *values)

    return call


def _select_structured(condition: Mask, a: Any, b: Any, rank: int, boolean: bool) -> Any:
    where = condition.array.reshape(-1, *(1,) * rank) if condition.array.ndim < rank + 1 else condition.array
    if boolean:
        left, right = (v.array if isinstance(v, Mask) else np.bool_(v) for v in (a, b))
        return mask.from_array(np.where(where, left, right))
    return affine.from_array(np.where(where, affine.dense(a, rank), affine.dense(b, rank)), rank)


def _select_pointer(operation: Operation, condition: Any, a: Pointer, b: Pointer) -> Pointer:
    rank, where = operation.result.type.rank, to_predicate(condition)
    if isinstance(where, bool):
        return a if where else b
    offset = _select_structured(where, a.offset, b.offset, rank, False)
    if not isinstance(a.buffer, Affine) and a.buffer == b.buffer:
        return Pointer(a.buffer, offset)
    return Pointer(_select_structured(where, a.buffer, b.buffer, rank, False), offset)


@pure("ub.poison")
def _poison(operation: Operation) -> PureFunction:
    zero = zero_of(operation.result.type)
    return lambda: zero
