"""Streams and events of the virtual GPU: everything is done when the call returns, so there is nothing to wait for."""

from __future__ import annotations

import math
from types import TracebackType
from typing import Any, ClassVar

from core.contracts.text import tr
from core.interpreter.virtual_gpu.refusals import refused
from core.interpreter.virtual_gpu.residency import DEVICE, as_device


class Stream:
    """`torch.cuda.Stream`. Work that is queued on it is done at once."""

    _number: ClassVar[int] = 0
    device, device_index, device_type = DEVICE, 0, 1

    def __init__(self, device: Any = None, priority: int = 0, **options: Any) -> None:
        as_device(device)
        Stream._number += 1
        self.cuda_stream = self.stream_id = options.get("stream_ptr", Stream._number)
        self.priority = priority
        self._outer: list[Stream] = []

    @property
    def native_handle(self) -> int:
        return int(self.cuda_stream)

    @property
    def _as_parameter_(self) -> int:
        return int(self.cuda_stream)

    def query(self) -> bool:
        return True

    def is_capturing(self) -> bool:
        return False

    def synchronize(self) -> None:
        """All work is done."""

    def wait_event(self, event: Any) -> None:
        """All work is done."""

    def wait_stream(self, stream: Any) -> None:
        """All work is done."""

    def record_event(self, event: Any = None) -> Any:
        event = Event() if event is None else event
        event.record(self)
        return event

    def __enter__(self) -> Stream:
        self._outer.append(current.stream)
        current.stream = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        current.stream = self._outer.pop()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and other.cuda_stream == self.cuda_stream

    def __hash__(self) -> int:
        return hash(self.cuda_stream)

    def __repr__(self) -> str:
        return f"<torch.cuda.Stream device={DEVICE} cuda_stream={self.cuda_stream:#x}>"


class ExternalStream(Stream):
    """`torch.cuda.ExternalStream`: a stream by its address."""

    def __init__(self, stream_ptr: int, device: Any = None, **options: Any) -> None:
        super().__init__(device, stream_ptr=stream_ptr)


class Event:
    """`torch.cuda.Event`. It knows that something was recorded, but no time."""

    device = DEVICE
    cuda_event = event_id = 0

    notify: Any = staticmethod(lambda text: None)
    """Told when a time is asked for."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.recorded = False

    def record(self, stream: Any = None) -> None:
        self.recorded = True

    def wait(self, stream: Any = None) -> None:
        """All work is done."""

    def query(self) -> bool:
        return True

    def synchronize(self) -> None:
        """All work is done."""

    def elapsed_time(self, end_event: Any) -> float:
        """NaN: a trace has no GPU time. Raises RuntimeError if one of the events was never recorded, as torch does."""
        if not (self.recorded and end_event.recorded):
            raise RuntimeError("Both events must be recorded before calculating elapsed time.")
        self.notify(
            tr(
                "torch.cuda.Event.elapsed_time measured nothing: a trace has no GPU time, so each time that it returns "
                "is NaN."
            )
        )
        return math.nan

    def ipc_handle(self) -> Any:
        raise refused("torch.cuda.Event.ipc_handle")


class _Current:
    """The stream that is in use."""

    def __init__(self) -> None:
        self.stream = self.default = Stream(stream_ptr=0)


current = _Current()


def set_stream(stream: Any) -> None:
    if stream is not None:
        current.stream = stream


class StreamContext:
    """`with torch.cuda.stream(s)`. None changes nothing, as in torch."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __enter__(self) -> None:
        self._outer = current.stream
        set_stream(self._stream)

    def __exit__(self, *error: object) -> None:
        current.stream = self._outer
