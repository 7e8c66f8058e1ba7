"""Configurations of an autotuned kernel whose results differ by more than rounding.

Two configurations may sum in another order, so floating-point results are compared by half of the digits of the
coarsest type that the kernel computes in, relative to the largest number of the tensor. Everything else is exact, but
where rounding decides (a quantizer, an argmax), more than a few elements have to differ.

What a kernel leaves to another one may depend on the configuration: parts of a sum, tickets, locks. So these are no
findings: tensors whose total is the same, that a later launch reads, or of which both configurations write other
elements and other values; integers that programs count with by scalar atomics.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from core.contracts.text import Text, sentences, tr
from core.interpreter.stored_values import differ, shown
from core.interpreter.trial import Outputs
from core.sanitizer import kinds
from core.trace.affine import IntArray
from core.trace.mask import BoolArray
from core.trace.record import Access, Buffer, Fault, Launch

_DTYPES = {
    "f64": torch.float64,
    "f32": torch.float32,
    "f16": torch.float16,
    "bf16": torch.bfloat16,
    "f8E4M3FN": torch.float8_e4m3fn,
    "f8E5M2": torch.float8_e5m2,
}
_FLOAT = re.compile(r"[x<: ](f64|f32|f16|bf16|f8E4M3FN|f8E5M2)\b")

_STEPS = re.compile(r"\b(arith\.fpto[su]i|math\.(floor|ceil|round|roundeven|trunc)|libdevice)\b")
_MANY = 0.05
"""The share of elements above which it is not rounding that changes whole steps."""


@dataclass(frozen=True)
class Result:
    """What a configuration made of the arguments: its number, its text, its trace, and the tensors that it wrote."""

    number: int
    config: str
    launch: Launch
    outputs: Outputs


@dataclass
class Results:
    """The results of the configurations of one launch. The first one is what the others are compared to."""

    first: Result
    count: int = 1
    apart: dict[int, list[Fault]] = field(default_factory=dict)
    """By buffer, a finding for each configuration that differs."""

    def add(self, other: Result) -> None:
        """Compare one more configuration."""
        self.count += 1
        for fault in differences(self.first, other):
            self.apart.setdefault(fault.buffer, []).append(fault)

    def findings(self) -> tuple[Fault, ...]:
        """One finding for each tensor, with the number of configurations that agree."""
        return tuple(
            replace(
                found[0],
                sentence=sentences(
                    found[0].sentence,
                    tr(
                        "{count} of {all} configurations give the result of configuration {number}.",
                        count=self.count - len(found),
                        all=self.count,
                        number=self.first.number,
                    ),
                ),
            )
            for found in self.apart.values()
        )


def forget_handed_on(launches: list[Launch]) -> None:
    """Drop the findings for tensors that a later launch of another kernel reads: its result is what counts."""
    for number, launch in enumerate(launches):
        kept = tuple(fault for fault in launch.faults if not _is_read(fault, launch, launches[number + 1 :]))
        if len(kept) < len(launch.faults):
            launches[number] = replace(launch, faults=kept)


def _is_read(fault: Fault, launch: Launch, later: Sequence[Launch]) -> bool:
    if fault.kind != kinds.CONFIGURATION_CHANGES_RESULT:
        return False
    begin = launch.buffers[fault.buffer].data_ptr
    end = begin + launch.buffers[fault.buffer].size_bytes
    return any(
        access.kind != "store" and buffer.data_ptr < end and begin < buffer.data_ptr + buffer.size_bytes
        for other in later
        if other.function != launch.function
        for access in other.accesses
        for buffer in (other.buffers[access.buffer],)
    )


def differences(first: Result, other: Result) -> Iterable[Fault]:
    """The tensors of which a configuration makes something else than the first one."""
    if first.outputs is None or other.outputs is None:
        return
    digits = rounding(first.launch.ttir, other.launch.ttir)
    for index in sorted(first.outputs.keys() | other.outputs.keys()):
        ours, theirs = first.outputs.get(index), other.outputs.get(index)
        if ours is None or theirs is None or ours.shape != theirs.shape or _counts(first, other, index):
            continue
        apart = _apart(ours, theirs, digits)
        if not apart.any():
            continue
        if _rounds(first, other, ours) and apart.mean() < _MANY:
            continue
        buffer = first.launch.buffers[index]
        places = _places(buffer)
        written, again = (_written(result.launch, index, places) for result in (first, other))
        # What is stored through another argument that overlaps is a finding of that one.
        apart = apart & (written | again)
        if not apart.any():
            continue
        common = written & again
        if (written == again).all():
            if not _same_total(ours, theirs):
                yield _finding(first, other, index, apart, places)
        elif common.any() and not (apart & common).any():
            yield _finding(first, other, index, apart & (written != again), places)


def rounding(*ttir: str) -> float:
    """How far apart two results may be, relative to the largest number: the root of the coarsest type's epsilon."""
    used = {name for text in ttir for name in _FLOAT.findall(text)}
    return math.sqrt(max((torch.finfo(_DTYPES[name]).eps for name in used), default=0.0))


def _apart(ours: torch.Tensor, theirs: torch.Tensor, digits: float) -> BoolArray:
    """Where two tensors differ by more than rounding."""
    if not ours.is_floating_point():
        return np.asarray(differ(ours, theirs).cpu().numpy())
    a, b = ours.to(torch.float64), theirs.to(torch.float64)
    finite = a[a.isfinite()].abs()
    digits = max(digits, math.sqrt(torch.finfo(ours.dtype).eps))
    allowed = digits * (float(finite.max()) if finite.numel() else 0.0)
    close = ((a - b).abs() <= allowed) | (a == b) | (a.isnan() & b.isnan())
    return np.asarray((~close).cpu().numpy())


def _same_total(ours: torch.Tensor, theirs: torch.Tensor) -> bool:
    """Whether the two may be other parts of one sum: each part may be off by a few units of its last digit."""
    digit = torch.finfo(ours.dtype).eps if ours.is_floating_point() else 0.0
    a, b = ours.to(torch.float64), theirs.to(torch.float64)
    allowed = 8 * digit * a.abs().sum() / math.sqrt(a.numel())
    return bool((a.sum() - b.sum()).abs() <= allowed)


def _rounds(first: Result, other: Result, written: torch.Tensor) -> bool:
    """Whether rounding may change a number by a whole step: where floats become integers or decide what is written."""
    text = first.launch.ttir + other.launch.ttir
    return bool(_STEPS.search(text)) or (not written.is_floating_point() and "arith.cmpf" in text)


def _counts(first: Result, other: Result, buffer: int) -> bool:
    """Whether programs count with the tensor: scalar atomics on integers."""
    accesses = (*first.launch.accesses, *other.launch.accesses)
    is_float = first.launch.buffers[buffer].dtype.startswith(("float", "bfloat"))
    return not is_float and any(a.buffer == buffer and a.kind == "atomic" and not a.shape for a in accesses)


def _places(buffer: Buffer) -> IntArray:
    """The offset of each element of a tensor, in its shape."""
    places = np.zeros((1,) * len(buffer.shape), dtype=np.int64)
    for axis, (size, stride) in enumerate(zip(buffer.shape, buffer.strides, strict=True)):
        along = [1] * len(buffer.shape)
        along[axis] = size
        places = places + (np.arange(size) * stride).reshape(along)
    return places


def _written(launch: Launch, buffer: int, places: IntArray) -> BoolArray:
    """Which elements a launch writes, in the shape of the tensor."""
    stored = [
        access.offsets()[access.active()]
        for access in launch.accesses
        if access.buffer == buffer and access.kind != "load"
    ]
    return np.isin(places, np.concatenate(stored)) if stored else np.zeros(places.shape, dtype=np.bool_)


def _finding(first: Result, other: Result, index: int, apart: BoolArray, places: IntArray) -> Fault:
    assert first.outputs is not None
    assert other.outputs is not None
    element = tuple(int(i) for i in np.argwhere(apart)[0])
    place = int(places[element])
    buffer = first.launch.buffers[index]
    access, program = _writer((other.launch, first.launch), index, place)
    value, other_value = shown(first.outputs[index][element]), shown(other.outputs[index][element])
    return Fault(
        kind=kinds.CONFIGURATION_CHANGES_RESULT,
        access=access.kind,
        buffer=index,
        file=access.file,
        line=access.line,
        program=program,
        index=place,
        count=int(apart.sum()),
        sentence=tr(
            "Element {element} of {tensor} is {value} with configuration {number} of {kernel} ({config}) and "
            "{other_value} with configuration {other} ({other_config}), from the same inputs; {count:,} elements "
            "differ by more than rounding.",
            element=str(list(element)),
            tensor=buffer.name,
            value=value,
            number=first.number,
            kernel=first.launch.function,
            config=first.config,
            other_value=other_value,
            other=other.number,
            other_config=other.config,
            count=int(apart.sum()),
        ),
        element=element,
        value=other_value,
        repair=_REPAIR,
    )


_REPAIR: Text = tr(
    "Compute the grid from the configuration (`lambda meta: ...`), mask what a block has beyond the tensor, and do not "
    "let programs that share a result overwrite it."
)


def _writer(launches: Sequence[Launch], buffer: int, place: int) -> tuple[Access, int]:
    """The access that wrote a place last, and its program, in the first of the launches that did."""
    for launch in launches:
        for access in reversed(launch.accesses):
            if access.buffer != buffer or access.kind == "load":
                continue
            hits = access.active() & (access.offsets() == place)
            if hits.any():
                lanes = np.flatnonzero(hits.reshape(len(access.programs), -1).any(axis=1))
                return access, int(access.programs[lanes[-1]])
    raise AssertionError("an element that differs was written")
