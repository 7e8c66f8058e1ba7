"""Executes a kernel's TTIR for all programs at once and records every access.

`intercept` needs torch and Triton and is imported on first use; the records need neither.

Not supported, each refused with one sentence that names the source line, before anything runs:

- inline assembly with jumps, memory, or instructions outside `ops.ptx_meanings` and `ops.ptx_conversions`, and library
  functions outside `ops.library`;
- backward jumps (Triton writes loops as scf), 8-bit float types that torch lacks;
- in Gluon kernels: clusters of several CTAs, reads through another layout than that of the write, AMD's operations;
- CUDA graphs, and launches outside Triton.

Differences from a GPU: TF32 inputs of a product are not rounded; a product and a sum are rounded separately, not fused;
racing programs run in one of many possible orders. Programs that spin on a lock or a flag are parked, and a failed
attempt is no access; where a loop does more than wait, the launch runs program by program, and others go on while one
waits. A launch that would never end is stopped, and what it did until then is its trace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.trace.record import Access, Buffer, Fault, Launch, Watched

if TYPE_CHECKING:
    from core.interpreter.frontend import require_triton
    from core.interpreter.interception import intercept
    from core.interpreter.tracer import Tracer
    from core.interpreter.unwritten import NeedsData

__all__ = ["Access", "Buffer", "Fault", "Launch", "NeedsData", "Tracer", "Watched", "intercept", "require_triton"]


def __getattr__(name: str) -> Any:
    if name == "intercept":
        from core.interpreter import interception

        return interception.intercept
    if name == "Tracer":
        from core.interpreter import tracer

        return tracer.Tracer
    if name == "NeedsData":
        from core.interpreter import unwritten

        return unwritten.NeedsData
    if name == "require_triton":
        from core.interpreter import frontend

        return frontend.require_triton
    raise AttributeError(name)
