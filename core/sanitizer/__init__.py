"""The sanitizer: what is wrong, or worth a look, in a launch that was executed and traced.

Some findings are made while a kernel runs, because they need its values: they are `Launch.faults`. The others follow
from the accesses alone, and each check of them is a function of a `Launch`, in a module of its own, listed in `CHECKS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from core.sanitizer.kinds import KINDS
from core.sanitizer.races import races
from core.sanitizer.views import outside_views
from core.trace.record import Fault, Launch

CHECKS: Sequence[Callable[[Launch], tuple[Fault, ...]]] = (outside_views, races)


def findings(launch: Launch) -> tuple[Fault, ...]:
    """All findings of a launch, faults first, in the order of `KINDS`."""
    order = {kind: place for place, kind in enumerate(KINDS)}
    found = (*launch.faults, *(fault for check in CHECKS for fault in check(launch)))
    return tuple(sorted(found, key=lambda fault: (fault.severity != "fault", order.get(fault.kind, len(order)))))
