"""The findings of a launch that ask what was in memory before it, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from core.interpreter.autotuning import Tuning
from core.interpreter.fresh_memory import FreshMemory
from core.interpreter.plan import Plan
from core.interpreter.second_look import SecondLook, harmless_races, may_need
from core.interpreter.slice import depends_on_data
from core.interpreter.tuned_in_place import Before, kept, protected, tuned_in_place
from core.trace.record import Launch

Restored = frozenset[str] | None
"""What the autotuners around a kernel restore, as in `protected`."""


def before_launch(
    plan: Plan, arguments: Sequence[Any], tuning: Tuning, fresh: FreshMemory | None
) -> tuple[Restored, Before]:
    """What the autotuners restore, and what the tensors hold, if that will be needed. Nothing without `fresh`."""
    if fresh is None:
        return None, {}
    restored = protected(tuning.autotuners())
    needed = restored is not None or may_need(plan, arguments, fresh.is_unwritten)
    return restored, kept(arguments) if needed else {}


def looked_at(look: SecondLook, fresh: FreshMemory, restored: Restored, number: int) -> Launch:
    """Launch `number` with these findings."""
    launch, faults = look.launch, list(look.launch.faults)
    if restored is not None:
        tuned = tuned_in_place(launch, look.memories, look.before, restored)
        faults += [fault for fault in tuned if look.changes(fault.buffer)]
    if look.before:
        faults += harmless_races(look)
    launch, placed_by_data = replace(launch, faults=tuple(faults)), depends_on_data(look.plan)
    return fresh.launched(launch, look.memories, number, placed_by_data=placed_by_data, dropped=look.dropped)
