"""tt.elementwise_inline_asm: PTX of several instructions, each on all elements at once.

As Triton gives it: one run of the text takes `pack` consecutive elements of each operand, and elements of less than 32
bits share registers. Registers that nothing has written are 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import torch

from core.contracts.errors import TilescopeError
from core.contracts.text import quoted, tr
from core.interpreter.ir import Operation, Type
from core.interpreter.ops.elementwise import scalar_tensor
from core.interpreter.ops.ptx_conversions import conversion
from core.interpreter.ops.ptx_meanings import meaning
from core.interpreter.ops.ptx_types import FLOATS, INTEGERS, PACKED, raw, read, width, written
from core.interpreter.ops.registry import PureFunction, pure
from core.interpreter.ptx import Immediate, Instruction, Operand, Register, UnknownPtx, Vector, parse, unescaped
from core.interpreter.values import device, to_torch, torch_dtype

_BITS = {"h": 16, "r": 32, "f": 32, "l": 64, "d": 64, "b": 1}
_MOST_CHARACTERS = 60
Registers = list[torch.Tensor]
Action = Callable[[Registers], None]


@pure("tt.elementwise_inline_asm")
def _inline_assembly(operation: Operation) -> PureFunction:
    text = str(operation.attributes["words"][0])
    try:
        return _function(operation, text)
    except UnknownPtx as error:
        raise TilescopeError(
            tr(
                "{location} runs inline assembly ({assembly}) that Tilescope does not support, so the kernel "
                "was not run: write it with Triton operations.",
                location=operation.location.label,
                assembly=quoted(_shortened(str(error))),
            )
        ) from error


def _shortened(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 3]}..."


def _function(operation: Operation, text: str) -> PureFunction:
    pack = int(operation.attributes.get("packed_element", 1))
    types = [value.type for value in operation.operands]
    results = [value.type for value in operation.results]
    whole = " ".join(unescaped(text).split())
    if any(type_.pointer or pack % _per_register(type_, pack) for type_ in (*types, *results)):
        raise UnknownPtx(whole)
    counts = [_registers(type_, pack) for type_ in (*results, *types)]
    operands = _operands(str(operation.attributes.get("constraints", "")), sum(counts), whole)
    program = parse(text, operands)
    actions = [_action(instruction) for instruction in program.instructions]
    starts = [sum(counts[:i]) for i in range(len(counts) + 1)]
    outputs = [(type_, operands[starts[i] : starts[i + 1]]) for i, type_ in enumerate(results)]

    def call(*values: Any) -> Any:
        registers = [_zero(bits) for bits in program.widths]
        for index, (value, type_) in enumerate(zip(values, types, strict=True), len(results)):
            parts = _split(to_torch(value, type_), type_, pack, counts[index])
            for register, part in zip(operands[starts[index] : starts[index + 1]], parts, strict=True):
                registers[register.place] = _fitted(part, register.bits)
        for action in actions:
            action(registers)
        found = tuple(_gathered([registers[r.place] for r in places], type_, pack) for type_, places in outputs)
        return found if len(found) > 1 else found[0]

    return call


def _operands(constraints: str, count: int, whole: str) -> tuple[Register, ...]:
    """The registers `$0`, `$1`: one for each constraint, but an input with the number of an output is that register."""
    found: list[Register] = []
    for word in constraints.replace(" ", "").split(","):
        if word.startswith("~") or not word:
            continue
        tied = re.fullmatch(r"\d+", word)
        bits = _BITS.get(word.lstrip("=&"), 0)
        if tied and int(word) < len(found):
            found.append(found[int(word)])
        elif bits:
            found.append(Register(len({register.place for register in found}), bits))
        else:
            raise UnknownPtx(whole)
    if len(found) != count:
        raise UnknownPtx(whole)
    return tuple(found)


def _per_register(type_: Type, pack: int) -> int:
    return min(pack, 32 // type_.bits) if type_.bits < 32 else 1


def _registers(type_: Type, pack: int) -> int:
    return pack // _per_register(type_, pack)


def _zero(bits: int) -> torch.Tensor:
    return scalar_tensor(0, torch.bool if bits == 1 else INTEGERS[bits], device())


def _fitted(value: torch.Tensor, bits: int) -> torch.Tensor:
    """A register's bits in a register of another width: cut, or with zeros above."""
    if bits == 1:
        return value != 0
    if value.dtype != torch.bool and value.element_size() * 8 == bits:
        return value
    return raw(value, bits).to(INTEGERS[bits])


def _split(value: torch.Tensor, type_: Type, pack: int, count: int) -> list[torch.Tensor]:
    """The registers of an operand. With pack 1, axes that do not vary stay 1; else [lanes, runs]."""
    if pack == 1:
        return [value]
    flat = value.expand(value.shape[0], *type_.dims).reshape(value.shape[0], -1)
    runs = -(-flat.shape[1] // pack)
    numbers = torch.nn.functional.pad(raw(flat, type_.bits), (0, runs * pack - flat.shape[1]))
    numbers = numbers.reshape(-1, runs, count, pack // count)
    bits = max(type_.bits, 32)
    shifts = torch.arange(pack // count, device=flat.device) * type_.bits
    return list((numbers << shifts).sum(-1).to(INTEGERS[bits]).unbind(-1))


def _gathered(values: Registers, type_: Type, pack: int) -> torch.Tensor:
    """A result from its registers: [lanes or 1, *dims or 1]."""
    dtype, bits = torch_dtype(type_.element), type_.bits
    if pack == 1:
        value = _typed(values[0], bits, dtype)
        return value if value.dim() else value.view((1,) * (type_.rank + 1))
    each, size = pack // len(values), type_.bits
    elements = [raw(value, 64) >> (place * size) for value in values for place in range(each)]
    elements = [value if value.dim() else value.view(1, 1) for value in elements]
    runs = -(-torch.Size(type_.dims).numel() // pack)
    lanes = max(value.shape[0] for value in elements)
    flat = torch.stack([value.expand(lanes, runs) for value in elements], -1).reshape(lanes, -1)
    return _typed(flat[:, : torch.Size(type_.dims).numel()].reshape(lanes, *type_.dims), bits, dtype)


def _typed(value: torch.Tensor, bits: int, dtype: torch.dtype) -> torch.Tensor:
    if value.dtype == dtype:
        return value
    number = raw(value, bits)
    return number != 0 if bits == 1 else number.to(INTEGERS[bits]).view(dtype)


def _action(instruction: Instruction) -> Action:
    """The instruction on all registers, where its guard allows it. Raises UnknownPtx."""
    compute = _move(instruction) or _computation(instruction)
    places, guard = _places(instruction), instruction.guard

    def run(registers: Registers) -> None:
        results = compute(registers)
        keep = None if guard is None else _value(guard, registers, "pred")
        for register, result in zip(places, results, strict=False):
            if keep is not None:
                old = registers[register.place]
                result = torch.where(keep, result, old if old.dtype == result.dtype else old.view(result.dtype))
            registers[register.place] = result

    return run


def _places(instruction: Instruction) -> list[Register]:
    """The registers that are written, in order."""
    places: list[Register] = []
    for result in instruction.results:
        for part in result.parts if isinstance(result, Vector) else (result,):
            if not isinstance(part, Register) or part.negated:
                raise UnknownPtx(instruction.text)
            places.append(part)
    return places


def _computation(instruction: Instruction) -> Callable[[Registers], Registers]:
    known = conversion(instruction.name) or meaning(instruction.name)
    sources, results = instruction.sources, instruction.results
    if (
        known is None
        or len(sources) != len(known.sources)
        or not 0 < len(results) <= len(known.results)
        or not all(map(_fits, sources, known.sources))
        or (instruction.name.startswith("lop3") and not isinstance(sources[3], Immediate))
        or (len(known.results) == 2 and len(results) == 1 and instruction.name.split(".")[-1] in PACKED)
    ):
        raise UnknownPtx(instruction.text)
    function, kinds = known.function, known.results
    widths = [register.bits for register in _places(instruction)]
    if any((kind == "pred") != (bits == 1) or bits < width(kind) for kind, bits in zip(kinds, widths, strict=False)):
        raise UnknownPtx(instruction.text)

    def compute(registers: Registers) -> Registers:
        found = function(*(_value(o, registers, k) for o, k in zip(sources, known.sources, strict=True)))
        found = found if isinstance(found, tuple) else (found,)
        return [written(value, kind, bits) for value, kind, bits in zip(found, kinds, widths, strict=False)]

    return compute


def _fits(operand: Operand, kind: str) -> bool:
    """A float may be given to floats only, an integer to integers; a register has at least the bits of the type."""
    if isinstance(operand, Vector):
        return False
    if isinstance(operand, Immediate):
        return isinstance(operand.value, int) == (kind not in FLOATS)
    return (operand.bits == 1) == (kind == "pred") and operand.bits >= width(kind)


def _value(operand: Operand, registers: Registers, kind: str) -> torch.Tensor:
    if isinstance(operand, Immediate):
        return _constant(operand, kind)
    assert isinstance(operand, Register)
    value = read(registers[operand.place], kind)
    return ~value if operand.negated else value


def _constant(operand: Immediate, kind: str) -> torch.Tensor:
    """A number as an instruction of type `kind` reads it."""
    if kind in FLOATS:
        return scalar_tensor(operand.value, FLOATS[kind], device())
    bits = width(kind)
    if isinstance(operand.value, float):
        dtype = FLOATS["f64" if bits == 64 else "f32"]
        return read(scalar_tensor(operand.value, dtype, device()), kind)
    number = operand.value % (1 << bits)
    signed = number - (1 << bits) if number >> (bits - 1) and (kind[0] == "s" or bits == 64) else number
    return scalar_tensor(signed, torch.int64, device()) if kind != "pred" else _zero(1) | bool(operand.value)


def _move(instruction: Instruction) -> Callable[[Registers], Registers] | None:
    """`mov` of a register, and of vectors: from the lowest bits to the highest."""
    match = re.fullmatch(r"mov\.(?:[bsuf](16|32|64)|pred)", instruction.name)
    if match is None:
        return None
    bits, places = int(match[1] or 1), _places(instruction)
    if len(instruction.results) != 1 or len(instruction.sources) != 1:
        raise UnknownPtx(instruction.text)
    source = instruction.sources[0]
    read_from = source.parts if isinstance(source, Vector) else (source,)
    kind = "pred" if bits == 1 else f"b{bits // len(read_from)}"
    size = bits // len(places)
    if (
        (len(read_from) > 1 and len(places) > 1)
        or any(isinstance(part, Register) and part.bits != bits // len(read_from) for part in read_from)
        or any(register.bits != size for register in places)
        or (bits == 1 and len(places) + len(read_from) > 2)
    ):
        raise UnknownPtx(instruction.text)

    def compute(registers: Registers) -> Registers:
        if len(read_from) == 1 and len(places) == 1:
            part = read_from[0]
            if isinstance(part, Register) and not part.negated:
                return [registers[part.place]]
            value = _value(part, registers, kind)
            return [value if bits == 1 else value.to(INTEGERS[bits])]
        number = torch.zeros((), dtype=torch.int64, device=device())
        for index, part in enumerate(read_from):
            number = number | _value(part, registers, kind) << (index * (bits // len(read_from)))
        return [(number >> (index * size)).to(INTEGERS[size]) for index in range(len(places))]

    return compute
