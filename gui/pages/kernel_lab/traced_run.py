"""The run that the plots of kernel-lab show, and what a click in one plot selects in the others."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from core.topics.kernel_lab import analysis
from core.topics.kernel_lab.finding_picture import access_of
from core.topics.kernel_lab.result import KernelLabResult
from core.trace.order import Moment
from core.trace.record import Launch
from core.trace.tables import FaultRow
from gui.page.selection import Value
from gui.widgets.latest_work import LatestWork

Kinds = dict[str, Value | None]


class TracedRun(QObject):
    """The last run with a trace. A run in progress or a cancelled run does not replace it.

    `launches` are decoded off the GUI thread: `decoded` carries them, `failed` carries a sentence (Text).
    """

    decoded = Signal(object)
    failed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.result: KernelLabResult | None = None
        self.launches: list[Launch] = []
        self._decoding = LatestWork(self)
        self._decoding.done.connect(self._keep)
        self._decoding.failed.connect(self.failed)

    @property
    def busy(self) -> bool:
        """Whether the launches are still being decoded."""
        return self._decoding.busy

    def take(self, result: KernelLabResult) -> bool:
        """Decode the trace of a run. Returns whether it ran the same function, so that selections stay valid."""
        before, self.result = self.result, result
        self._decoding.request(lambda: analysis.launches_of(result))
        return before is not None and _target(before) == _target(result)

    def forget(self) -> None:
        self._decoding.forget()
        self.result, self.launches = None, []

    def launch(self, number: int) -> Launch | None:
        return self.launches[number] if 0 <= number < len(self.launches) else None

    def kinds_of_line(self, file: str, line: int, launch: int, tensor: Value | None) -> Kinds:
        """The selection for a source line: its kernel, and the tensor that it moves, else `tensor`."""
        if self.result is None:
            return {"file": file, "line": line}
        line_tensor = self.result.tensor_at(file, line, launch) or tensor
        function = self.result.function_at(file, line)
        found = self.finding_at(file, line, launch)
        return {
            "file": file,
            "line": line,
            "function": function,
            "tensor": line_tensor,
            "access": None,
            "finding": found,
        }

    def kinds_of_moment(self, moment: Moment, launch: int, tensor: str) -> Kinds:
        """The selection for an access: its program, its line, and `tensor`, else the tensor that it accesses."""
        access = moment.access
        return {
            "program": moment.program,
            "access": access.order,
            "file": access.file,
            "line": access.line,
            "function": None if self.result is None else self.result.function_at(access.file, access.line),
            "tensor": tensor or self.launches[launch].buffers[access.buffer].name,
            "finding": self.finding_at(access.file, access.line, launch),
        }

    def finding(self, number: int) -> FaultRow | None:
        """A finding by its place in the result."""
        faults = () if self.result is None else self.result.faults
        return faults[number] if 0 <= number < len(faults) else None

    def finding_at(self, file: str, line: int, launch: int) -> int | None:
        """The place in the result of the first finding of a line: that of a launch, if it has one."""
        faults = () if self.result is None else self.result.faults
        numbers = [number for number, row in enumerate(faults) if (row.file, row.line) == (file, line)]
        return next((number for number in numbers if faults[number].launch == launch), next(iter(numbers), None))

    def access_of_finding(self, number: int) -> int | None:
        """The order of the access that a finding is about, in its program."""
        row = self.finding(number)
        launch = None if row is None else self.launch(row.launch)
        return None if row is None or launch is None else access_of(launch, row)

    def _keep(self, launches: list[Launch]) -> None:
        self.launches = launches
        self.decoded.emit(launches)


def _target(result: KernelLabResult) -> tuple[str, str, str]:
    """What a run executed: file, function and trace file."""
    return result.params.file, result.params.function, result.trace_file
