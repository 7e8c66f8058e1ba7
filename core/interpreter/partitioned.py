"""Programs whose warps are divided into partitions that wait for each other.

They run all at once, like others. A wait then ends when it ends in every program; where programs take different
branches, partitions may so wait for each other although no program does. Only then they run once more, one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from core.interpreter.frame import Run
from core.interpreter.ir import Function
from core.interpreter.plan import Plan
from core.interpreter.turns import Deadlock
from core.trace.affine import IntArray


@lru_cache(maxsize=256)
def _has_partitions(function: Function) -> bool:
    return any(operation.name == "ttg.warp_specialize" for operation in function.body.walk())


def run_partitioned(plan: Plan, run: Run, programs: IntArray, execute: Callable[[IntArray], None]) -> None:
    """`execute(programs)`, or each for itself if they block each other. Raises Deadlock if one blocks itself."""
    if len(programs) == 1 or not _has_partitions(plan.function):
        execute(programs)
        return
    memory = [(held.flat, held.flat.clone()) for held in run.memories]
    accesses, printed, flops = len(run.accesses), len(run.diagnostics.printed), run.product_flops
    try:
        execute(programs)
    except Deadlock:
        for now, before in memory:
            now.copy_(before)
        del run.accesses[accesses:], run.diagnostics.printed[printed:]
        run.product_flops = flops
        for lane in range(len(programs)):
            execute(programs[lane : lane + 1])
