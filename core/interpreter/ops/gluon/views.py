"""ttg: views of shared and tensor memory. They move no data."""

from __future__ import annotations

from typing import Any

from core.contracts.errors import TilescopeError
from core.contracts.text import tr
from core.interpreter.ir import Operation
from core.interpreter.ops.registry import PureFunction, pure
from core.interpreter.scratchpad import View, kind_of, moved, row_major
from core.interpreter.values import to_integer


@pure("ttg.memdesc_index")
def _index(operation: Operation) -> PureFunction:
    shape = operation.result.type.dims
    return lambda view, index: moved(view, [to_integer(index)], 1, shape)


@pure("ttg.memdesc_subslice", "ttng.tmem_subslice")
def _slice(operation: Operation) -> PureFunction:
    """Offsets are constants: one for each axis, or that of the last axis."""
    shape = operation.result.type.dims
    offsets = [int(word) for word in operation.attributes["words"] if isinstance(word, int)]
    if operation.name == "ttng.tmem_subslice":
        offsets = [0] * (len(shape) - 1) + [int(operation.attributes.get("N", offsets[0] if offsets else 0))]
    return lambda view: moved(view, offsets, 0, shape)


@pure("ttg.memdesc_trans")
def _transpose(operation: Operation) -> PureFunction:
    order = tuple(operation.attributes["order"])

    def call(view: View) -> View:
        return view.at(view.base, [view.shape[axis] for axis in order], [view.strides[axis] for axis in order])

    return call


@pure("ttg.memdesc_reshape")
def _reshape(operation: Operation) -> PureFunction:
    shape = operation.result.type.dims

    def call(view: View) -> View:
        strides = _reshaped(view.shape, view.strides, shape)
        if strides is None:
            raise TilescopeError(
                tr(
                    "{location} reshapes a part of shared memory whose rows are not adjacent, which Tilescope does not "
                    "support in Gluon kernels: reshape the whole buffer and take the part of that.",
                    location=operation.location.label,
                )
            )
        return view.at(view.base, shape, strides)

    return call


def _reshaped(shape: tuple[int, ...], strides: tuple[int, ...], target: tuple[int, ...]) -> list[int] | None:
    """The strides of an array of another shape that has the same elements in the same order; None if there are none."""
    import torch

    try:
        return list(torch.empty_strided(shape, strides, device="meta").view(target).stride())
    except RuntimeError:
        return None


@pure("ttg.memdesc_reinterpret")
def _reinterpret(operation: Operation) -> PureFunction:
    """The same bytes as another type and shape. In tensor memory a row stays a row."""
    type_ = operation.result.type

    def call(view: View) -> Any:
        size = View(view.allocation, type_, 0, type_.dims, (), "").element_bytes
        strides = row_major(type_.dims, size)
        if type_.space == "tensor" and len(type_.dims) == 2 == len(view.shape):
            strides = (view.strides[0], size)
        return View(view.allocation, type_, view.base, type_.dims, strides, kind_of(type_))

    return call
