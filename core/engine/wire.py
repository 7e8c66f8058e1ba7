"""Events as bytes, between a worker and the engine: JSON, then the archive of a result. No code, so no pickle."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields

from core.contracts import archive
from core.contracts.events import Cancelled, Event, Failed, Finished, Partial, Progress, Started
from core.contracts.result import Result

_KINDS: dict[str, type[Event]] = {
    kind.__name__: kind for kind in (Started, Progress, Partial, Finished, Failed, Cancelled)
}


def pack(event: Event) -> bytes:
    """The event as one line of JSON and, for a result, its archive. Raises TypeError for what neither can hold."""
    if isinstance(event, Finished):
        kind = {"event": Finished.__name__, "seconds": event.seconds, "is_warm": event.is_warm}
        return _line(kind) + event.result.to_bytes(compress=False)
    if isinstance(event, Partial):
        return _line({"event": Partial.__name__}) + event.result.to_bytes(compress=False)
    return _line({"event": type(event).__name__, **archive.plain(event)})


def unpack(data: bytes, result: type[Result]) -> Event:
    """The inverse of `pack` for a topic whose results are of that class. Raises ValueError for anything else."""
    line, _, packed = data.partition(b"\n")
    values = _values(line)
    kind = _KINDS.get(str(values.pop("event", "")))
    if kind is Partial:
        return Partial(result.from_bytes(packed))
    if kind is Finished:
        return Finished(result.from_bytes(packed), _seconds(values.get("seconds")), values.get("is_warm") is True)
    if kind is None or values.keys() != {item.name for item in fields(kind)}:
        raise ValueError("a worker sent an unknown event")
    return archive.typed(kind, values)


def kind_of(data: bytes) -> type[Event]:
    """The class of a packed event, without what it holds. Raises ValueError for anything else."""
    line, _, _ = data.partition(b"\n")
    kind = _KINDS.get(str(_values(line).get("event", "")))
    if kind is None:
        raise ValueError("not an event")
    return kind


def _seconds(value: object) -> float | None:
    """A duration, if it is one."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) and value >= 0 else None


def _values(line: bytes) -> dict[str, object]:
    try:
        values = json.loads(line)
    except RecursionError as error:
        raise ValueError("a worker sent JSON that is nested too deeply") from error
    if not isinstance(values, dict):
        raise ValueError("a worker sent something that is not an event")
    return values


def _line(values: Mapping[str, object]) -> bytes:
    return json.dumps(values).encode() + b"\n"
