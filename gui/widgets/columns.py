"""The columns of a checkpoint's report: what each is called, how its values are written and what they sort by."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any

from core.contracts.result import Row
from core.format import format_quantity

_DIGITS = re.compile(r"\d+")
_LAYER = re.compile(r"layer\s*(\d+)")


@dataclass(frozen=True)
class Column:
    """`name` is the row's; `sample` is as wide as its texts usually are. `order` makes a value one to sort by."""

    name: str
    title: str
    help: str
    write: Callable[[Any], str]
    sample: str
    unit: str = ""
    number: bool = True
    sort_by: str = ""
    order: Callable[[Any], Any] | None = None

    def text(self, row: Row) -> str:
        value = row[self.name]
        return "—" if value is None else self.write(value)

    def exact(self, row: Row) -> str:
        """Every digit, with the unit; the text itself for what is no number."""
        value = row[self.name]
        if value is None:
            return f"{self.help}: there is none"
        return f"{value!r} {self.unit}".strip() if self.number else str(value)

    def in_order(self, rows: list[Row], descending: bool) -> list[Row]:
        """Sorted by this column; rows that have no value there come last either way."""
        name, order = self.sort_by or self.name, self.order
        value = itemgetter(name)
        present = [row for row in rows if row[name] is not None]
        present.sort(key=value if order is None else lambda row: order(row[name]), reverse=descending)
        return present + [row for row in rows if row[name] is None] if len(present) < len(rows) else present


@lru_cache(maxsize=1 << 17)
def natural(text: str) -> str:
    """Sorts 'layers.2' before 'layers.10'."""
    return _DIGITS.sub(lambda found: found.group().zfill(8), text.lower())


def matching(rows: list[Row], text: str) -> list[Row]:
    """The rows that `text` asks for: 'layer 3' that layer's, anything else those whose names contain it."""
    wanted = " ".join(text.lower().split())
    if not wanted:
        return rows
    layer = _LAYER.fullmatch(wanted)
    if layer:
        number = int(layer.group(1))
        return [row for row in rows if row.get("layer") == number]
    names = [name for name in ("tensor", "worst_tensor", "why") if rows and name in rows[0]]
    return [row for row in rows if any(wanted in row[name].lower() for name in names)]


def _bytes(value: float) -> str:
    return format_quantity(value, "bytes")


def _layer(value: int) -> str:
    return "—" if value < 0 else str(value)


def _count(value: float) -> str:
    return f"{value:,}"


def columns(labels: dict[str, str]) -> tuple[tuple[Column, ...], tuple[Column, ...], tuple[Column, ...]]:
    """Those of rows by tensor, by layer and of skipped tensors. `labels`: formats by id."""
    tensor = Column("tensor", "Tensor", "Name", str, "layers.12.mlp.up_proj", "", False, "", natural)
    form = Column("format", "Format", "Format", lambda name: labels.get(name, name), "INT4 affine", number=False)
    layer = Column("layer", "Layer", "Layer, — for what is in none", _layer, "000")
    shape = Column("shape", "Shape", "Shape", lambda text: text.replace(" x ", " × "), "14336 × 4096", number=False)
    dtype = Column("dtype", "Type", "Type in the file", str, "F8_E4M3", number=False)
    stored = Column("bytes", "Stored", "Bytes in the checkpoint", _bytes, "33.6 MB", "B")
    errors = (
        Column("snr_db", "SNR (dB)", "Signal over quantization noise", format_quantity, "-00.0", "dB"),
        Column("relative_rmse", "Rel. RMSE", "Error over weights, root mean square", format_quantity, "1.23e-04"),
        Column("max_abs_error", "Max |error|", "Largest error of a weight", format_quantity, "1.23e-04"),
        Column("bits_per_parameter", "Bits/param", "Codes and scales a parameter", format_quantity, "4.13", "bits"),
    )
    sizes = (stored, Column("quantized_bytes", "Quantized", "Bytes of codes and scales", _bytes, "33.6 MB", "B"))
    nonfinite = Column("nonfinite", "NaN or inf", "Weights left out of every error", _count, "000")
    of_weights = (
        Column("kurtosis", "Kurtosis", "3 for a normal distribution", format_quantity, "1,234"),
        Column(
            "max_over_sigma", "Max / σ", "The largest weight over the standard deviation", format_quantity, "12.3", "σ"
        ),
        nonfinite,
    )
    kind = Column("kind", "Kind", "What the tensor does in its layer", str, "self_attn.q_proj", number=False)
    by_size = Column("shape", "Shape", "Shape", shape.write, shape.sample, "", False, "elements")
    tensors = Column("tensors", "Tensors", "Tensors of the layer", _count, "0,000")
    worst = Column(
        "worst_tensor", "Worst tensor", "The one of the lowest SNR", str, tensor.sample, "", False, "", natural
    )
    why = Column("why", "Why", "Why it was not measured", str, "of type I64, which is no kind of weight", number=False)
    skipped_shape = Column("shape", "Shape", "Shape", shape.write, shape.sample, "", False, "bytes")
    return (
        (tensor, form, *errors, *sizes, *of_weights, layer, kind, by_size, dtype),
        (layer, form, *errors, tensors, *sizes, nonfinite, worst),
        (tensor, why, dtype, skipped_shape, stored),
    )
