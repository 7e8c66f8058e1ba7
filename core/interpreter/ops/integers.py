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

from core.interpreter.ir import Operation
from core.interpreter.ops.elementwise import tensor_arguments
from core.interpreter.ops.one_bit import ARITHMETIC, logic
from core.interpreter.ops.registry import PureFunction, pure
from core.interpreter.values import to_integer, torch_dtype
from core.trace import affine
from core.trace.affine import Affine, Integer

Array = npt.NDArray[Any]


def unsigned_array(array: Array, bits: int) -> Array:
    """The same bits read as unsigned."""
    return array.astype(np.int64).view(np.uint64) if bits == 64 else array & ((1 << bits) - 1)


def _binary(operation: Operation, structured: Callable[[Integer, Integer], Integer], tensors: Any) -> PureFunction:
    types = tuple(value.type for value in operation.operands)
    bits = operation.result.type.bits
    if bits == 1 and operation.name in ARITHMETIC:
        return logic(operation, ARITHMETIC[operation.name])

    def call(a: Any, b: Any) -> Any:
        arguments = tensor_arguments((a, b), types)
        if arguments is not None:
            return tensors(*arguments)
        return affine.fit(structured(a, b), bits)

    return call


@pure("arith.addi")
def _addi(operation: Operation) -> PureFunction:
    return _binary(operation, affine.add, operator.add)


@pure("arith.subi")
def _subi(operation: Operation) -> PureFunction:
    return _binary(operation, affine.subtract, operator.sub)


@pure("arith.muli")
def _muli(operation: Operation) -> PureFunction:
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


def _or_by_zero(quotient: torch.Tensor, divisor: torch.Tensor, undefined: Any) -> torch.Tensor:
    """`undefined` where the divisor is 0: quotient 0 and the dividend as remainder, as structured values have it."""
    return torch.where(divisor == 0, undefined, quotient)


@pure("arith.divsi")
def _divsi(operation: Operation) -> PureFunction:
    return _binary(operation, _quotient, lambda a, b: _or_by_zero(torch.div(a, _safe(b), rounding_mode="trunc"), b, 0))


@pure("arith.remsi")
def _remsi(operation: Operation) -> PureFunction:
    return _binary(operation, _remainder, lambda a, b: _or_by_zero(torch.fmod(a, _safe(b)), b, a))


@pure("arith.floordivsi")
def _floordivsi(operation: Operation) -> PureFunction:
    def floor(a: Array, b: Array) -> Array:
        result: Array = a // np.where(b == 0, 1, b)
        return result

    return elementwise(operation, floor, lambda a, b: torch.div(a, _safe(b), rounding_mode="floor"))


@pure("arith.ceildivsi")
def _ceildivsi(operation: Operation) -> PureFunction:
    def ceiling(a: Array, b: Array) -> Array:
        result: Array = -(-a // np.where(b == 0, 1, b))
        return result

    return elementwise(operation, ceiling, lambda a, b: -torch.div(-a, _safe(b), rounding_mode="floor"))


def elementwise(operation: Operation, arrays: Callable[..., Array], tensors: Any) -> PureFunction:
    """A function of single elements: structured operands are summed first."""

    def structured(a: Integer, b: Integer) -> Integer:
        if not isinstance(a, Affine) and not isinstance(b, Affine):
            return int(arrays(np.int64(a), np.int64(b)))
        return affine.apply(arrays, a, b)

    return _binary(operation, structured, tensors)


def _minimum(a: Integer, b: Integer) -> Integer:
    if not isinstance(a, Affine) and not isinstance(b, Affine):
        return min(a, b)
    (a_low, a_high), (b_low, b_high) = bounds(a), bounds(b)
    if a_high <= b_low:
        return a
    return b if b_high <= a_low else affine.apply(np.minimum, a, b)


def _maximum(a: Integer, b: Integer) -> Integer:
    return affine.scale(_minimum(affine.scale(a, -1), affine.scale(b, -1)), -1)


def bounds(value: Integer) -> tuple[int, int]:
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
        "divui": lambda a, b: np.where(b == 0, 0, a // np.where(b == 0, 1, b).astype(a.dtype)),
        "remui": lambda a, b: np.where(b == 0, a, a % np.where(b == 0, 1, b).astype(a.dtype)),
        "minui": np.minimum,
        "maxui": np.maximum,
        "shrui": lambda a, b: np.where(b < bits, a >> np.minimum(b, bits - 1).astype(a.dtype), 0),
        "mulhiui": lambda a, b: _high_product(a, b, bits),
    }
    function = functions[operation.name.split(".")[1]]

    def arrays(a: Array, b: Array) -> Array:
        result = function(unsigned_array(np.asarray(a), bits), unsigned_array(np.asarray(b), bits))
        return result.astype(np.uint64).view(np.int64) if bits == 64 else result

    return elementwise(operation, arrays, _through_numpy(operation, arrays))


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
    """For operations without an unsigned form in torch."""
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
    return elementwise(operation, np.right_shift, torch.bitwise_right_shift)


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
