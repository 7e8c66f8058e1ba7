"""What programs that wait for each other change in memory: when, and who did it last."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
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

_BLOCK_BITS = 10
"""Of an access to more elements than are asked for at once, it is remembered which blocks of 1 KiB it changed."""

_MOST_KEPT = 1 << 20
"""Elements of such accesses, all together, of which it is remembered who changed them."""


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
    """Addresses that one access gave another value, with the program of each. Changes are numbered from 1."""

    number: int
    addresses: IntArray
    programs: IntArray
    location: Location


class Changes:
    """The changes of one launch. An access that stores what is there already changes nothing."""

    def __init__(self) -> None:
        self.count = 0
        self._small: list[Change] = []
        self._wide: deque[Change] = deque()
        self._kept = 0
        self._latest: dict[int, int] = {}
        self._latest_in_block: dict[int, int] = {}
        self._large = 0
        self._forgotten = 0

    @property
    def is_complete(self) -> bool:
        """Whether it is known of every change who made it."""
        return not self._forgotten

    def compare(
        self, before: torch.Tensor, after: torch.Tensor, addresses: IntArray, programs: IntArray, location: Location
    ) -> None:
        """An access found `before` and left `after` at the addresses, each [elements]."""
        changed = (bits(before) != bits(after)).cpu().numpy()
        if not changed.any():
            return
        self.count += 1
        size = int(changed.sum())
        if size > _MOST_REMEMBERED:
            self._large = self._forgotten = self.count
            return
        change = Change(self.count, addresses[changed], programs[changed], location)
        if size <= _MOST_ASKED:
            self._small.append(change)
            self._latest.update(dict.fromkeys(change.addresses.tolist(), self.count))
        else:
            self._keep_wide(change)

    def _keep_wide(self, change: Change) -> None:
        blocks = np.unique(change.addresses >> _BLOCK_BITS).tolist()
        self._latest_in_block.update(dict.fromkeys(blocks, change.number))
        self._wide.append(change)
        self._kept += change.addresses.size
        while self._kept > _MOST_KEPT:
            oldest = self._wide.popleft()
            self._kept -= oldest.addresses.size
            self._forgotten = max(self._forgotten, oldest.number)

    def since(self, count: int, addresses: Sequence[int] | None) -> bool:
        """Whether anything at the addresses (None: anywhere) may have changed after change number `count`."""
        if addresses is None or self._large > count:
            return self.count > count
        return any(
            self._latest.get(address, 0) > count or self._latest_in_block.get(address >> _BLOCK_BITS, 0) > count
            for address in addresses
        )

    def last(self, address: int) -> tuple[int, Location] | None:
        """The program that changed an address last, and the line; None if nobody is known to."""
        found = [
            change
            for change in (_latest_at(address, reversed(self._small)), _latest_at(address, reversed(self._wide)))
            if change is not None and change.number > self._forgotten
        ]
        if not found:
            return None
        change = max(found, key=lambda each: each.number)
        return int(change.programs[np.flatnonzero(change.addresses == address)[-1]]), change.location


def _latest_at(address: int, changes: Iterable[Change]) -> Change | None:
    """The first of the changes that is at the address; they are given from the last to the first."""
    return next((change for change in changes if (change.addresses == address).any()), None)
