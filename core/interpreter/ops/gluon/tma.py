"""ttng: TMA, which copies tiles between global and shared memory. Elements outside the tensor are left out."""

from __future__ import annotations

import math
from typing import Any

from core.interpreter.body import Step
from core.interpreter.descriptors import Descriptor
from core.interpreter.frame import Frame
from core.interpreter.ir import Operation, Type
from core.interpreter.ops.gluon.barriers import ready
from core.interpreter.ops.gluon.predicates import where
from core.interpreter.ops.gluon.tiles import TileAccess
from core.interpreter.ops.gluon.units import issued, units_of, using
from core.interpreter.ops.registry import PureFunction, StepPlanner, pure, step
from core.interpreter.scratchpad import View, element_bytes
from core.interpreter.values import Pointer, to_integer, to_torch
from core.trace.affine import Integer
from core.trace.mask import Predicate


def _pointers(tile: Type) -> Type:
    return Type(tile.element, tile.dims, pointer=True)


def _corner(frame: Frame, operation: Operation, rank: int) -> list[Integer]:
    return [to_integer(frame.values[value.slot]) for value in operation.operands[1 : 1 + rank]]


@step("ttng.async_tma_copy_global_to_local")
def _load(operation: Operation, planner: StepPlanner) -> Step:
    """Operands: descriptor, coordinates, barrier, target, predicate; the first views are told from the coordinates."""
    described = operation.operands[0].type
    barrier, target, predicate = _copy_operands(operation)
    access = TileAccess(operation, _pointers(described), planner)

    def run(frame: Frame) -> None:
        descriptor: Descriptor = frame.values[operation.operands[0].slot]
        place = descriptor.tile(_corner(frame, operation, described.rank), described.dims)
        _fetch(operation, frame, access, descriptor, place, barrier, target)

    return where(predicate, operation.operands, run)


@step("ttng.async_tma_gather")
def _gather(operation: Operation, planner: StepPlanner) -> Step:
    """Rows of a matrix by their indices, from one column on."""
    descriptor_value, rows, column, *_ = operation.operands
    barrier, target, predicate = _copy_operands(operation)
    height, width = target.type.dims
    access = TileAccess(operation, Type(descriptor_value.type.element, (height, width), pointer=True), planner)

    def run(frame: Frame) -> None:
        values = frame.values
        descriptor: Descriptor = values[descriptor_value.slot]
        place = descriptor.rows(to_integer(values[rows.slot]), to_integer(values[column.slot]), width)
        _fetch(operation, frame, access, descriptor, place, barrier, target)

    return where(predicate, operation.operands, run)


def _copy_operands(operation: Operation) -> tuple[Any, Any, Any]:
    """(barrier, target, predicate): the two views, of which the barrier is one of 64-bit integers."""
    views = [value for value in operation.operands if value.type.space == "shared"]
    predicate = next((v for v in operation.operands if v.type.element == "i1" and not v.type.space), None)
    barrier = next(view for view in views if view.type.element == "i64")
    return barrier, next(view for view in views if view is not barrier), predicate


def _fetch(
    operation: Operation,
    frame: Frame,
    access: TileAccess,
    descriptor: Descriptor,
    place: tuple[Pointer, Predicate],
    barrier: Any,
    target: Any,
) -> None:
    view: View = frame.values[target.slot]
    using(frame, "writes", view, operation.location)
    signal = ready(operation, frame, barrier.slot)
    tile = Type(descriptor_element(operation), target.type.dims)
    fill = descriptor.fill if tile.is_float else 0
    view.write(frame.programs, to_torch(access.load(frame, *place, fill), tile))
    issued(frame, "writes", view, operation.location).tickets.append(signal.ticket())
    signal.copied(math.prod(target.type.dims) * element_bytes(target.type))


def descriptor_element(operation: Operation) -> str:
    return operation.operands[0].type.element


@step("ttng.async_tma_copy_local_to_global")
def _store(operation: Operation, planner: StepPlanner) -> Step:
    descriptor_value, *_, source = operation.operands
    described = descriptor_value.type
    access = TileAccess(operation, _pointers(described), planner)

    def run(frame: Frame) -> None:
        descriptor: Descriptor = frame.values[descriptor_value.slot]
        place = descriptor.tile(_corner(frame, operation, described.rank), described.dims)
        _send(operation, frame, access, place, source)

    return run


@step("ttng.async_tma_scatter")
def _scatter(operation: Operation, planner: StepPlanner) -> Step:
    descriptor_value, rows, column, source = operation.operands
    height, width = source.type.dims
    access = TileAccess(operation, Type(descriptor_value.type.element, (height, width), pointer=True), planner)

    def run(frame: Frame) -> None:
        values = frame.values
        descriptor: Descriptor = values[descriptor_value.slot]
        place = descriptor.rows(to_integer(values[rows.slot]), to_integer(values[column.slot]), width)
        _send(operation, frame, access, place, source)

    return run


def _send(
    operation: Operation, frame: Frame, access: TileAccess, place: tuple[Pointer, Predicate], source: Any
) -> None:
    """Each store is a group of its own."""
    view: View = frame.values[source.slot]
    units = units_of(frame)
    using(frame, "reads", view, operation.location)
    pointer, keep = place
    access.store(frame, pointer, view.read(frame.programs), keep)
    units.tma_stores.open.append(issued(frame, "reads", view, operation.location))
    units.tma_stores.commit()


@step("ttng.async_tma_store_wait")
def _store_wait(operation: Operation, _planner: StepPlanner) -> Step:
    left = int(operation.attributes["pendings"])
    return lambda frame: units_of(frame).tma_stores.wait(left)


@pure("tt.make_tensor_descriptor")
def _make(operation: Operation) -> PureFunction:
    """Operands: pointer, shape, strides."""
    rank = operation.result.type.rank
    nan = "nan" in str(operation.attributes.get("padding", "")) or operation.attributes.get("padding") == 2

    def call(pointer: Pointer, *numbers: Any) -> Descriptor:
        shape = tuple(map(to_integer, numbers[:rank]))
        return Descriptor(pointer, shape, tuple(map(to_integer, numbers[rank : 2 * rank])), nan)

    return call


@step("ttng.fence_async_shared", "ttng.fence_mbarrier_init_release_cluster", "ttng.tensormap_fenceproxy_acquire")
def _fence(operation: Operation, _planner: StepPlanner) -> Step:
    """Program order is kept here."""
    return lambda frame: None
