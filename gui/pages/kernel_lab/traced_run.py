"""The run that the plots of kernel-lab show, and what a pick in one of them selects in the others."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from core.topics.kernel_lab import analysis
from core.topics.kernel_lab.result import KernelLabResult
from core.trace.order import Moment
from core.trace.record import Launch
from gui.page.selection import Value
from gui.widgets.latest_work import LatestWork

Kinds = dict[str, Value | None]


class TracedRun(QObject):
    """The last run that brought a trace; one under way, or given up, takes nothing from it.

    `launches` are decoded beside the GUI thread: `decoded` carries them, `failed` a sentence.
    """

    decoded = Signal(object)
    failed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.result: KernelLabResult | None = None
        self.launches: list[Launch] = []
        self._decoding = LatestWork(self)
        self._decoding.done.connect(self._keep)
        self._decoding.failed.connect(self.failed)

    @property
    def busy(self) -> bool:
        """Whether launches are still to come."""
        return self._decoding.busy

    def take(self, result: KernelLabResult) -> bool:
        """Decode the trace of another run. Says whether it ran what the last one did: picks then mean the same."""
        before, self.result = self.result, result
        self._decoding.request(lambda: analysis.launches_of(result))
        return before is not None and _what_ran(before) == _what_ran(result)

    def forget(self) -> None:
        self._decoding.forget()
        self.result, self.launches = None, []

    def launch(self, number: int) -> Launch | None:
        return self.launches[number] if 0 <= number < len(self.launches) else None

    def kinds_of_line(self, file: str, line: int, launch: int, tensor: Value | None) -> Kinds:
        """What a source line selects: the kernel that it belongs to, and the tensor that it moves, else `tensor`."""
        if self.result is None:
            return {"file": file, "line": line}
        moved = self.result.tensor_at(file, line, launch) or tensor
        function = self.result.function_at(file, line)
        return {"file": file, "line": line, "function": function, "tensor": moved, "access": None}

    def kinds_of_moment(self, moment: Moment, launch: int, tensor: str) -> Kinds:
        """What an access selects: its program, its line, and `tensor`, else the one that it is to."""
        access = moment.access
        return {
            "program": moment.program,
            "access": access.order,
            "file": access.file,
            "line": access.line,
            "function": None if self.result is None else self.result.function_at(access.file, access.line),
            "tensor": tensor or self.launches[launch].buffers[access.buffer].name,
        }

    def _keep(self, launches: list[Launch]) -> None:
        self.launches = launches
        self.decoded.emit(launches)


def _what_ran(result: KernelLabResult) -> tuple[str, str, str]:
    return result.params.file, result.params.function, result.trace_file
