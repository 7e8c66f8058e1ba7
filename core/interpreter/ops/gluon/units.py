"""The asynchronous units of a frame, and reports of what was not waited for."""

from __future__ import annotations

from core.contracts.errors import TilescopeError
from core.contracts.text import Value, tr
from core.interpreter.asynchronous import Effect, Pending, Units
from core.interpreter.barriers import Barrier
from core.interpreter.frame import Frame
from core.interpreter.ir import Location
from core.interpreter.scratchpad import View
from core.sanitizer import kinds
from core.trace.record import Fault


def units_of(frame: Frame) -> Units:
    """The asynchronous units of a frame, made when first asked for."""
    units = frame.units
    if units is None:
        units = frame.units = Units()
    return units


def barrier_of(view: View, frame: Frame) -> Barrier:
    return units_of(frame).shared.barriers.of(view, frame.programs)


def issued(frame: Frame, effect: Effect, view: View, location: Location) -> Pending:
    """Remember an operation that goes on after its instruction."""
    return units_of(frame).issue(effect, view, frame.programs, location)


def using(frame: Frame, effect: Effect, view: View, location: Location) -> None:
    """Report a use of a view that something not yet waited for may still change, or may still need.

    Raises TilescopeError for a read of what was written through a view of another layout.
    """
    if effect == "writes":
        view.allocation.written(view.kind, *view.span)
    elif view.allocation.writer(*view.span) not in ("", view.kind):
        raise TilescopeError(
            tr(
                "{location} reads {buffer} through another layout than it was written through, so the order of its "
                "elements depends on the hardware, which Tilescope does not model in Gluon kernels: write it through "
                "the same view.",
                location=location.label,
                buffer=view.allocation.name,
            )
        )
    for pending in units_of(frame).conflicts(effect, view, frame.programs, location):
        details: dict[str, Value] = {
            "kernel": frame.run.function,
            "location": location.label,
            "buffer": view.allocation.name,
            "issued": pending.location.label,
        }
        if pending.effect == "writes":
            sentence = tr(
                "{kernel} reads {buffer} at {location} before anything has waited for what {issued} writes there: on a "
                "GPU the values may be old ones.",
                **details,
            )
        else:
            sentence = tr(
                "{kernel} overwrites {buffer} at {location} before anything has waited for what {issued} still reads "
                "there: on a GPU it may read the new values.",
                **details,
            )
        frame.run.diagnostics.fault(
            Fault(
                kind=kinds.MISSING_WAIT,
                access="load" if pending.effect == "writes" else "store",
                file=location.file,
                line=location.line,
                program=int(frame.programs[0]),
                count=len(frame.programs),
                sentence=sentence,
                iteration=frame.iteration,
                repair=tr("Wait for it first."),
                other_file=pending.location.file,
                other_line=pending.location.line,
            )
        )
