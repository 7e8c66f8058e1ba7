"""A whole model's weights in each format as rows: bytes, against the memory of GPUs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.format import format_quantity
from gui.charts.row_chart_spec import Band, Cell, Column, Ink, LegendKey, Line, Row, RowSpec, Segment
from gui.charts.ticks import short_quantity

EMPTY = "The weights of a whole model appear here once the parameters are valid."
_LINEAR, _OTHER = Ink("series.0", 0.8), Ink("series.6", 0.6)


@dataclass(frozen=True)
class ModelBytes:
    """One model's weights in one format: `linear_bytes` of the layers that are quantized, `other_bytes` of the rest.

    `format` is '' for the weights as they are, in 16 bits; `bits` are those of a parameter of the linear layers.
    """

    format: str
    label: str
    bits: float
    linear_bytes: float
    other_bytes: float

    @property
    def bytes(self) -> float:
        return self.linear_bytes + self.other_bytes


@dataclass(frozen=True)
class Memory:
    """The memory of a GPU, or of several of the same size."""

    label: str
    bytes: float


def budget_rows(models: Sequence[ModelBytes], memories: Sequence[Memory] = ()) -> RowSpec:
    """One row per format, its key; the memories that are on the axis are lines across them."""
    # To the longest bar, and to the smallest memory, so that one sees what fits.
    longest = max([model.bytes for model in models] + [memory.bytes for memory in memories[:1]], default=1.0)
    lines = tuple(Line(m.bytes, short_quantity(m.bytes / 1e9)) for m in memories if m.bytes <= longest)
    column = Column(name="bytes of weights", unit="bytes", limits=(0.0, longest), lines=lines, lines_name="GPU, GB")
    legend = [LegendKey("linear layers", _LINEAR), LegendKey("the rest, in 16 bits", _OTHER)]
    if lines:
        legend.append(LegendKey("memory of GPUs", Ink("warn"), "tick"))
    rows = tuple(
        Row(model.label, (_cell(model),), describe(model, models[0], memories), key=model.format) for model in models
    )
    return RowSpec((column,), (Band(rows),), (tuple(legend),))


def describe(model: ModelBytes, first: ModelBytes, memories: Sequence[Memory]) -> str:
    """Everything known of one format, beside the `first`."""
    lines = [
        f"{model.label}: {format_quantity(model.bits, 'bits', 4)} a parameter of the linear layers",
        f"weights {format_quantity(model.bytes, 'bytes')} ({model.bytes:,.0f} B)",
        f"linear layers {format_quantity(model.linear_bytes, 'bytes')}, "
        f"the rest {format_quantity(model.other_bytes, 'bytes')}",
    ]
    if model is not first:
        lines.append(f"{model.bytes / first.bytes:.1%} of {first.label}")
    roomy = next((memory for memory in memories if memory.bytes >= model.bytes), None)
    if roomy is not None:
        lines.append(f"the smallest that holds them: {format_quantity(roomy.bytes, 'bytes')} ({roomy.label})")
    elif memories:
        lines.append(f"more than the {format_quantity(memories[-1].bytes, 'bytes')} of {memories[-1].label}")
    return "\n".join(lines)


def _cell(model: ModelBytes) -> Cell:
    bar = Segment(model.linear_bytes, _LINEAR), Segment(model.other_bytes, _OTHER)
    amount = format_quantity(model.bytes, "bytes")
    return Cell((bar,), texts=(f"{amount} · {format_quantity(model.bits, 'bits')}", amount))
