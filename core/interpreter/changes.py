"""What programs that wait for each other change in memory: when, and who did it last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from core.interpreter.ir import Location
from core.interpreter.memory import Memory
from core.interpreter.values import bits
from core.trace.affine import IntArray
from core.trace.record import Access

_MOST_REMEMBERED = 4096
"""Elements of one access of which it is remembered who changed them. Locks, flags and counters are single elements."""


_MOST_ASKED = 64


def addresses_of(accesses: Sequence[Access], memories: Sequence[Memory]) -> tuple[int, ...] | None:
    """The addresses of a few elements that are accessed; None if they are many."""
    found: set[int] = set()
    for access in accesses:
        if access.offsets().size > _MOST_ASKED:
            return None
        offsets = access.offsets()[access.active()]
        start = memories[access.buffer].start(access.element_bytes)
        found.update((start + offsets * access.element_bytes).tolist())
    return tuple(found) if len(found) <= _MOST_ASKED else None


@dataclass(frozen=True)
class Change:
    """Addresses that one access gave another value, with the program of each."""

    addresses: IntArray
    programs: IntArray
    location: Location


class Changes:
    """The changes of one launch. An access that stores what is there already changes nothing."""

    def __init__(self) -> None:
        self.count = 0
        self._known: list[Change] = []
        self._latest: dict[int, int] = {}
        self._large = 0
        self.is_complete = True
        """Whether it is known of every change who made it."""

    def compare(
        self, before: torch.Tensor, after: torch.Tensor, addresses: IntArray, programs: IntArray, location: Location
    ) -> None:
        """An access found `before` and left `after` at the addresses, each [elements]."""
        changed = (bits(before) != bits(after)).cpu().numpy()
        if not changed.any():
            return
        self.count += 1
        if int(changed.sum()) <= _MOST_REMEMBERED:
            self._known.append(Change(addresses[changed], programs[changed], location))
            self._latest.update(dict.fromkeys(addresses[changed].tolist(), self.count))
        else:
            self._large = self.count
            self.is_complete = False

    def since(self, count: int, addresses: Sequence[int] | None) -> bool:
        """Whether anything at the addresses (None: anywhere) may have changed after change number `count`."""
        if addresses is None or self._large > count:
            return self.count > count
        return any(self._latest.get(address, 0) > count for address in addresses)

    def last(self, address: int) -> tuple[int, Location] | None:
        """The program that changed an address last, and the line; None if nobody is known to."""
        for change in reversed(self._known):
            places = np.flatnonzero(change.addresses == address)
            if len(places):
                return int(change.programs[places[-1]]), change.location
        return None
