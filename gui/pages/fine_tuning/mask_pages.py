"""The attention mask with its prefix columns, and how much attention goes to them, as matrices over tokens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtGui import QImage

from core.topics.fine_tuning.methods import MethodId
from core.topics.fine_tuning.plan import Plan
from core.topics.fine_tuning.result import FineTuningResult
from gui.charts.matrix_page import MatrixPage
from gui.charts.palette import rgb
from gui.pages.fine_tuning.view_data import label
from gui.theme import Theme, mix


@dataclass(frozen=True, eq=False)
class MaskPage(MatrixPage):
    """A mask whose first `prefix` columns are vectors that a method added, in a colour of their own."""

    prefix: int = 0

    def read(self, row: int, column: int) -> str:
        """The cell in words; -1 for a whole row or column."""
        parts = [self.title]
        if row >= 0:
            parts.append(f"query {row}: {self.rows[row]!r}")
        if column >= 0:
            kind = "added vector" if column < self.prefix else "key"
            parts.append(f"{kind} {column}: {self.columns[column]!r}")
        if min(row, column) >= 0:
            parts.append("hidden by the mask" if self.hides(row, column) else "visible")
        elif row >= 0 and self.visible is not None:
            seen, added = int(self.visible[row].sum()), int(self.visible[row, : self.prefix].sum())
            parts.append(f"sees {seen} of {self.shape[1]} columns, {added} of them added")
        return "\n".join(parts)

    def image(self, theme: Theme) -> QImage:
        """One pixel per cell."""
        assert self.visible is not None
        height, width = self.shape
        pixels = np.empty((height, width, 4), np.uint8)
        pixels[...] = (*rgb(theme.sunken), 255)
        colours = np.empty((height, width, 4), np.uint8)
        colours[...] = (*rgb(mix(theme.sunken, theme.tensor("K"), 0.45)), 255)
        colours[:, : self.prefix] = (*rgb(theme.tiles["current"]), 255)
        pixels[self.visible] = colours[self.visible]
        return QImage(pixels.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()


def pages(plan: Plan, result: FineTuningResult | None, method: str) -> list[MatrixPage]:
    """The method's mask, of a run's example or of the plan; then the attention on what was added, where measured."""
    run = None if result is None else result.method(method)
    if run is None or run.mask is None:
        return [_planned(plan, method)]
    names = [column.label for column in run.mask_columns]
    prefix = sum(column.is_prefix for column in run.mask_columns)
    mask = _mask(method, run.mask.astype(bool), names, prefix)
    attention = run.attention_to_prefix
    if attention is None or not attention.size:
        return [mask]
    return [mask, _attention(method, attention, names[-attention.shape[2] :])]


def is_measured(result: FineTuningResult | None, method: str) -> bool:
    return result is not None and result.method(method).mask is not None


def _planned(plan: Plan, method: str) -> MatrixPage:
    mask, prefix = plan.mask(MethodId(method)), plan.prefix_columns(MethodId(method))
    names = [f"v{index + 1}" for index in range(prefix)] + [f"t{index + 1}" for index in range(mask.shape[1] - prefix)]
    return _mask(method, mask, names, prefix)


def _mask(method: str, visible: np.ndarray, names: list[str], prefix: int) -> MaskPage:
    queries = names[-visible.shape[0] :]
    return MaskPage(
        name="mask",
        title=f"{label(method)}: who sees whom",
        rows=tuple(queries),
        columns=tuple(names),
        values=None,
        visible=visible,
        square=False,
        prefix=prefix,
    )


def _attention(method: str, attention: np.ndarray, queries: list[str]) -> MatrixPage:
    layers, heads, _ = attention.shape
    names = tuple(f"L{layer} h{head}" for layer in range(layers) for head in range(heads))
    return MatrixPage(
        name="attention",
        title=f"{label(method)}: attention on what was added",
        rows=names,
        columns=tuple(queries),
        values=attention.reshape(layers * heads, -1),
        row_name="layer and head",
        column_name="query",
        what="share of attention",
        square=False,
        top=1.0,
    )
