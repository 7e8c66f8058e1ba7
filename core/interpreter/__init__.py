"""Executes a kernel's TTIR for all programs at once and records every access.

`intercept` needs torch and Triton and is imported on first use; the records need neither.

Not supported, each refused with one sentence that names the source line, before anything runs:

- pointers made from numbers (a table of addresses), pointers that select a tensor per element, and pointers cast to an
  element of another width;
- inline assembly other than one simple arithmetic instruction, and library functions outside `ops.library`;
- backward jumps (Triton writes loops as scf), 8-bit float types that torch lacks, tl.map_elementwise, Gluon kernels;
- kernels that were compiled ahead of time (`kernel.warmup(...)` and its result), CUDA graphs, launches outside Triton.

Differences from a GPU: TF32 inputs of a product are not rounded; a product and a sum are rounded separately, not fused;
racing programs run in one of many possible orders. A launch runs program by program if a loop waits for another program
(an atomic or volatile load in a while), or if programs use different tensors through one pointer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.trace.record import Access, Buffer, Fault, Launch, Watched

if TYPE_CHECKING:
    from core.interpreter.interception import Tracer, intercept

__all__ = ["Access", "Buffer", "Fault", "Launch", "Tracer", "Watched", "intercept"]


def __getattr__(name: str) -> Any:
    if name in ("intercept", "Tracer"):
        from core.interpreter import interception

        return getattr(interception, name)
    raise AttributeError(name)
