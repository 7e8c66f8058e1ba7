"""The triplets of one matrix at one step: their importance, its components, and their singular values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core.contracts.text import Text, tr, tr_in, verbatim
from core.format import format_quantity
from core.topics.lora.triplets import Triplets
from gui import theme as themes
from gui.charts.ticks import short_quantity
from gui.theme import Theme, colour, mix
from gui.translation import show_text
from gui.widgets.data_table import DataTable, table_of
from gui.widgets.figure import Canvas, Figure
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.keyboard_nav import STEPS, keeps_arrows
from gui.widgets.legend import Entry, Legend
from gui.zoom import Px

_RIGHT_PX, _AXIS_PX, _GAP_PX = Px(10), Px(17), Px(9)
_LONGEST_FIGURE = "-8.88e-08"
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_CENTRE = Qt.AlignmentFlag.AlignCenter
_ROW_NAMES, _TRIPLET = (tr("importance"), tr("components"), tr("value E")), tr("triplet")
_MIN_SLOT_PX = Px(16)
"""If slots are narrower, not every triplet has its number."""
_KEPT, _SENSITIVITY, _UNCERTAINTY = 2, 0, 1
"""Indices of the theme's series colours."""


class TripletView(Figure):
    """`triplet_picked` carries the index of a triplet selected by click or arrow keys."""

    triplet_picked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("Run (F5), then select a matrix and a step. Its triplets appear here."), parent)
        self.title, self.canvas, self.legend = FittedLabel(), _Bars(self), Legend()
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.title)
        column.addWidget(self.canvas, 1)
        column.addWidget(self.legend)
        self.set_content(content)

    @property
    def triplets(self) -> Triplets | None:
        return self.canvas.triplets

    @property
    def triplet(self) -> int | None:
        return self.canvas.triplet

    def set_triplets(self, matrix: Text, triplets: Triplets | None) -> None:
        """Show the triplets of a matrix, which the title names. None is the empty state."""
        self.canvas.triplets = triplets
        if triplets is None:
            self.show_empty()
            return
        values = {"matrix": matrix, "step": triplets.step, "kept": triplets.rank, "total": triplets.count}
        title = (
            tr("{matrix}, step {step:,}: {kept} of {total} triplets kept", **values)
            if triplets.scored_step == triplets.step
            else tr(
                "{matrix}, step {step:,} (scores of step {scored:,}): {kept} of {total} triplets kept",
                scored=triplets.scored_step,
                **values,
            )
        )
        self.title.set_wordings(title)
        self.canvas.update()
        self.show_content()

    def select_triplet(self, triplet: int | None) -> None:
        """Mark a triplet; None marks none. Emits no signal."""
        if triplet != self.canvas.triplet:
            self.canvas.triplet = triplet
            self.canvas.update()

    def data_table(self) -> DataTable | None:
        """One row per triplet."""
        triplets = self.triplets
        if triplets is None:
            return None
        return table_of(
            {
                "triplet": range(triplets.count),
                "kept": triplets.kept,
                "importance": triplets.importance,
                "sensitivity": triplets.sensitivity,
                "uncertainty": triplets.uncertainty,
                "singular_value": triplets.singular_value,
            }
        )

    def describe(self, index: int) -> str:
        """The read-out of one triplet."""
        triplets = self.canvas.triplets
        assert triplets is not None
        lines = [
            tr("triplet {index}, kept", index=index)
            if triplets.kept[index]
            else tr("triplet {index}, pruned: its singular value is set to 0", index=index),
            tr("importance: {value}", value=_value(triplets.importance[index])),
            tr(
                "sensitivity of E: {sensitivity}, uncertainty of E: {uncertainty}",
                sensitivity=_value(triplets.sensitivity[index]),
                uncertainty=_value(triplets.uncertainty[index]),
            ),
            tr("singular value E: {value}", value=_value(triplets.singular_value[index])),
        ]
        if np.isfinite(triplets.lowest_kept):
            lines.append(tr("lowest score kept in all matrices: {value}", value=_value(triplets.lowest_kept)))
        return "\n".join(map(str, lines))

    def restyle(self, theme: Theme) -> None:
        kept = theme.series[_KEPT]
        self.legend.set_entries(
            (
                Entry(tr_in("triplet", "kept"), kept),
                Entry(tr_in("triplet", "pruned"), mix(theme.sunken, theme.muted, 0.35)),
                Entry(tr("sensitivity of E"), theme.series[_SENSITIVITY]),
                Entry(tr("uncertainty of E"), theme.series[_UNCERTAINTY]),
                Entry(tr("lowest score kept"), theme.tiles["current"], "line"),
            )
        )
        self.canvas.update()


class _Bars(Canvas):
    """Three rows of bars for the same triplets."""

    def __init__(self, figure: TripletView) -> None:
        super().__init__()
        self._figure = figure
        self.triplets: Triplets | None = None
        self.triplet: int | None = None
        self.setFont(themes.ui_font("small"))
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        show_text(self.setAccessibleName, tr("Triplets of the matrix"))

    def sizeHint(self) -> QSize:
        return QSize(360, 180)

    def index_at(self, x: float) -> int | None:
        """The triplet at an x position of the canvas."""
        count = 0 if self.triplets is None else self.triplets.count
        index = int((x - self._left_px()) // self._slot_px()) if count else -1
        return index if 0 <= index < count else None

    def x_of(self, index: int) -> float:
        """The x position of a triplet's centre."""
        return self._left_px() + (index + 0.5) * self._slot_px()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        index = self.index_at(event.position().x())
        place = self.mapTo(self._figure, event.position().toPoint())
        self._figure.tip.show_at(place, None if index is None else self._figure.describe(index))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        index = self.index_at(event.position().x())
        if index is not None and event.button() == Qt.MouseButton.LeftButton:
            self._figure.triplet_picked.emit(index)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = STEPS.get(Qt.Key(event.key()))
        if self.triplets is None or step is None or not step[1]:
            super().keyPressEvent(event)
            return
        index = (-1 if self.triplet is None else self.triplet) + step[1]
        index = min(self.triplets.count - 1, max(0, index))
        if index != self.triplet:
            self._figure.triplet_picked.emit(index)

    def event(self, event: QEvent) -> bool:
        return keeps_arrows(event) or super().event(event)

    def paint(self, painter: QPainter, theme: Theme) -> None:
        painter.fillRect(self.rect(), QColor(theme.sunken))
        triplets = self.triplets
        if triplets is None or not triplets.count:
            return
        left, height = self._left_px(), (self.height() - _AXIS_PX - 2 * _GAP_PX - 4) / 3
        boxes = [
            QRectF(left, 4 + row * (height + _GAP_PX), self.width() - left - _RIGHT_PX, height) for row in range(3)
        ]
        if self.triplet is not None and self.triplet < triplets.count:
            slot = QRectF(self.x_of(self.triplet) - self._slot_px() / 2, 2, self._slot_px(), self.height() - 4)
            painter.fillRect(slot, colour(theme.accent, 0.22))
        dim = mix(theme.sunken, theme.muted, 0.35)
        colours = [theme.series[_KEPT] if kept else dim for kept in triplets.kept]
        importance, components, value = map(str, _ROW_NAMES)
        self._row(
            painter,
            theme,
            boxes[0],
            importance,
            (triplets.importance,),
            lambda i, _: colours[i],
            triplets.lowest_kept,
        )
        component_colours = (theme.series[_SENSITIVITY], theme.series[_UNCERTAINTY])
        scores = (triplets.sensitivity, triplets.uncertainty)
        self._row(painter, theme, boxes[1], components, scores, lambda _, part: component_colours[part])
        self._row(painter, theme, boxes[2], value, (triplets.singular_value,), lambda i, _: colours[i])
        self._numbers(painter, theme, triplets.count)

    def _row(
        self,
        painter: QPainter,
        theme: Theme,
        box: QRectF,
        name: str,
        values: tuple[np.ndarray, ...],
        colour_of: Callable[[int, int], str],
        line: float = float("nan"),
    ) -> None:
        """Bars of one quantity or of two side by side, starting at zero, and a horizontal line at `line`."""
        known = np.concatenate([part[np.isfinite(part)] for part in values])
        high = max(float(known.max(initial=0.0)), line if np.isfinite(line) else 0.0)
        low = float(known.min(initial=0.0))
        painter.setPen(QColor(theme.muted))
        name_box = QRectF(2, box.top(), self._name_px(), box.height())
        figures_left, line_px = 2 + self._name_px(), self.fontMetrics().height()
        if not known.size or high == low:
            painter.drawText(name_box, _RIGHT, name)
            painter.drawText(box, _CENTRE, "0" if known.size else str(tr("no score at this step")))
            return

        def y_of(value: float) -> float:
            return box.bottom() - (value - low) / (high - low) * box.height()

        # Beside the name, since a low card has no room for both above each other.
        painter.drawText(name_box, _RIGHT, name)
        for value, middle in ((high, box.top() + 3), *([(low, box.bottom() - 2)] if low < 0 else [])):
            place = QRectF(figures_left, middle - line_px / 2, box.left() - 6 - figures_left, line_px)
            painter.drawText(place, _RIGHT, short_quantity(float(f"{value:.2g}")))
        bar_px = self._slot_px() * 0.76 / len(values)
        for part, column in enumerate(values):
            for index in np.flatnonzero(np.isfinite(column)).tolist():
                left = self.x_of(index) + (part - len(values) / 2) * bar_px
                top, bottom = sorted((y_of(float(column[index])), y_of(0.0)))
                painter.fillRect(
                    QRectF(left, top, max(1.0, bar_px - 1), max(1.0, bottom - top)), QColor(colour_of(index, part))
                )
        painter.setPen(QPen(QColor(theme.border_strong), 1))
        painter.drawLine(QPointF(box.left(), y_of(0.0)), QPointF(box.right(), y_of(0.0)))
        if np.isfinite(line):
            painter.setPen(QPen(QColor(theme.tiles["current"]), 1.4))
            painter.drawLine(QPointF(box.left(), y_of(line)), QPointF(box.right(), y_of(line)))

    def _numbers(self, painter: QPainter, theme: Theme, count: int) -> None:
        painter.setPen(QColor(theme.muted))
        top = self.height() - _AXIS_PX
        painter.drawText(QRectF(2, top, self._name_px(), _AXIS_PX), _RIGHT, str(_TRIPLET))
        every = max(1, -(-_MIN_SLOT_PX // max(1, int(self._slot_px()))))
        for index in range(0, count, every):
            painter.drawText(QRectF(self.x_of(index) - 15, top, 30, _AXIS_PX), _CENTRE, str(index))

    def _slot_px(self) -> float:
        count = 1 if self.triplets is None else max(1, self.triplets.count)
        return max(1.0, (self.width() - self._left_px() - _RIGHT_PX) / count)

    def _left_px(self) -> float:
        """Room for the names of the rows, and for figures beside them."""
        return self._name_px() + 12 + self.fontMetrics().horizontalAdvance(_LONGEST_FIGURE)

    def _name_px(self) -> float:
        """Room for the names of the rows in the current language."""
        width = self.fontMetrics().horizontalAdvance
        return 2 + max(width(str(name)) for name in (*_ROW_NAMES, _TRIPLET))


def _value(value: float) -> Text:
    return verbatim(format_quantity(float(value))) if np.isfinite(value) else tr("none")
