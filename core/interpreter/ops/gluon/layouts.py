"""Layouts say which thread holds which element, so a change of layout changes no value."""

from __future__ import annotations

from core.interpreter.ir import Operation
from core.interpreter.ops.registry import PureFunction, pure


@pure("ttg.convert_layout", "gluon.set_auto_layout")
def _same_values(operation: Operation) -> PureFunction:
    return lambda value: value


@pure("ttg.barrier", "gpu.barrier", "ttg.local_barrier")
def _together(operation: Operation) -> PureFunction:
    """All threads of a program run together here."""
    return lambda: None
