"""HBM bytes of kernels as rows: read and written, stacked by tensor, on one scale, with their ratio as headline."""

from __future__ import annotations

from collections.abc import Sequence

from core.contracts.text import listed, tr
from core.format import format_quantity
from core.trace.kernel_traffic import TensorTraffic, moved_bytes
from gui.charts.palette import THEME_TENSORS
from gui.charts.row_chart_spec import Band, Cell, Column, Headline, Ink, LegendKey, Row, RowSpec, Segment
from gui.charts.ticks import short_quantity

EMPTY = tr("The bytes that each kernel moves appear here.")
_WAYS = ("read", "written")


def traffic_rows(kernels: Sequence[tuple[str, str]], moved: Sequence[TensorTraffic]) -> RowSpec | None:
    """The bytes of `kernels` ((key, label), the baseline first), one entry per tensor; None if none moves any."""
    if not any(tensor.bytes for tensor in moved):
        return None
    colours = _colours(moved)
    rows = tuple(_row(key, label, way, moved, colours, key != kernels[0][0]) for key, label in kernels for way in _WAYS)
    names = dict.fromkeys(tensor.tensor for tensor in moved if tensor.bytes)
    return RowSpec(
        columns=(Column(name=str(tr("HBM bytes")), unit="bytes"),),
        bands=(Band(rows),),
        legends=(tuple(LegendKey(tensor, colours[tensor]) for tensor in names),),
        headline=_headline(kernels, moved),
    )


def total(kernel: str, moved: Sequence[TensorTraffic]) -> int:
    """Bytes read and written by one kernel."""
    return moved_bytes(tensor for tensor in moved if tensor.kernel == kernel)


def ratio(kernels: Sequence[tuple[str, str]], moved: Sequence[TensorTraffic]) -> float | None:
    """How many times fewer bytes the last kernel moves than the first; None unless both move some."""
    totals = [total(key, moved) for key, _ in kernels]
    return totals[0] / totals[-1] if len(totals) > 1 and totals[0] and totals[-1] else None


def _moved(tensor: TensorTraffic, way: str) -> int:
    return tensor.read_bytes if way == "read" else tensor.written_bytes


def _row(
    key: str, label: str, way: str, moved: Sequence[TensorTraffic], colours: dict[str, Ink], names_absent: bool
) -> Row:
    whole = total(key, moved)
    bar = tuple(
        Segment(
            _moved(tensor, way),
            colours[tensor.tensor],
            tensor.tensor,
            (f"{tensor.tensor} {short_quantity(_moved(tensor, way), 'bytes')}", tensor.tensor),
            _read_out(label, tensor, way, whole),
        )
        for tensor in moved
        if tensor.kernel == key and _moved(tensor, way)
    )
    amount = round(sum(segment.value for segment in bar))
    extra = _absent(key, moved) if names_absent and way == "written" else ""
    cell = Cell((bar,), texts=(format_quantity(amount, "bytes"),), bold=True, extra=extra)
    read, written = tr("{kernel}, read", kernel=label), tr("{kernel}, written", kernel=label)
    head = read if way == "read" else written
    return Row(str(tr("read") if way == "read" else tr("written")), (cell,), f"{head}\n{_bytes(amount)}", group=label)


def _read_out(label: str, tensor: TensorTraffic, way: str, whole: int) -> str:
    """One tensor of a kernel's bar."""
    values = {"kernel": label, "tensor": tensor.tensor}
    read, written = tr("{kernel} · {tensor}, read", **values), tr("{kernel} · {tensor}, written", **values)
    share = tr("{share:.1%} of its HBM bytes", share=_moved(tensor, way) / whole)
    return f"{read if way == 'read' else written}\n{_bytes(_moved(tensor, way))}\n{share}"


def _absent(key: str, moved: Sequence[TensorTraffic]) -> str:
    """Tensors that another kernel moves and this one does not: the point of a fused kernel."""
    of_kernel = {tensor.tensor for tensor in moved if tensor.kernel == key and tensor.bytes}
    absent = dict.fromkeys(tensor.tensor for tensor in moved if tensor.bytes and tensor.tensor not in of_kernel)
    return str(tr("{tensors}: 0 B", tensors=listed(absent))) if absent and of_kernel else ""


def _headline(kernels: Sequence[tuple[str, str]], moved: Sequence[TensorTraffic]) -> Headline | None:
    times = ratio(kernels, moved)
    if times is None:
        return None
    totals = " → ".join(format_quantity(total(key, moved), "bytes") for key, _ in kernels)
    fewer = times >= 1
    text = (
        tr("{times}× fewer bytes", times=short_quantity(times))
        if fewer
        else tr("{times}× the bytes", times=short_quantity(times))
    )
    return Headline(str(text), Ink("good" if fewer else "warn"), totals)


def _colours(moved: Sequence[TensorTraffic]) -> dict[str, Ink]:
    """The theme's own colours of its tensors; others take its series in turn."""
    names = list(dict.fromkeys(tensor.tensor for tensor in moved))
    others = [name for name in names if name not in THEME_TENSORS]
    return {
        name: Ink(f"tensor.{name}") if name in THEME_TENSORS else Ink(f"series.{others.index(name)}") for name in names
    }


def _bytes(count: int) -> str:
    return f"{format_quantity(count, 'bytes')} ({count:,} B)"
