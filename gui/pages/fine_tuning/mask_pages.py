"""The attention mask with its prefix columns, and how much attention goes to them, as matrices over tokens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtGui import QImage

from core.contracts.result import Result
from core.topics.fine_tuning.methods import MethodId
from core.topics.fine_tuning.model.plan import Plan
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
        """One pixel a cell."""
        assert self.visible is not None
        height, width = self.shape
        pixels = np.empty((height, width, 4), np.uint8)
        pixels[...] = (*rgb(theme.sunken), 255)
        inks = np.empty((height, width, 4), np.uint8)
        inks[...] = (*rgb(mix(theme.sunken, theme.tensor("K"), 0.45)), 255)
        inks[:, : self.prefix] = (*rgb(theme.tiles["current"]), 255)
        pixels[self.visible] = inks[self.visible]
        return QImage(pixels.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()


def pages(plan: Plan, result: Result | None, method: str) -> list[MatrixPage]:
    """The method's mask, of a run's example or of the plan; then the attention on what was added, where measured."""
    mask = None if result is None else result.arrays.get(f"mask.{method}")
    if result is None or mask is None:
        return [_planned(plan, method)]
    labels = [row for row in result.tables.get("mask_labels", []) if row["method"] == method]
    labels.sort(key=lambda row: row["position"])
    names = [str(row["label"]) for row in labels] or [str(at) for at in range(mask.shape[1])]
    prefix = sum(bool(row["is_prefix"]) for row in labels)
    found = [_mask(method, mask.astype(bool), names, prefix)]
    attention = result.arrays.get(f"attention_to_prefix.{method}")
    if attention is not None and attention.size:
        found.append(_attention(method, attention, names[-attention.shape[2] :]))
    return found


def is_measured(result: Result | None, method: str) -> bool:
    return result is not None and f"mask.{method}" in result.arrays


def _planned(plan: Plan, method: str) -> MatrixPage:
    mask = plan.mask(MethodId(method))
    columns = mask.shape[1]
    prefix = columns - plan.mask(MethodId.FULL).shape[1]
    names = [f"v{at + 1}" for at in range(prefix)] + [f"t{at + 1}" for at in range(columns - prefix)]
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
