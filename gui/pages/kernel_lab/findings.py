"""The card with the lists of a run: traffic per line, totals, faults, and the differences from the run pinned as A."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from core.contracts.text import Text, tr
from core.format import format_quantity
from core.topics.kernel_lab.compare import Difference, differences
from core.topics.kernel_lab.result import ConfigRow, KernelLabResult
from core.trace.tables import LineRow
from gui.pages.kernel_lab.configs import CONFIG_COLUMNS, NO_CONFIGS
from gui.pages.kernel_lab.finding_list import FindingList
from gui.pages.kernel_lab.finding_rows import Found
from gui.pages.kernel_lab.totals import NO_TOTALS, TOTAL_COLUMNS, Total, place_of, total_key, totals_of
from gui.widgets.record_model import Column
from gui.widgets.record_table import RecordTable
from gui.widgets.switcher import Switcher

_FAULTS, _CHANGES = 2, 3
_NO_LINES = tr("The traffic of each source line is listed here.")
_NO_PIN = tr("Pin a run as A, then run again to see the differences in bytes here.")
_IS_PIN = tr("This run is A: change the kernel and run again to see the differences in bytes.")


def _bytes(value: float) -> str:
    return format_quantity(value, "bytes")


def _signed_bytes(count: int) -> str:
    """'+1.05 MB', '−512 B', '0 B'."""
    sign = "+" if count > 0 else "−" if count < 0 else ""
    return f"{sign}{_bytes(abs(count))}"


def _line_tip(row: LineRow) -> str:
    location = f"{row.file}:{row.line}"
    return str(
        tr("{location}: {accesses:,} accesses, {size:,} B", location=location, accesses=row.accesses, size=row.bytes)
    )


def _difference_tip(d: Difference) -> str:
    return str(
        tr(
            "{label}: {a_bytes:,} B in A, {b_bytes:,} B in B ({delta:+,} B)",
            label=d.label,
            a_bytes=d.a_bytes,
            b_bytes=d.b_bytes,
            delta=d.delta_bytes,
        )
    )


def _difference_tone(d: Difference) -> str:
    """Green for fewer bytes, red for more."""
    return "good" if d.delta_bytes < 0 else "bad" if d.delta_bytes > 0 else "faint"


def _of_line(
    name: str, title: Text, help: Text, write: Callable[[float], str], value: Callable[[LineRow], object] | None = None
) -> Column[LineRow]:
    return Column(name, title, help, value or attrgetter(name), write, mono=False, tip=_line_tip)


LINE_COLUMNS: tuple[Column[LineRow], ...] = (
    _of_line("line", tr("Line"), tr("Source line"), str),
    Column(
        "access", tr("Access"), tr("Kind of access and tensor"), lambda row: f"{row.kind} {row.tensor}",
        number=False, tip=_line_tip,
    ),
    _of_line("bytes", tr("Bytes"), tr("Bytes that the line moved"), _bytes),
    _of_line("unique_bytes", tr("Distinct"), tr("Bytes at distinct addresses"), _bytes),
    _of_line(
        "reuse", tr("Reuse"), tr("Bytes moved divided by distinct bytes"), lambda reuse: format_quantity(reuse, "x")
    ),
    _of_line(
        "masked_share", tr("Masked"), tr("Share of elements that are masked off"), lambda share: f"{100 * share:.3g}%"
    ),
)  # fmt: skip
DIFFERENCE_COLUMNS: tuple[Column[Difference], ...] = (
    Column(
        "label", tr("Bytes of"), tr("All tensors, one tensor or one source line"), lambda d: str(d.label),
        number=False, tip=_difference_tip, stretch=True,
    ),
    Column("a_bytes", "A", tr("Bytes in the pinned run"), lambda d: d.a_bytes, _bytes, tip=_difference_tip),
    Column("b_bytes", "B", tr("Bytes in this run"), lambda d: d.b_bytes, _bytes, tip=_difference_tip),
    Column(
        "delta_bytes", "B − A", tr("Difference in bytes"), lambda d: d.delta_bytes, _signed_bytes,
        tip=_difference_tip, tone=_difference_tone,
    ),
    Column(
        "share", "", tr("The difference relative to A"), lambda d: d.share if d.delta_bytes else None,
        lambda share: f"{100 * share:+.1f}%".replace("-", "−"), missing="",
        tip=_difference_tip, tone=_difference_tone,
    ),
)  # fmt: skip


class Findings(Switcher):
    """`picked` carries what a row identifies: some of launch, file, line, program, tensor and finding."""

    picked = Signal(dict)
    config_chosen = Signal(int)
    """The number of a configuration that was clicked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        place = attrgetter("file", "line")
        self.lines: RecordTable[LineRow] = RecordTable(LINE_COLUMNS, place, _NO_LINES)
        self.totals: RecordTable[Total] = RecordTable(TOTAL_COLUMNS, total_key, NO_TOTALS)
        self.faults = FindingList()
        self.changes: RecordTable[Difference] = RecordTable(DIFFERENCE_COLUMNS, lambda change: change, _NO_PIN)
        self.configs: RecordTable[ConfigRow] = RecordTable(CONFIG_COLUMNS, attrgetter("function", "number"), NO_CONFIGS)
        super().__init__(
            [
                ("lines", tr("Lines"), self.lines),
                ("totals", tr("Totals"), self.totals),
                ("faults", tr("Faults"), self.faults),
                ("changes", tr("A/B"), self.changes),
                ("configs", tr("Configs"), self.configs),
            ],
            "findings_view",
            parent,
        )
        self.pinned: KernelLabResult | None = None
        self.lines.picked.connect(lambda row: self.picked.emit(_kinds(row)))
        self.totals.picked.connect(lambda row: self.picked.emit(place_of(row)))
        self.faults.picked.connect(lambda found: self.picked.emit(_kinds_of_finding(found)))
        self.changes.picked.connect(self._on_change)
        self.configs.picked.connect(lambda row: self.config_chosen.emit(row.number))

    def show_run(self, result: KernelLabResult) -> None:
        """List the faults of a run, compare it with A, and show the list that has news."""
        self.list_run(result)
        if self.pinned is not None and result is not self.pinned:
            self.show_picture(_CHANGES)
        if self.faults.has_news:
            self.show_picture(_FAULTS)

    def list_run(self, result: KernelLabResult) -> None:
        """List the totals and faults of a run and its differences from A, behind whichever list is in front."""
        self.totals.set_rows(totals_of(result))
        self.show_faults(result)
        self.configs.set_rows(result.configs, tr("No autotuned kernel was launched."))
        if self.pinned is not None and result is not self.pinned:
            self.changes.set_rows(differences(self.pinned, result))

    def show_faults(self, result: KernelLabResult) -> None:
        self.faults.show_result(result)

    def show_launch(self, result: KernelLabResult, launch: int) -> None:
        """List the traffic of one launch of a run."""
        self.lines.set_rows([row for row in result.line_traffic if row.launch == launch])

    def clear(self) -> None:
        """Reset to the state before a run; A stays pinned."""
        self.lines.set_rows([])
        self.totals.set_rows([])
        self.faults.show_result(None)
        self.configs.set_rows([], NO_CONFIGS)
        self.changes.set_rows([], _NO_PIN if self.pinned is None else _IS_PIN)

    def pin(self, result: KernelLabResult | None) -> None:
        """Pin a run as A; None unpins."""
        self.pinned = result
        self.changes.set_rows([], _NO_PIN if result is None else _IS_PIN)
        if result is not None:
            self.show_picture(_CHANGES)

    def pick(self, file: str | None, line: int | None, finding: int | None) -> None:
        """Mark the row of a line and that of a finding, as another view selected them."""
        self.lines.mark((file, line))
        self.faults.mark(finding)

    def _on_change(self, change: Difference) -> None:
        if change.kind == "line" and change.file:
            self.picked.emit({"file": change.file, "line": change.line})
        elif change.kind == "tensor":
            self.picked.emit({"tensor": change.tensor})


def _kinds(row: LineRow) -> dict[str, Any]:
    return {"launch": row.launch, "file": row.file, "line": row.line, "tensor": row.tensor}


def _kinds_of_finding(found: Found) -> dict[str, Any]:
    row = found.row
    return {
        "launch": row.launch,
        "file": row.file,
        "line": row.line,
        "tensor": row.tensor or None,
        "program": row.program if row.program >= 0 else None,
        "finding": found.number,
    }
