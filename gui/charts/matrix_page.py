"""One small matrix over tokens: its values, its mask, the read-out of a cell, and its colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtGui import QImage

from core.contracts.text import Text, quoted, tr, tr_in
from gui.charts.palette import rgb
from gui.theme import Theme, mix

_NEGATIVE_SERIES, _POSITIVE_SERIES = 0, 4


@dataclass(frozen=True, eq=False)
class MatrixPage:
    """One matrix. `name` is written beside its thumbnail, `title` in its read-out.

    `values` [rows, columns] are None before a run, when only `visible` (bool, the same shape; None: everything) is
    known. `columns` may be empty: then `elements` names each column in read-outs. A cell that is not visible is exactly
    0; a value of 0 is called exact if `exact`. `signed` values take two colours, others one, `ink`. `top` is the value
    of the strongest colour, by default the largest magnitude.
    """

    name: str
    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: np.ndarray | None
    visible: np.ndarray | None = None
    row_name: Text | str = tr("query")  # noqa: RUF009  (a Text is frozen)
    column_name: Text | str = tr("key")  # noqa: RUF009
    what: Text | str = tr_in("attention", "weight")  # noqa: RUF009
    ink: str = "P"
    signed: bool = False
    exact: bool = False
    square: bool = True
    top: float | None = None
    elements: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        known = self.values if self.values is not None else self.visible
        return (len(self.rows), len(self.columns)) if known is None else (int(known.shape[0]), int(known.shape[1]))

    def hides(self, row: int, column: int) -> bool:
        return self.visible is not None and not self.visible[row, column]

    def read(self, row: int, column: int) -> str:
        """The read-out of a cell with its exact value; -1 for a whole row or column."""
        along = self.columns or self.elements
        place = [
            str(tr("{name} {position} {token}", name=name, position=index, token=quoted(labels[index])))
            if labels is not self.elements
            else f"{name} {labels[index]}"
            for name, index, labels in ((self.row_name, row, self.rows), (self.column_name, column, along))
            if index >= 0
        ]
        head = f"{self.title}\n{' → '.join(place)}"
        return head if min(row, column) < 0 else f"{head}\n{self._read_value(row, column)}"

    def _read_value(self, row: int, column: int) -> Text:
        if self.hides(row, column):
            return tr("hidden by the mask: {what} is exactly 0", what=self.what)
        if self.values is None:
            return tr("visible; run to see its {what}", what=self.what)
        value = float(self.values[row, column])
        if value == 0 and self.exact:
            return tr("{what}: exactly 0", what=self.what)
        return tr("{what}: {value:.6g}", what=self.what, value=value)

    def image(self, theme: Theme) -> QImage:
        """One pixel per cell."""
        height, width = self.shape
        ground = np.array(rgb(mix(theme.sunken, theme.border, 0.55)), np.float32)
        pixels = np.broadcast_to(ground, (height, width, 3)).copy()
        if self.values is None:
            pixels[:] = rgb(mix(theme.sunken, theme.tensor(self.ink), 0.28))
        elif self.values.size:
            pixels = self._coloured(theme, ground)
        if self.visible is not None:
            pixels[~self.visible] = rgb(theme.sunken)
        full = np.full((height, width, 4), 255, np.uint8)
        full[..., :3] = np.rint(pixels)
        return QImage(full.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()

    def _coloured(self, theme: Theme, ground: np.ndarray) -> np.ndarray:
        assert self.values is not None
        largest = self.top or float(np.abs(self.values).max(initial=0)) or 1.0
        share = np.clip(np.abs(self.values) / largest, 0, 1)[..., None].astype(np.float32)
        strong = _bright(theme, theme.tensor(self.ink))
        if self.signed:
            both = [np.array(rgb(theme.series[k]), np.float32) for k in (_NEGATIVE_SERIES, _POSITIVE_SERIES)]
            bright = np.where((self.values < 0)[..., None], both[0], both[1])
            return ground + share * (bright - ground)
        return ground + share * (np.array(rgb(strong), np.float32) - ground)


def _bright(theme: Theme, colour: str) -> str:
    return mix(colour, "#ffffff", 0.25) if theme.is_dark else mix(colour, "#000000", 0.1)
