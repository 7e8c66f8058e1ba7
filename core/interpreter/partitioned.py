"""Programs whose warps are divided into partitions that wait for each other.

They run all at once, like others. A wait then ends when it ends in every program; where programs take different
branches, partitions may so wait for each other although no program does. Only then they run once more, one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

from core.contracts.text import sentences
from core.interpreter.frame import Run
from core.interpreter.ir import Function
from core.interpreter.plan import Plan
from core.interpreter.stuck import stopped
from core.interpreter.turns import Deadlock
from core.trace.affine import IntArray
from core.trace.record import Fault


@lru_cache(maxsize=256)
def _has_partitions(function: Function) -> bool:
    return any(operation.name == "ttg.warp_specialize" for operation in function.body.walk())


def run_partitioned(plan: Plan, run: Run, programs: IntArray, execute: Callable[[IntArray], None]) -> None:
    """`execute(programs)`, or each for itself if they block each other. Raises NoProgress if one blocks itself."""
    if not _has_partitions(plan.function):
        execute(programs)
        return
    memory = [(held.flat, held.flat.clone()) for held in run.memories] if len(programs) > 1 else []
    accesses, printed, flops = len(run.accesses), len(run.diagnostics.printed), run.product_flops
    try:
        execute(programs)
    except Deadlock as deadlock:
        if len(programs) == 1:
            raise stopped(run, _together(deadlock.faults)) from deadlock
        for now, before in memory:
            now.copy_(before)
        del run.accesses[accesses:], run.diagnostics.printed[printed:]
        run.product_flops = flops
        for lane in range(len(programs)):
            run_partitioned(plan, run, programs[lane : lane + 1], execute)


def _together(faults: Sequence[Fault]) -> Fault:
    """One finding for partitions that wait for each other."""
    return replace(faults[0], sentence=sentences(*(fault.sentence for fault in faults)))
