"""The columns of kernel-lab's lists: traffic per line, faults, and what changed between two runs."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter

from core.contracts.result import Row
from core.format import format_quantity
from gui.pages.kernel_lab.compare import Difference
from gui.widgets.record_model import Column


def _bytes(value: float) -> str:
    return format_quantity(value, "bytes")


def signed_bytes(count: int) -> str:
    """'+1.05 MB', '−512 B', '0 B'."""
    sign = "+" if count > 0 else "−" if count < 0 else ""
    return f"{sign}{_bytes(abs(count))}"


def _line_tip(row: Row) -> str:
    return f"{row['file']}:{row['line']}: {row['accesses']:,} accesses, {row['bytes']:,} B"


def _fault_tip(row: Row) -> str:
    return f"{row['kind']}: {row['count']:,} elements or bytes"


def _difference_tip(d: Difference) -> str:
    return f"{d.label}: {d.a_bytes:,} B in A, {d.b_bytes:,} B in B ({d.delta_bytes:+,} B)"


def _difference_tone(d: Difference) -> str:
    """Fewer bytes in green, more in red."""
    return "good" if d.delta_bytes < 0 else "bad" if d.delta_bytes > 0 else "faint"


def _of_line(
    name: str, title: str, help: str, write: Callable[[float], str], value: Callable[[Row], object] | None = None
) -> Column[Row]:
    return Column(name, title, help, value or itemgetter(name), write, tip=_line_tip)


LINE_COLUMNS: tuple[Column[Row], ...] = (
    _of_line("line", "Line", "Source line", str),
    Column(
        "access", "Access", "Kind of access and tensor", lambda row: f"{row['kind']} {row['tensor']}",
        number=False, tip=_line_tip,
    ),
    _of_line("bytes", "Bytes", "Bytes that the line moved", _bytes),
    _of_line("unique_bytes", "Distinct", "Bytes of different addresses", _bytes),
    _of_line("reuse", "Reuse", "Bytes moved over distinct bytes", lambda reuse: format_quantity(reuse, "x")),
    _of_line("masked_share", "Masked", "Elements that the mask left out", lambda share: f"{100 * share:.3g}%"),
)  # fmt: skip
FAULT_COLUMNS: tuple[Column[Row], ...] = (
    Column("line", "Line", "Source line", itemgetter("line"), tip=_fault_tip, tone=lambda row: "bad"),
    Column(
        "sentence", "What is wrong", "What is wrong, and where", itemgetter("sentence"),
        number=False, tip=_fault_tip, stretch=True,
    ),
)  # fmt: skip
DIFFERENCE_COLUMNS: tuple[Column[Difference], ...] = (
    Column(
        "label", "Bytes of", "All tensors, one tensor or one source line", lambda d: d.label,
        number=False, tip=_difference_tip, stretch=True,
    ),
    Column("a_bytes", "A", "Bytes in the pinned run", lambda d: d.a_bytes, _bytes, tip=_difference_tip),
    Column("b_bytes", "B", "Bytes in this run", lambda d: d.b_bytes, _bytes, tip=_difference_tip),
    Column(
        "delta_bytes", "B − A", "How many bytes more or fewer", lambda d: d.delta_bytes, signed_bytes,
        tip=_difference_tip, tone=_difference_tone,
    ),
    Column(
        "share", "", "The difference relative to A", lambda d: d.share if d.delta_bytes else None,
        lambda share: f"{100 * share:+.1f}%".replace("-", "−"), missing="",
        tip=_difference_tip, tone=_difference_tone,
    ),
)  # fmt: skip
