"""Loads that race with stores: which elements read what another program stores, and what is said where nothing depends
on them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from core.contracts.text import tr
from core.sanitizer.initialisation import Elements
from core.sanitizer.races import Race, conflicts, fault_of
from core.sanitizer.spans import Site
from core.trace.affine import IntArray
from core.trace.record import Fault, Launch


def racing_reads(launch: Launch) -> list[tuple[Race, Elements]]:
    """The races of loads with stores, and the elements that each load reads while another program stores them."""
    return [(race, _read(launch, race)) for race in conflicts(launch, [("load", "store")])]


def _read(launch: Launch, race: Race) -> Elements:
    stored, low, high = _storing(launch, race.b)
    found = {}
    for place, access in enumerate(launch.accesses):
        if access.kind != "load" or (access.file, access.line, access.buffer) != race.a.place:
            continue
        address = launch.buffers[access.buffer].data_ptr + access.offsets() * access.element_bytes
        bad = access.active() & (race.holds(address) | race.holds(address + access.element_bytes - 1))
        if len(stored):
            at = np.minimum(np.searchsorted(stored, address), len(stored) - 1)
            program = access.programs.reshape(-1, *(1,) * len(access.shape))
            bad &= (stored[at] != address) | (low[at] != program) | (high[at] != program)
        if bad.any():
            found[place] = bad
    return found


def _storing(launch: Launch, site: Site) -> tuple[IntArray, IntArray, IntArray]:
    """The addresses that the stores of a site begin at, ascending, and the lowest and highest program of each."""
    addresses, programs = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    for access in launch.accesses:
        if access.kind == "store" and (access.file, access.line, access.buffer) == site.place:
            active = access.active()
            address = launch.buffers[access.buffer].data_ptr + access.offsets() * access.element_bytes
            program = np.broadcast_to(access.programs.reshape(-1, *(1,) * len(access.shape)), active.shape)
            addresses.append(address[active])
            programs.append(program[active])
    stored, inverse = np.unique(np.concatenate(addresses), return_inverse=True)
    low, high = np.full(len(stored), np.iinfo(np.int64).max), np.full(len(stored), -1)
    np.minimum.at(low, inverse, np.concatenate(programs))
    np.maximum.at(high, inverse, np.concatenate(programs))
    return stored, low, high


def harmless(launch: Launch, race: Race, elements: Elements) -> Fault:
    """The remark on a race of a load whose value gets nowhere."""
    fault = fault_of(launch, race)
    buffer = launch.buffers[race.a.buffer]
    sentence = tr(
        "Program {program} of {kernel} loads index {index} of {tensor} at {location}, and program {other} stores to it "
        "at {other_location} in no defined order, but nothing depends on what is read ({count:,} elements in total).",
        program=race.program,
        kernel=launch.function,
        index=fault.index,
        tensor=buffer.name,
        location=race.a.location,
        other=race.other,
        other_location=race.b.location,
        count=sum(int(bad.sum()) for bad in elements.values()),
    )
    return replace(
        fault, severity="remark", sentence=sentence, repair=tr("Mask the load, to keep to your own elements.")
    )
