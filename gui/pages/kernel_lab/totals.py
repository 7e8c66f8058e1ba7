"""The list of totals over all launches: each kernel, the heaviest first, with its lines below it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from operator import attrgetter

from core.contracts.text import Text, tr, tr_in
from core.format import format_quantity
from core.outside import shown_name
from core.topics.kernel_lab import wording
from core.topics.kernel_lab.result import KernelLabResult, file_name
from core.trace.totals import KernelTotal, LineTotal
from gui.widgets.record_model import Column

Total = KernelTotal | LineTotal
NO_TOTALS = tr("What each kernel and each of its lines moves in all launches together is listed here.")


def totals_of(result: KernelLabResult) -> list[Total]:
    """The rows of the list."""
    return [row for kernel in result.kernel_totals for row in (kernel, *kernel.lines)]


def total_key(row: Total) -> Hashable:
    if isinstance(row, KernelTotal):
        return row.function, row.file, row.first_line
    return row.function, row.file, row.line, row.kind, row.tensor


def place_of(row: Total) -> dict[str, object]:
    """What a row identifies: a line, and the tensor that it accesses."""
    if isinstance(row, KernelTotal):
        return {"file": row.file, "line": row.first_line}
    return {"file": row.file, "line": row.line, "tensor": row.tensor}


def _name(row: Total) -> str:
    if isinstance(row, KernelTotal):
        return f"{shown_name(row.function)}  {wording.times_launched(row.launches)}"
    return f"   {row.line} {row.kind} {shown_name(row.tensor)}"


def _tip(row: Total) -> str:
    line = row.first_line if isinstance(row, KernelTotal) else row.line
    location = f"{file_name(row.file)}:{line}"
    size = row.read_bytes + row.written_bytes
    return str(tr("{location}: {accesses:,} accesses, {size:,} B", location=location, accesses=row.accesses, size=size))


def _tone(row: Total) -> str:
    return "" if isinstance(row, KernelTotal) else "faint"


def _number(name: str, title: Text, help: Text, write: Callable[[float], str]) -> Column[Total]:
    return Column(name, title, help, attrgetter(name), write, missing="", mono=False, tip=_tip)


def _bytes(count: float) -> str:
    return format_quantity(count, "bytes")


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"


TOTAL_COLUMNS: tuple[Column[Total], ...] = (
    Column(
        "kernel", tr("Kernel, and its lines"), tr("A kernel with the number of its launches, or one of its lines"),
        _name, number=False, tip=_tip, tone=_tone,
    ),
    _number("share", tr("Share"), tr("Share of all bytes that the launches moved"), _percent),
    _number("read_bytes", tr("Read"), tr("Bytes that all launches read"), _bytes),
    _number("written_bytes", tr("Written"), tr("Bytes that all launches wrote"), _bytes),
    _number("unique_bytes", tr("Distinct"), tr("Bytes at distinct addresses, per launch, added up"), _bytes),
    _number(
        "reuse", tr("Reuse"), tr("Bytes moved divided by distinct bytes"), lambda reuse: format_quantity(reuse, "x")
    ),
    _number(
        "sector_share", tr_in("title", "Sectors"), tr("Used share of the 32-byte sectors that are touched"), _percent
    ),
)  # fmt: skip
