"""What a launch stored, to tell programs that store equal values to one place from those that store different ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch

from core.contracts.text import Value, tr
from core.sanitizer import kinds
from core.sanitizer.races import OWN_OR_ATOMIC, Race, conflicts
from core.trace.affine import IntArray
from core.trace.record import Access, Fault, Launch

_MOST_BYTES = 64 << 20
"""Values of a launch that are kept. Beyond it, races are told without values."""


@dataclass
class StoredValues:
    """The values of the stores of one launch. They are tiles of the interpreter, which nothing writes to again."""

    _kept: list[tuple[Access, torch.Tensor]] = field(default_factory=list)
    _bytes: int = 0

    def add(self, access: Access, value: torch.Tensor) -> None:
        """Keep what a store writes, [lanes or 1, *dims or 1]."""
        self._bytes += value.numel() * value.element_size()
        if self._bytes <= _MOST_BYTES:
            self._kept.append((access, value))

    def findings(self, launch: Launch) -> tuple[Fault, ...]:
        """The races of stores with other stores whose values are known: a remark where programs agree."""
        if not self._kept or self._bytes > _MOST_BYTES or launch.programs < 2:
            return ()
        values = {id(access): value for access, value in self._kept}
        found = []
        for race in conflicts(launch, [("store", "store")]):
            last = _last_stores(launch, race, values)
            if last is not None:
                found.append(_finding(launch, race, *last))
        return tuple(found)


def _last_stores(
    launch: Launch, race: Race, values: dict[int, torch.Tensor]
) -> tuple[IntArray, IntArray, torch.Tensor] | None:
    """Address, program and value of the last store of each program to each contested place, by address; None if a value
    is unknown, or if elements overlap in part."""
    parts = list(_stores(launch, race, values))
    if any(part is None for part in parts):
        return None
    address, program, value = zip(*(part for part in parts if part is not None), strict=True)
    addresses, programs = np.concatenate(address), np.concatenate(program)
    if len({each.dtype for each in value}) > 1:
        return None
    order = np.lexsort((programs, addresses))
    addresses, programs, stored = addresses[order], programs[order], torch.cat(value)[torch.from_numpy(order)]
    if not (addresses[1:] == addresses[:-1]).any():
        return None
    is_last = np.append((addresses[1:] != addresses[:-1]) | (programs[1:] != programs[:-1]), True)
    return addresses[is_last], programs[is_last], stored[torch.from_numpy(is_last)]


def _stores(
    launch: Launch, race: Race, values: dict[int, torch.Tensor]
) -> Iterator[tuple[IntArray, IntArray, torch.Tensor] | None]:
    places = {race.a.place, race.b.place}
    for access in launch.accesses:
        if access.kind != "store" or (access.file, access.line, access.buffer) not in places:
            continue
        address = launch.buffers[access.buffer].data_ptr + access.offsets() * access.element_bytes
        contested = access.active() & race.holds(address)
        value = values.get(id(access))
        if value is None:
            yield None
            continue
        program = np.broadcast_to(access.programs.reshape(-1, *(1,) * len(access.shape)), contested.shape)
        stored = value.cpu().expand(contested.shape)[torch.from_numpy(contested)]
        yield address[contested], program[contested], stored.double() if stored.is_floating_point() else stored


def _finding(launch: Launch, race: Race, addresses: IntArray, programs: IntArray, stored: torch.Tensor) -> Fault:
    shared = np.flatnonzero(addresses[1:] == addresses[:-1])
    apart = shared[differ(stored[:-1], stored[1:]).numpy()[shared]]
    equal = not len(apart)
    at = int((shared if equal else apart)[0])
    buffer = launch.buffers[race.a.buffer]
    index = (int(addresses[at]) - buffer.data_ptr) // buffer.element_bytes
    value, other_value = shown(stored[at]), shown(stored[at + 1])
    details: dict[str, Value] = {
        "program": int(programs[at]),
        "other": int(programs[at + 1]),
        "kernel": launch.function,
        "value": value,
        "index": index,
        "tensor": buffer.name,
        "location": _locations(race),
        "count": int((race.end - race.begin).sum()),
    }
    if equal:
        sentence = tr(
            "Programs {program} and {other} of {kernel} both store {value} to index {index} of {tensor} at {location}. "
            "All programs store equal values here ({count:,} bytes in total).",
            **details,
        )
        repair = tr("Let one program store, if the values could ever differ.")
    else:
        sentence = tr(
            "Programs {program} and {other} of {kernel} store {value} and {other_value} to index {index} of {tensor} "
            "at {location}, so the final value is undefined ({count:,} bytes in total).",
            other_value=other_value,
            **details,
        )
        repair = OWN_OR_ATOMIC
    return Fault(
        kind=kinds.EQUAL_STORES if equal else kinds.WRITE_WRITE_RACE,
        access="store",
        buffer=race.a.buffer,
        file=race.a.file,
        line=race.a.line,
        program=int(programs[at]),
        index=index,
        count=int((race.end - race.begin).sum()),
        sentence=sentence,
        severity="remark" if equal else "fault",
        value=value,
        repair=repair,
        other_program=int(programs[at + 1]),
        other_file=race.b.file,
        other_line=race.b.line,
    )


def _locations(race: Race) -> str:
    same = race.a.location == race.b.location
    return race.a.location if same else f"{race.a.location}, {race.b.location}"


def differ(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Where two tensors hold different values. NaN is equal to NaN."""
    if a.is_floating_point() and a.element_size() == 1:
        a, b = a.float(), b.float()
    different = a != b
    return different & ~((a != a) & (b != b)) if a.is_floating_point() else different


def shown(value: torch.Tensor) -> str:
    """A number as text."""
    number = value.item()
    return f"{number:.6g}" if isinstance(number, float) else str(number)
