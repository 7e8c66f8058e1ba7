"""arith: bits, predicates and the width of integers."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import torch

from core.interpreter.ir import Operation
from core.interpreter.ops.elementwise import tensor_arguments
from core.interpreter.ops.integers import bounds, elementwise, unsigned_array
from core.interpreter.ops.one_bit import Logic, logic
from core.interpreter.ops.registry import PureFunction, pure
from core.interpreter.values import bit_array, to_predicate, torch_dtype
from core.trace import affine, mask
from core.trace.affine import Affine


def _logic(operation: Operation, function: Logic) -> PureFunction:
    if operation.result.type.element == "i1":
        return logic(operation, function)
    return elementwise(operation, function, function)


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
        if unsigned and (bounds(a)[0] < 0 or bounds(b)[0] < 0):
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
        if unsigned and bounds(a)[0] < 0:
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


@pure("llvm.intr.assume")
def _assume(operation: Operation) -> PureFunction:
    return lambda condition: to_predicate(condition) and ()
