"""Which operation made the NaN or the infinity that a launch stored, or cast a number beyond its type's range.

The first run only notices which programs did (`noticed`). Some of them are executed again with a shadow beside every
float, on the tensors as they were before; afterwards, the tensors hold again what the first run left. If programs
depend on each other, all of them are executed.
"""

from __future__ import annotations

from functools import lru_cache

from core.interpreter.diagnostics import Diagnostics
from core.interpreter.ir import Operation
from core.interpreter.plan import Plan
from core.interpreter.second_look import SecondLook
from core.interpreter.serial import waits
from core.interpreter.shadows.instrument import may_have_shadows
from core.sanitizer import kinds
from core.trace.affine import IntArray
from core.trace.record import Fault

KINDS = (kinds.NAN_BORN, kinds.INFINITY_BORN, kinds.CAST_OVERFLOW)


def born(look: SecondLook, programs: IntArray) -> tuple[Fault, ...]:
    """The findings about the floats of these programs. Nothing is known where `before` lacks what was changed."""
    plan = look.plan
    if not len(programs) or not may_have_shadows(plan.function):
        return ()
    written = look.addresses("store", "atomic")
    changed = written if _updates(plan) else written & look.addresses("load")
    if not changed <= look.before.keys():
        return ()
    diagnostics = Diagnostics(stop_at_faults=False)
    with look.rewound(changed):
        look.execute(plan, floats_of="all" if depends_on_others(plan) else programs, diagnostics=diagnostics)
    return tuple(fault for fault in diagnostics.faults if fault.kind in KINDS)


@lru_cache(maxsize=256)
def _updates(plan: Plan) -> bool:
    """Whether the kernel uses what an atomic, or a pointer from memory, reads."""
    return any(
        operation.name == "tt.int_to_ptr"
        or (operation.name == "tt.load" and operation.result.type.pointer)
        or (operation.name.startswith("tt.atomic_") and _is_used(operation, plan))
        for operation in plan.function.body.walk()
    )


@lru_cache(maxsize=256)
def depends_on_others(plan: Plan) -> bool:
    """Whether a program may use what another one gave it in the same launch."""
    atomics = (op for op in plan.function.body.walk() if op.name.startswith("tt.atomic_"))
    return bool(waits(plan.function)) or any(_is_used(op, plan) for op in atomics)


def _is_used(operation: Operation, plan: Plan) -> bool:
    slots = {value.slot for value in operation.results}
    return any(value.slot in slots for op in plan.function.body.walk() for value in op.operands)
