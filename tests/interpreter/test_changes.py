"""What programs change in memory is remembered: exactly for flags, in little memory for tiles."""

from __future__ import annotations

import numpy as np
import torch

from core.interpreter import changes as module
from core.interpreter.changes import Changes
from core.interpreter.ir import Location


def change(changes: Changes, first: int, size: int, program: int = 0) -> None:
    """A program gives `size` elements of 4 bytes another value."""
    addresses = first + 4 * np.arange(size, dtype=np.int64)
    programs = np.full(size, program, dtype=np.int64)
    changes.compare(torch.zeros(size), torch.ones(size), addresses, programs, Location())


def writer(changes: Changes, address: int) -> int | None:
    found = changes.last(address)
    return None if found is None else found[0]


def test_that_a_flag_beside_a_changed_flag_has_not_changed() -> None:
    changes = Changes()
    change(changes, 0, 1, program=3)
    assert changes.since(0, [0])
    assert not changes.since(0, [4])
    assert not changes.since(1, [0])
    assert writer(changes, 0) == 3


def test_that_a_change_of_a_tile_is_seen_and_its_program_is_known() -> None:
    changes = Changes()
    change(changes, 1 << 20, 1, program=1)
    change(changes, 1 << 20, 4096, program=2)
    assert changes.since(1, [1 << 20])
    assert not changes.since(1, [1 << 10])
    assert (writer(changes, 1 << 20), writer(changes, 1 << 10)) == (2, None)
    assert changes.is_complete


def test_that_the_last_of_two_changes_counts_whichever_is_a_tile() -> None:
    changes = Changes()
    change(changes, 0, 128, program=1)
    change(changes, 4, 1, program=2)
    assert (writer(changes, 0), writer(changes, 4)) == (1, 2)


def test_that_changes_of_tiles_take_little_memory_and_a_forgotten_one_names_nobody() -> None:
    changes = Changes()
    change(changes, 0, 1, program=1)
    for number in range(module._MOST_KEPT // 4096 + 1):
        change(changes, 16384 * number, 4096, program=2)
    assert len(changes._latest) + len(changes._latest_in_block) < 5000
    assert not changes.is_complete
    assert (writer(changes, 0), writer(changes, 16384)) == (None, 2)
    assert changes.since(1, [0])
