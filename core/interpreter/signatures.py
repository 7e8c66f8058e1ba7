"""The result types of operations whose printed signature omits them."""

from __future__ import annotations

from collections.abc import Sequence

from core.interpreter.ir import Type

_I1 = Type("i1")
_TOKEN = Type("!ttg.async.token")
_TOKENS = (
    "ttg.async_copy_global_to_local",
    "ttg.async_commit_group",
    "ttg.async_wait",
    "ttng.tc_gen5_mma",
    "ttng.tc_gen5_mma_scaled",
    "ttng.tmem_store",
)


def result_types(name: str, before: Sequence[Type], after: Sequence[Type]) -> tuple[Type, ...]:
    """The result types of operation `name`, given the types printed before and after its arrow."""
    if name in ("arith.cmpi", "arith.cmpf"):
        return (before[0].with_element("i1"),)
    if name == "tt.load":
        return (before[0].with_element(before[0].element),)
    if name == "tt.addptr":
        return (before[0],)
    if name == "arith.constant" and not before:
        return (_I1,)
    if name in _TOKENS:
        return (_TOKEN,)
    if name == "tt.split":
        return (after[0], after[0])
    if name in ("arith.mulsi_extended", "arith.mului_extended"):
        return (before[0], before[0])
    if name == "arith.addui_extended":
        return (before[0], before[0].with_element("i1"))
    if after:
        return tuple(after)
    return (before[-1],) if before else ()
