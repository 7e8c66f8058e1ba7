"""The findings of a launch that ask what was in memory before it, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.interpreter.autotuning import Tuning
from core.interpreter.float_origins import born, depends_on_others
from core.interpreter.fresh_memory import FreshMemory
from core.interpreter.plan import Plan
from core.interpreter.second_look import SecondLook, harmless_races, may_need
from core.interpreter.slice import depends_on_data
from core.interpreter.tuned_in_place import Before, kept, protected, tuned_in_place
from core.trace.affine import IntArray

Restored = frozenset[str] | None
"""What the autotuners around a kernel restore, as in `protected`."""


def before_launch(
    plan: Plan, arguments: Sequence[Any], tuning: Tuning, fresh: FreshMemory | None
) -> tuple[Restored, Before]:
    """What the autotuners restore, and what the tensors hold, if that will be needed. Nothing without `fresh`."""
    if fresh is None:
        return None, {}
    restored = protected(tuning.autotuners())
    needed = restored is not None or may_need(plan, arguments, fresh.is_unwritten) or depends_on_others(plan)
    return restored, kept(arguments) if needed else {}


def look_at(look: SecondLook, fresh: FreshMemory, restored: Restored, number: int, programs: IntArray) -> None:
    """Add these findings to launch `number`. `programs` are those whose floats are looked at. Findings until an error
    are kept."""
    look.found(born(look, programs))
    if restored is not None:
        tuned = tuned_in_place(look.launch, look.memories, look.before, restored)
        look.found([fault for fault in tuned if look.changes(fault.buffer)])
    if look.before:
        look.found(harmless_races(look))
    placed_by_data = depends_on_data(look.plan)
    look.launch = fresh.launched(
        look.launch, look.memories, number, placed_by_data=placed_by_data, dropped=look.dropped
    )
