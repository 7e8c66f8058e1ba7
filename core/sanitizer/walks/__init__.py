"""What follows from how a kernel walks through its tensors: by strides that are not theirs, out of a row, not to the
end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.interpreter.plan import Plan
from core.sanitizer import kinds
from core.sanitizer.walks.correspondence import mismatched
from core.sanitizer.walks.own_row import outside_rows
from core.sanitizer.walks.places import Places
from core.sanitizer.walks.strides import wrong_strides
from core.sanitizer.walks.unread import unread_ends
from core.sanitizer.walks.walk import walks_of
from core.trace.record import Fault, Launch


def walk_findings(launch: Launch, plan: Plan, arguments: Sequence[Any]) -> list[Fault]:
    """The findings about a launch of `plan` with these arguments of its IR."""
    every, places = walks_of(plan, arguments, launch.grid), Places(launch)
    walks = [walk for walk in every.known if places.has(walk)]
    outside = {(fault.buffer, fault.line) for fault in launch.faults if fault.kind == kinds.OUT_OF_BOUNDS}
    found = wrong_strides(places, walks)
    others = mismatched(places, walks, plan.function)
    sure = {fault.buffer for fault in found if fault.severity == "fault"}
    found = [fault for fault in found if fault.severity == "fault" or fault.buffer not in {o.buffer for o in others}]
    found += [fault for fault in others if fault.buffer not in sure]
    found += outside_rows(places, walks, plan.function)
    if every.complete:
        found += unread_ends(places, walks)
    return [fault for fault in found if fault.kind != kinds.WRONG_STRIDES or (fault.buffer, fault.line) not in outside]
