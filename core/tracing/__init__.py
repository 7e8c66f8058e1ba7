"""Executes a kernel's TTIR for all programs at once and records every access.

`intercept` needs torch and Triton and is imported on first use; the records and what is computed from them are light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.trace.record import Access, Buffer, Fault, Launch, Watched

if TYPE_CHECKING:
    from core.tracing.interception import Tracer, intercept

__all__ = ["Access", "Buffer", "Fault", "Launch", "Tracer", "Watched", "intercept"]


def __getattr__(name: str) -> Any:
    if name in ("intercept", "Tracer"):
        from core.tracing import interception

        return getattr(interception, name)
    raise AttributeError(name)
