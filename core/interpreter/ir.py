"""TTIR as frozen data: types, values, operations, blocks, modules.

Triton's target-independent IR is an MLIR dialect. These classes hold only its textual form, so that reading it needs
neither MLIR nor Triton.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.contracts.text import Text, tr, verbatim

SHADOW = "(shadow)"
"""The name of the values that `core.interpreter.shadows` adds."""

_INTEGER_BITS = {"i1": 1, "i4": 4, "i8": 8, "i16": 16, "i32": 32, "i64": 64, "index": 64}
_FLOAT_BITS = {
    "f16": 16,
    "bf16": 16,
    "f32": 32,
    "f64": 64,
    "f8E4M3FN": 8,
    "f8E5M2": 8,
    "f8E4M3FNUZ": 8,
    "f8E5M2FNUZ": 8,
}


@dataclass(frozen=True)
class Type:
    """A scalar or a tensor of `element`s (an MLIR element name such as 'i32' or 'bf16').

    `shape` is None for a scalar. With `pointer`, each element is a pointer to `element`. With `space`, it is no tensor
    but where one lies: 'shared' or 'tensor' memory, or 'global' for a descriptor. `layout` is what MLIR printed for the
    layout there; in registers a layout changes no value and is not kept.
    """

    element: str
    shape: tuple[int, ...] | None = None
    pointer: bool = False
    space: str = ""
    layout: str = ""

    @property
    def rank(self) -> int:
        return 0 if self.shape is None else len(self.shape)

    @property
    def dims(self) -> tuple[int, ...]:
        """The shape, () for a scalar."""
        return self.shape or ()

    @property
    def is_integer(self) -> bool:
        return not self.pointer and not self.space and self.element in _INTEGER_BITS

    @property
    def is_float(self) -> bool:
        return not self.pointer and not self.space and self.element in _FLOAT_BITS

    @property
    def bits(self) -> int:
        """Width of one element; 64 for a pointer."""
        if self.pointer:
            return 64
        return _INTEGER_BITS.get(self.element) or _FLOAT_BITS.get(self.element) or 0

    @property
    def element_bytes(self) -> int:
        """Bytes of an element in memory; of a pointer, those of what it points to."""
        bits = _INTEGER_BITS.get(self.element) or _FLOAT_BITS.get(self.element) or 0
        return max(bits, 8) // 8

    def with_element(self, element: str, pointer: bool = False) -> Type:
        return Type(element, self.shape, pointer)

    def __str__(self) -> str:
        scalar = f"!tt.ptr<{self.element}>" if self.pointer else self.element
        return scalar if self.shape is None else f"tensor<{'x'.join(map(str, self.shape))}x{scalar}>"


@dataclass(frozen=True)
class Location:
    """The source location of an operation: the innermost one outside Triton's own library.

    `names` are the Python variables that MLIR attached, outermost first; `callers` the call sites, innermost first.
    """

    file: str = ""
    line: int = 0
    column: int = 0
    names: tuple[str, ...] = ()
    callers: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        return str(self.label)

    @property
    def label(self) -> Text:
        """File and line, for sentences."""
        return verbatim(f"{self.file}:{self.line}") if self.file else tr("an unknown line")


UNKNOWN_LOCATION = Location()


@dataclass(frozen=True)
class Value:
    """An SSA value. `slot` is its index in the function's environment, `name` what MLIR printed after '%'."""

    slot: int
    name: str
    type: Type


@dataclass(frozen=True, eq=False)
class Operation:
    """One operation, equal only to itself. `attributes` hold int, float, bool, str, Type, or tuples of them."""

    name: str
    results: tuple[Value, ...]
    operands: tuple[Value, ...]
    attributes: Mapping[str, Any]
    regions: tuple[Block, ...]
    location: Location

    @property
    def result(self) -> Value:
        return self.results[0]


@dataclass(frozen=True, eq=False)
class Block:
    """A region of one block, which is enough for the structured control flow that Triton emits."""

    arguments: tuple[Value, ...]
    operations: tuple[Operation, ...]

    @property
    def terminator(self) -> Operation:
        return self.operations[-1]

    def walk(self) -> Iterator[Operation]:
        """Every operation, with the operations of nested regions after their owner."""
        for operation in self.operations:
            yield operation
            for region in operation.regions:
                yield from region.walk()


@dataclass(frozen=True)
class Function:
    """A `tt.func`. `slots` is the size of the environment that holds all of its values.

    `divisors` are the arguments, by position, that the compiler takes for multiples of a number (a pointer: of bytes).
    """

    name: str
    public: bool
    arguments: tuple[Value, ...]
    body: Block
    slots: int
    location: Location
    divisors: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Module:
    """The printed module of one kernel. `functions` are by name; `entry` is the public one."""

    functions: Mapping[str, Function] = field(default_factory=dict)

    @property
    def entry(self) -> Function:
        return next(f for f in self.functions.values() if f.public)
