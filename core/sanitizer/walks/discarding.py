"""Whether a kernel may discard what it reads by a loaded index, because it compares that index."""

from __future__ import annotations

from core.interpreter.ir import Function, Operation
from core.proofs.modelled import line_of
from core.proofs.terms import Poly, Symbol

_KEEPS = (
    "tt.splat",
    "tt.broadcast",
    "tt.expand_dims",
    "arith.andi",
    "arith.ori",
    "arith.xori",
    "tt.trans",
    "tt.reshape",
)
"""What makes a condition of conditions."""

_MASKS = {"tt.load": 1, "tt.store": 2, "tt.atomic_rmw": 2}


def may_discard(function: Function, index: Poly, file: str, line: int) -> bool:
    """Whether a condition on the loaded `index` decides anything but which elements the access at `file:line`
    reaches. If the index was not loaded, nothing is known, and it may.
    """
    lines = {atom.line for atom in index.atoms() if isinstance(atom, Symbol)}
    operations = list(function.body.walk())
    loaded: set[int] = set()
    judged: set[int] = set()
    for operation in operations:
        slots = [value.slot for value in operation.operands]
        results = [value.slot for value in operation.results]
        if operation.name == "tt.load" and line_of(operation.location) in lines:
            loaded.update(results)
        elif judged.intersection(slots) and _decides(operation, slots, judged, file, line):
            return True
        elif judged.intersection(slots) if operation.name in _KEEPS else _compares(operation, loaded):
            judged.update(results)
        elif loaded.intersection(slots) and operation.name != "tt.load":
            loaded.update(results)
    return not loaded


def _compares(operation: Operation, loaded: set[int]) -> bool:
    return operation.name in ("arith.cmpi", "arith.cmpf") and any(value.slot in loaded for value in operation.operands)


def _decides(operation: Operation, slots: list[int], judged: set[int], file: str, line: int) -> bool:
    """Whether conditions decide more in an operation than which elements the access at `file:line` reaches."""
    if operation.name in _KEEPS:
        return False
    own_mask = operation.name in _MASKS and (operation.location.file, operation.location.line) == (file, line)
    if own_mask and not judged.intersection(slots[: _MASKS[operation.name]]):
        return False
    nested = operation.name == "scf.if" and any(
        (inner.location.file, inner.location.line) == (file, line)
        for region in operation.regions
        for inner in region.walk()
    )
    return not nested
