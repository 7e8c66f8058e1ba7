"""Races: bytes that two programs of a launch touch, one of them with a store or an atomic, in no defined order.

Programs run in any order, so what is read or remains there is undefined, unless atomics order the accesses, or both are
atomics. An atomic of scope cta is one for its own program alone: for others it is a plain access.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np

from core.contracts.text import Text, Value, tr
from core.sanitizer import kinds
from core.sanitizer.happens_before import HappensBefore
from core.sanitizer.pieces import Pieces
from core.sanitizer.spans import Site, Spans, bounds, merged, spans_of
from core.trace.affine import IntArray
from core.trace.mask import BoolArray
from core.trace.record import AccessKind, Fault, Launch

_KINDS: dict[tuple[AccessKind, AccessKind], str] = {
    ("store", "store"): kinds.WRITE_WRITE_RACE,
    ("load", "store"): kinds.READ_WRITE_RACE,
    ("atomic", "store"): kinds.ATOMIC_AND_PLAIN_ACCESS,
    ("atomic", "load"): kinds.ATOMIC_AND_PLAIN_ACCESS,
}
"""In the order in which they are looked for."""


@dataclass(frozen=True)
class Race:
    """Bytes that two sites contest: the pieces, and the lowest byte with the programs that touch it at the sites."""

    a: Site
    b: Site
    begin: IntArray
    end: IntArray
    byte: int
    program: int
    other: int

    @property
    def place(self) -> tuple[int, str, int, str, int]:
        """What a fault says of the two sites."""
        return self.a.buffer, self.a.file, self.a.line, self.b.file, self.b.line

    def holds(self, addresses: IntArray) -> BoolArray:
        """Which addresses are contested."""
        return _inside(addresses, self.begin, self.end)


OWN_OR_ATOMIC = tr("Give each program its own elements, or use an atomic.")
"""For what several programs store, also after they have read it."""


def races(launch: Launch) -> tuple[Fault, ...]:
    """Every pair of sites of `launch` with bytes that two programs touch, including tensors that share memory.

    `index` is the element of the lowest such byte; `count` the number of such bytes. What is read where two programs
    store is part of their race, and no race of its own. Stores whose values were compared are among `launch.faults`.
    """
    known = {
        (fault.buffer, fault.file, fault.line, fault.other_file, fault.other_line): fault.kind
        for fault in launch.faults
        if fault.kind in (kinds.WRITE_WRITE_RACE, kinds.EQUAL_STORES)
    }
    harmless_ = {
        (fault.buffer, fault.file, fault.line, fault.other_file, fault.other_line)
        for fault in launch.faults
        if fault.kind == kinds.READ_WRITE_RACE
    }
    equal = {place for place, kind in known.items() if kind == kinds.EQUAL_STORES}
    found = conflicts(launch, tuple(_KINDS), equal)
    known_of = {"store": known.keys(), "load": harmless_}
    faults = [fault_of(launch, race) for race in found if race.place not in known_of.get(race.a.kind, ())]
    stored_by_many = {place[:3] for place in known if place[1:3] == place[3:]}
    return tuple(
        replace(fault, repair=OWN_OR_ATOMIC)
        if fault.access == "load" and (fault.buffer, fault.other_file, fault.other_line) in stored_by_many
        else fault
        for fault in faults
    )


def conflicts(
    launch: Launch,
    ways: Sequence[tuple[AccessKind, AccessKind]],
    equal: Set[tuple[int, str, int, str, int]] = frozenset(),
) -> Iterator[Race]:
    """The races of sites that access memory in some of two `ways`. The stores of pairs of `equal` places leave defined
    values."""
    order = HappensBefore(launch)
    sites = {site: spans_of(launch, places, order) for site, places in _sites(launch, order, ways).items()}
    begin = end = np.empty(0, dtype=np.int64)
    for a, b in _pairs(list(sites), ways):
        told = (begin, end) if "load" in (a.kind, b.kind) else (begin[:0], end[:0])
        race = _race(a, b, sites[a], sites[b], order, told)
        if race is not None:
            if a.kind == b.kind and race.place not in equal:
                begin, end = _united(np.concatenate((begin, race.begin)), np.concatenate((end, race.end)))
            yield race


def _sites(
    launch: Launch, order: HappensBefore, ways: Sequence[tuple[AccessKind, AccessKind]]
) -> dict[Site, list[int]]:
    """The sites that could race with another one, by the bounds of their addresses, and their places in the launch."""
    places: dict[Site, list[int]] = {}
    concerned = {kind for way in ways for kind in way}
    for place, access in enumerate(launch.accesses):
        if access.kind in concerned and (access.kind != "load" or not order.is_atomic(access)):
            own = access.kind == "atomic" and not order.atomics.at(access.file, access.line).is_shared
            kind: AccessKind = "store" if own else access.kind
            places.setdefault(Site(kind, access.file, access.line, access.buffer, own), []).append(place)
    boxes = {
        site: [np.array(each) for each in zip(*(bounds(launch, launch.accesses[p]) for p in of_site), strict=True)]
        for site, of_site in places.items()
    }
    box = {site: (int(begin.min()), int(end.max())) for site, (begin, end) in boxes.items()}
    return {
        site: of_site
        for site, of_site in sorted(places.items(), key=lambda item: item[0].place)
        if any(box[site][0] < box[other][1] and box[other][0] < box[site][1] for other in _rivals(site, list(box)))
    }


def _rivals(site: Site, sites: list[Site]) -> Iterator[Site]:
    for other in sites:
        if (site.kind, other.kind) in _KINDS or (other.kind, site.kind) in _KINDS:
            yield other


def _pairs(sites: list[Site], ways: Sequence[tuple[AccessKind, AccessKind]]) -> Iterator[tuple[Site, Site]]:
    for kind, other_kind in ways:
        for a in sites:
            for b in sites:
                if (a.kind, b.kind) == (kind, other_kind) and (kind != other_kind or a.place <= b.place):
                    yield a, b


def _race(
    site: Site, other_site: Site, a: Spans, b: Spans, order: HappensBefore, told: tuple[IntArray, IntArray]
) -> Race | None:
    """What two sites contest, without the spans that are `told`; None if nothing."""
    if a is b:
        if not bool((np.maximum.accumulate(a.end)[:-1] > a.begin[1:]).any()):
            return None
    else:
        a, b = a.overlapping(b), b.overlapping(a)
        if not len(a):
            return None
    pieces = Pieces(a, b, np.concatenate(told))
    shared = pieces.contested() & ~_inside(pieces.cuts[:-1], *told)
    if not shared.any():
        return None
    first = pieces.first(shared)
    if order:
        unordered = pieces.unordered(shared, order)
        if unordered is None:
            return None
        shared, first = unordered
    return Race(site, other_site, pieces.cuts[:-1][shared], pieces.cuts[1:][shared], *first)


def _united(begin: IntArray, end: IntArray) -> tuple[IntArray, IntArray]:
    ascending = np.argsort(begin, kind="stable")
    return merged(begin[ascending], end[ascending])


def _inside(addresses: IntArray, begin: IntArray, end: IntArray) -> BoolArray:
    """Which addresses lie in one of the spans, which are apart and in ascending order."""
    if not len(begin):
        return np.zeros(addresses.shape, dtype=np.bool_)
    near = np.maximum(np.searchsorted(begin, addresses, side="right") - 1, 0)
    inside: BoolArray = (begin[near] <= addresses) & (addresses < end[near])
    return inside


def fault_of(launch: Launch, race: Race) -> Fault:
    a, b = race.a, race.b
    buffer, count = launch.buffers[a.buffer], int((race.end - race.begin).sum())
    index = (race.byte - buffer.data_ptr) // buffer.element_bytes
    details: dict[str, Value] = {
        "program": race.program,
        "other": race.other,
        "kernel": launch.function,
        "index": index,
        "tensor": buffer.name,
        "location": a.location,
        "other_location": b.location,
        "count": count,
    }
    sentence, repair = _told(a, b, details)
    return Fault(
        kind=_KINDS[a.kind, b.kind],
        access="atomic" if a.is_own_atomic else a.kind,
        buffer=a.buffer,
        file=a.file,
        line=a.line,
        program=race.program,
        index=index,
        count=count,
        sentence=sentence,
        repair=repair,
        other_program=race.other,
        other_file=b.file,
        other_line=b.line,
    )


def _told(a: Site, b: Site, details: dict[str, Value]) -> tuple[Text, Text]:
    """The sentence and the repair of a race between two sites."""
    if a.is_own_atomic or b.is_own_atomic:
        locations = ", ".join(dict.fromkeys((a.location, b.location)))
        return tr(
            "Programs {program} and {other} of {kernel} both touch index {index} of {tensor} at {locations}, with an "
            "atomic of scope cta: it is none for other programs, so what is there is undefined ({count:,} bytes in "
            "total).",
            locations=locations,
            **{name: value for name, value in details.items() if name not in ("location", "other_location")},
        ), tr('Leave out scope="cta": the default is scope="gpu".')
    if a.kind == "load":
        return tr(
            "Program {program} of {kernel} loads index {index} of {tensor} at {location}, and program {other} stores "
            "to it at {other_location} in no defined order, so what is read is undefined ({count:,} bytes in total).",
            **details,
        ), tr("Write to another tensor, or read in a second kernel.")
    if a.kind == "atomic":
        return tr(
            "Program {program} of {kernel} uses an atomic on index {index} of {tensor} at {location}, and program "
            "{other} a plain {other_kind} at {other_location}, in no defined order ({count:,} bytes in total).",
            other_kind=b.kind,
            **details,
        ), tr("Use atomics for both, order them with a lock or a counter, or read in a second kernel.")
    if a.location != b.location:
        return tr(
            "Programs {program} and {other} of {kernel} both store to index {index} of {tensor} at {location} and "
            "{other_location}, so the final value is undefined ({count:,} bytes in total).",
            **details,
        ), OWN_OR_ATOMIC
    del details["other_location"]
    return tr(
        "Programs {program} and {other} of {kernel} both store to index {index} of {tensor} at {location}, so the "
        "final value is undefined ({count:,} bytes in total).",
        **details,
    ), OWN_OR_ATOMIC
