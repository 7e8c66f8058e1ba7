"""arith: integers. Two's complement of the declared width; division truncates, the remainder has the dividend's sign.

Structured operands give structured results; data (tensors) stays in tensors, whose arithmetic wraps by itself.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from core.tracing import affine, mask
from core.tracing.affine import Affine, Integer
from core.tracing.ir import Operation
from core.tracing.ops.lifting import tensor_arguments
from core.tracing.ops.registry import PureFunction, pure
from core.tracing.values import bit_array, to_integer, to_predicate, torch_dtype

Array = npt.NDArray[Any]


def unsigned_array(array: Array, bits: int) -> Array:
    """The same bits read as unsigned."""
    return array.astype(np.int64).view(np.uint64) if bits == 64 else array & ((1 << bits) - 1)


def _binary(operation: Operation, structured: Callable[[Integer, Integer], Integer], tensors: Any) -> PureFunction:
    types = tuple(value.type for value in operation.operands)
    bits = operation.result.type.bits

    def call(a: Any, b: Any) -> Any:
        arguments = tensor_arguments((a, b), types)
        if arguments is not None:
            return tensors(*arguments)
        return affine.fit(structured(a, b), bits)

    return call


@pure("arith.addi")
def _addi(operation: Operation) -> PureFunction:
    if operation.result.type.element == "i1":
        return _logic(operation, operator.xor)
    return _binary(operation, affine.add, operator.add)


@pure("arith.subi")
def _subi(operation: Operation) -> PureFunction:
    return _binary(operation, affine.subtract, operator.sub)


@pure("arith.muli")
def _muli(operation: Operation) -> PureFunction:
    if operation.result.type.element == "i1":
        return _logic(operation, operator.and_)
    return _binary(operation, affine.multiply, operator.mul)


def truncated_quotient(a: Array, b: Array) -> Array:
    """Division towards zero; 0 where the divisor is 0, which the hardware leaves undefined."""
    safe = np.where(b == 0, 1, b)
    quotient = np.abs(a) // np.abs(safe)
    result: Array = np.where((a < 0) != (b < 0), -quotient, quotient) * (b != 0)
    return result


def _quotient(a: Integer, b: Integer) -> Integer:
    if not isinstance(a, Affine) and not isinstance(b, Affine):
        return int(abs(a) // abs(b)) * (1 if (a < 0) == (b < 0) else -1) if b else 0
    if isinstance(a, Affine) and not isinstance(b, Affine) and a.low >= 0 and b > 0:
        return 0 if a.high < b else affine.apply(lambda x: x // b, a)
    return affine.apply(truncated_quotient, a, b)


def _remainder(a: Integer, b: Integer) -> Integer:
    if isinstance(a, Affine) and not isinstance(b, Affine) and a.low >= 0 and b > 0:
        return a if a.high < b else affine.apply(lambda x: x % b, a)
    return affine.subtract(a, affine.multiply(_quotient(a, b), b))


def _safe(divisor: torch.Tensor) -> torch.Tensor:
    return torch.where(divisor == 0, torch.ones_like(divisor), divisor)


@pure("arith.divsi")
def _divsi(operation: Operation) -> PureFunction:
    return _binary(operation, _quotient, lambda a, b: torch.div(a, _safe(b), rounding_mode="trunc"))


@pure("arith.remsi")
def _remsi(operation: Operation) -> PureFunction:
    return _binary(operation, _remainder, lambda a, b: torch.fmod(a, _safe(b)))


@pure("arith.floordivsi")
def _floordivsi(operation: Operation) -> PureFunction:
    def floor(a: Array, b: Array) -> Array:
        result: Array = a // np.where(b == 0, 1, b)
        return result

    return _elementwise(operation, floor, lambda a, b: torch.div(a, _safe(b), rounding_mode="floor"))


@pure("arith.ceildivsi")
def _ceildivsi(operation: Operation) -> PureFunction:
    def ceiling(a: Array, b: Array) -> Array:
        result: Array = -(-a // np.where(b == 0, 1, b))
        return result

    return _elementwise(operation, ceiling, lambda a, b: -torch.div(-a, _safe(b), rounding_mode="floor"))


def _elementwise(operation: Operation, arrays: Callable[..., Array], tensors: Any) -> PureFunction:
    """A function that needs each element: structured operands are summed first."""

    def structured(a: Integer, b: Integer) -> Integer:
        if not isinstance(a, Affine) and not isinstance(b, Affine):
            return int(arrays(np.int64(a), np.int64(b)))
        return affine.apply(arrays, a, b)

    return _binary(operation, structured, tensors)


def _minimum(a: Integer, b: Integer) -> Integer:
    if not isinstance(a, Affine) and not isinstance(b, Affine):
        return min(a, b)
    (a_low, a_high), (b_low, b_high) = _bounds(a), _bounds(b)
    if a_high <= b_low:
        return a
    return b if b_high <= a_low else affine.apply(np.minimum, a, b)


def _maximum(a: Integer, b: Integer) -> Integer:
    return affine.scale(_minimum(affine.scale(a, -1), affine.scale(b, -1)), -1)


def _bounds(value: Integer) -> tuple[int, int]:
    return (value.low, value.high) if isinstance(value, Affine) else (value, value)


@pure("arith.minsi")
def _minsi(operation: Operation) -> PureFunction:
    return _binary(operation, _minimum, torch.minimum)


@pure("arith.maxsi")
def _maxsi(operation: Operation) -> PureFunction:
    return _binary(operation, _maximum, torch.maximum)


@pure("arith.divui", "arith.remui", "arith.minui", "arith.maxui", "arith.shrui", "tt.mulhiui")
def _unsigned(operation: Operation) -> PureFunction:
    """Operands and result are read as unsigned numbers of the declared width."""
    bits = operation.result.type.bits
    functions: dict[str, Callable[[Array, Array], Array]] = {
        "divui": lambda a, b: a // np.where(b == 0, 1, b).astype(a.dtype),
        "remui": lambda a, b: a % np.where(b == 0, 1, b).astype(a.dtype),
        "minui": np.minimum,
        "maxui": np.maximum,
        "shrui": lambda a, b: np.where(b < bits, a >> np.minimum(b, bits - 1).astype(a.dtype), 0),
        "mulhiui": lambda a, b: _high_product(a, b, bits),
    }
    function = functions[operation.name.split(".")[1]]

    def arrays(a: Array, b: Array) -> Array:
        result = function(unsigned_array(np.asarray(a), bits), unsigned_array(np.asarray(b), bits))
        return result.astype(np.uint64).view(np.int64) if bits == 64 else result

    return _elementwise(operation, arrays, _through_numpy(operation, arrays))


def _high_product(a: Array, b: Array, bits: int) -> Array:
    """The upper half of the double-width product."""
    if bits <= 32:
        product: Array = (a.astype(np.uint64) * b.astype(np.uint64)) >> np.uint64(bits)
        return product.astype(np.int64)
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    a0, a1, b0, b1 = a & low, a >> half, b & low, b >> half
    middle = (a0 * b0 >> half) + (a1 * b0 & low) + (a0 * b1 & low)
    result: Array = a1 * b1 + (a1 * b0 >> half) + (a0 * b1 >> half) + (middle >> half)
    return result


def _through_numpy(operation: Operation, arrays: Callable[..., Array]) -> Callable[..., torch.Tensor]:
    """For operations that torch has no unsigned form of."""
    element = operation.result.type.element

    def call(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        result = arrays(a.cpu().numpy().astype(np.int64), b.cpu().numpy().astype(np.int64))
        return torch.from_numpy(np.asarray(result, dtype=np.int64)).to(device=a.device, dtype=torch_dtype(element))

    return call


@pure("arith.shli")
def _shli(operation: Operation) -> PureFunction:
    def structured(a: Integer, b: Integer) -> Integer:
        if not isinstance(b, Affine) and 0 <= b < 63:
            return affine.scale(a, 1 << b)
        return affine.apply(np.left_shift, a, b) if isinstance(a, Affine) or isinstance(b, Affine) else 0

    return _binary(operation, structured, torch.bitwise_left_shift)


@pure("arith.shrsi")
def _shrsi(operation: Operation) -> PureFunction:
    return _elementwise(operation, np.right_shift, torch.bitwise_right_shift)


def _logic(operation: Operation, function: Callable[[Any, Any], Any]) -> PureFunction:
    types = tuple(value.type for value in operation.operands)

    def on_masks(a: Any, b: Any) -> Any:
        arguments = tensor_arguments((a, b), types)
        if arguments is not None:
            return function(*arguments)
        if isinstance(a, bool) and isinstance(b, bool):
            return function(a, b)
        if function is operator.and_:
            return mask.both(a, b)
        for constant, other in ((a, b), (b, a)):
            if isinstance(constant, bool):
                if function is operator.or_:
                    return True if constant else other
                return mask.invert(other) if constant else other
        return mask.from_array(function(a.array, b.array))

    if operation.result.type.element == "i1":
        return on_masks
    return _elementwise(operation, function, function)


@pure("arith.andi")
def _andi(operation: Operation) -> PureFunction:
    return _logic(operation, operator.and_)


@pure("arith.ori")
def _ori(operation: Operation) -> PureFunction:
    return _logic(operation, operator.or_)


@pure("arith.xori")
def _xori(operation: Operation) -> PureFunction:
    return _logic(operation, operator.xor)


_SIGNED = {"slt": "lt", "sle": "le", "sgt": "gt", "sge": "ge", "ult": "lt", "ule": "le", "ugt": "gt", "uge": "ge"}


@pure("arith.cmpi")
def _cmpi(operation: Operation) -> PureFunction:
    word = operation.attributes["words"][0]
    predicate = _SIGNED.get(word, word)
    unsigned = word[0] == "u"
    types = tuple(value.type for value in operation.operands)
    bits = types[0].bits
    compare = getattr(operator, predicate)

    def call(a: Any, b: Any) -> Any:
        arguments = tensor_arguments((a, b), types)
        if arguments is not None:
            if not unsigned:
                return compare(*arguments)
            left, right = (unsigned_array(t.cpu().numpy().astype(np.int64), bits) for t in arguments)
            return torch.from_numpy(np.asarray(compare(left, right))).to(arguments[0].device)
        if bits == 1:
            a, b = (affine.from_array(bit_array(v, t.rank), t.rank) for v, t in zip((a, b), types, strict=True))
        if unsigned and (_bounds(a)[0] < 0 or _bounds(b)[0] < 0):
            rank = types[0].rank
            left, right = (unsigned_array(affine.dense(v, rank), bits) for v in (a, b))
            return mask.from_array(compare(left, right))
        return mask.compare(predicate, a, b)

    return call


@pure("arith.extsi", "arith.extui", "arith.trunci", "arith.index_cast", "arith.index_castui")
def _width(operation: Operation) -> PureFunction:
    source, target = operation.operands[0].type, operation.result.type
    unsigned = operation.name.endswith("ui")

    def call(a: Any) -> Any:
        if isinstance(a, torch.Tensor):
            return _tensor_width(a, source.bits, target.element, unsigned)
        if source.bits == 1:
            a = affine.from_array(bit_array(a, source.rank), source.rank)
            return a if unsigned else affine.scale(a, -1)
        if target.bits == 1:
            odd = affine.apply(lambda x: x & 1, a) if isinstance(a, Affine) else a & 1
            return mask.compare("ne", odd, 0)
        if unsigned and _bounds(a)[0] < 0:
            a = (
                affine.apply(lambda x: x & ((1 << source.bits) - 1), a)
                if isinstance(a, Affine)
                else a % (1 << source.bits)
            )
        return affine.fit(a, target.bits)

    return call


def _tensor_width(a: torch.Tensor, bits: int, element: str, unsigned: bool) -> torch.Tensor:
    dtype = torch_dtype(element)
    if dtype == torch.bool:
        return (a & 1).to(torch.bool)
    if bits == 1 and not unsigned:
        return -a.to(dtype)
    if unsigned and 1 < bits < 64:
        return (a.to(torch.int64) & ((1 << bits) - 1)).to(dtype)
    return a.to(dtype)


@pure("math.absi")
def _absi(operation: Operation) -> PureFunction:
    def call(a: Any) -> Any:
        if isinstance(a, torch.Tensor):
            return a.abs()
        return affine.apply(np.abs, a) if isinstance(a, Affine) else abs(a)

    return call


@pure("arith.mulsi_extended", "arith.mului_extended")
def _extended(operation: Operation) -> PureFunction:
    """Low and high half of the double-width product (32 bits and fewer)."""
    bits, rank = operation.result.type.bits, operation.result.type.rank
    unsigned = operation.name.startswith("arith.mului")

    def call(a: Any, b: Any) -> tuple[Any, Any]:
        left, right = (affine.dense(to_integer(v), rank) for v in (a, b))
        if unsigned:
            left, right = unsigned_array(left, bits), unsigned_array(right, bits)
        product = left.astype(object) * right.astype(object)
        low = affine.from_array(_wrapped(product, bits), rank)
        return low, affine.from_array(_wrapped(product >> bits, bits), rank)

    return call


def _wrapped(array: Array, bits: int) -> Array:
    half = 1 << (bits - 1)
    return np.asarray((array + half) % (1 << bits) - half, dtype=np.int64)


@pure("llvm.intr.assume")
def _assume(operation: Operation) -> PureFunction:
    return lambda condition: to_predicate(condition) and ()
