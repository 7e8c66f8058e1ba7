"""The places of a transformer that a method trains, coloured by their gradients."""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QFontMetricsF, QKeyEvent, QLinearGradient, QMouseEvent, QPainter
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core.contracts.text import Text, tr
from gui import theme as themes
from gui.pages.fine_tuning.module_painting import (
    Marks,
    colour_of,
    frozen_colour,
    paint_absent,
    paint_flow,
    paint_marks,
    paint_modules,
    paint_words,
)
from gui.pages.fine_tuning.transformer_grid import GridLayout, TrainedModules, TransformerGrid, place_name
from gui.theme import Theme
from gui.translation import show_text
from gui.widgets.data_table import DataTable, table_of
from gui.widgets.figure import Canvas, Figure
from gui.widgets.keyboard_nav import PICKS, STEPS, keeps_arrows
from gui.widgets.legend import Entry, Legend
from gui.zoom import Px

_MIN_BAR_PX, _EDGE_PX, _MIN_NAMES_PX, _GROUP_NAMES_PX = Px(70), Px(6), Px(104.0), Px(26)
_BAR_HEADINGS = tr("gradient"), tr("norm (L2)")
_COLOURS = 10
"""Number of steps of the colour scale."""

_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


class ModuleMap(Figure):
    """`place_picked` carries the id of a place that was clicked. Arrow keys move between places, Enter selects one."""

    place_picked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("The model appears here once the parameters are valid."), parent)
        self.grid = TransformerGrid()
        self.method = TrainedModules(())
        self.limits = (0.1, 1.0)
        self.selected: int | None = None
        self.canvas, self.legend = _MapCanvas(self), Legend()
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.canvas, 1)
        column.addWidget(self.legend)
        self.set_content(content)

    def set_modules(self, grid: TransformerGrid, method: TrainedModules, limits: tuple[float, float]) -> None:
        """Show one method. Without places the figure is empty. `limits` are the norms at both ends of the colours."""
        selected = None if self.selected is None else self.grid.places[self.selected].id
        self.grid, self.method, self.limits = grid, method, limits
        self.selected = grid.index(selected)
        if not grid.places:
            self.show_empty()
            return
        self._write_legend(themes.current())
        self.canvas.update()
        self.show_content()

    def select(self, place_id: str | None) -> None:
        """Mark a place; None or an unknown place marks none. Emits no signal."""
        index = self.grid.index(place_id)
        if index != self.selected:
            self.selected = index
            self.canvas.update()

    def data_table(self) -> DataTable | None:
        """One row per place: what is trained there, and its gradients."""
        places, method = self.grid.places, self.method
        if not places:
            return None
        return table_of(
            {
                "place": [place.id for place in places],
                "parameters": [place.parameters for place in places],
                "state": [method.state(index, place) for index, place in enumerate(places)],
                "trainable": method.trainable,
                "gradient_norm": [method.norm(index) for index in range(len(places))],
                "largest_frozen_gradient": [None] * len(places) if method.frozen is None else method.frozen,
            }
        )

    def describe(self, index: int) -> str:
        """The read-out of a place under this method."""
        place, count = self.grid.places[index], self.method.trainable[index]
        norm, state = self.method.norm(index), self.method.state(index, self.grid.places[index])
        lines: list[Text | str] = [place_name(place.id)]
        if state == "empty":
            return "\n".join(map(str, (*lines, tr("no parameters of its own: tied to the embedding"))))
        if not place.is_added:
            lines.append(tr("{count:,} parameters of the model", count=place.parameters))
        if state == "absent":
            return "\n".join(map(str, (*lines, tr("this method adds nothing here"))))
        if state == "frozen":
            lines.append(tr("frozen"))
        else:
            lines.append(_trained_count(state, count, is_added=place.is_added))
            lines.append(
                tr("run to measure the gradient norm")
                if math.isnan(norm)
                else tr("gradient norm (L2): {norm:.6g}", norm=norm)
            )
        if self.method.frozen is not None and math.isfinite(self.method.frozen[index]):
            largest = float(self.method.frozen[index])
            lines.append(
                tr("largest gradient of a frozen parameter: exactly 0")
                if largest == 0
                else tr("largest gradient of a frozen parameter: {gradient:.6g}", gradient=largest)
            )
        return "\n".join(map(str, lines))

    def restyle(self, theme: Theme) -> None:
        self._write_legend(theme)
        self.canvas.update()

    @property
    def is_measured(self) -> bool:
        return self.method.norms is not None

    def _write_legend(self, theme: Theme) -> None:
        trains = tr("trained") if self.is_measured else tr("would be trained")
        scale = self.scale(theme) if self.is_measured else ()
        ink = scale[-1] if scale else colour_of(theme, math.nan, self.limits)
        states = {self.method.state(index, place) for index, place in enumerate(self.grid.places)}
        entries = [Entry(trains, ink, scale=scale), Entry(tr("frozen"), frozen_colour(theme))]
        if "part" in states:
            entries.insert(1, Entry(tr("right part: adapter"), ink, scale=scale))
        if "absent" in states:
            entries.append(Entry(tr("added by other methods"), theme.border_strong, "outline"))
        self.legend.set_entries(entries)

    def scale(self, theme: Theme) -> tuple[str, ...]:
        """Colours from the smallest to the largest norm, in even logarithmic steps."""
        low, high = self.limits
        return tuple(
            colour_of(theme, low * (high / low) ** (step / _COLOURS), self.limits) for step in range(_COLOURS + 1)
        )


def _trained_count(state: str, count: int, *, is_added: bool) -> Text:
    if is_added:
        return tr("{count:,} added and trained", count=count)
    return tr("all {count:,} trained", count=count) if state == "whole" else tr("{count:,} trained here", count=count)


class _MapCanvas(Canvas):
    def __init__(self, figure: ModuleMap) -> None:
        super().__init__()
        self._figure = figure
        self._hovered: int | None = None
        self._focused: int | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        show_text(self.setAccessibleName, tr("Places of the model"))

    def sizeHint(self) -> QSize:
        return QSize(560, 260)

    def minimumSizeHint(self) -> QSize:
        return QSize(300, 150)

    @property
    def placed(self) -> GridLayout:
        bar = self._bar_px if self._figure.is_measured else 0
        room = QRectF(self.rect()).adjusted(_EDGE_PX, 3, -_EDGE_PX - bar, -_EDGE_PX)
        width = QFontMetricsF(themes.ui_font("small")).horizontalAdvance
        names_px = max(map(width, self._figure.grid.row_names()), default=0.0) + _GROUP_NAMES_PX
        return self._figure.grid.placed(room, names=True, names_px=max(_MIN_NAMES_PX, names_px))

    @property
    def _bar_px(self) -> float:
        """The width of the colour bar with its heading in the current language."""
        width = QFontMetricsF(themes.ui_font("small")).horizontalAdvance
        return max(_MIN_BAR_PX, 6 + max(width(str(heading)) for heading in _BAR_HEADINGS))

    def place_at(self, point: QPointF) -> int | None:
        return next((index for index, box in enumerate(self.placed.cells) if box.contains(point)), None)

    def paint(self, painter: QPainter, theme: Theme) -> None:
        figure = self._figure
        painter.fillRect(self.rect(), QColor(theme.sunken))
        if not figure.grid.places:
            return
        grid, placed, method, limits = figure.grid, self.placed, figure.method, figure.limits
        painter.setFont(themes.ui_font("small"))
        paint_absent(painter, theme, grid, placed, method)
        paint_modules(painter, theme, grid, placed, method, limits)
        paint_flow(painter, theme, grid, placed)
        paint_words(painter, theme, grid, placed, method, limits)
        focused = self._focused if self.hasFocus() else None
        paint_marks(painter, theme, placed, Marks(figure.selected, self._hovered, focused))
        if figure.is_measured:
            self._paint_bar(painter, theme)

    def _paint_bar(self, painter: QPainter, theme: Theme) -> None:
        """The colour bar with its norms."""
        (low, high), scale = self._figure.limits, self._figure.scale(theme)
        left, heading_width = self.width() - self._bar_px, self._bar_px - 2
        bar = QRectF(left + 8, 22, 10, self.height() - 48)
        gradient = QLinearGradient(bar.bottomLeft(), bar.topLeft())
        for step, ink in enumerate(scale):
            gradient.setColorAt(step / _COLOURS, QColor(ink))
        painter.fillRect(bar, gradient)
        painter.setFont(themes.ui_font("small"))
        painter.setPen(QColor(theme.muted))
        for share in (0.0, 0.5, 1.0):
            y = bar.bottom() - share * bar.height()
            text = f"{low * (high / low) ** share:.2g}"
            painter.drawText(QRectF(bar.right() + 4, y - 8, 46, 16), _LEFT, text)
        above, below = QRectF(left, 2, heading_width, 15), QRectF(left, self.height() - 19, heading_width, 15)
        for box, heading in zip((above, below), _BAR_HEADINGS, strict=True):
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(heading))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._hover(self.place_at(event.position()))
        text = None if self._hovered is None else self._figure.describe(self._hovered)
        self._figure.tip.show_at(self.mapTo(self._figure, event.position().toPoint()), text)

    def leaveEvent(self, event: QEvent) -> None:
        self._hover(None)
        super().leaveEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        index = self.place_at(event.position())
        if index is not None and event.button() is Qt.MouseButton.LeftButton:
            self._focused = index
            self._figure.place_picked.emit(self._figure.grid.places[index].id)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = STEPS.get(Qt.Key(event.key()))
        if step is not None and self._figure.grid.places:
            self._walk(*step)
        elif Qt.Key(event.key()) in PICKS and self._focused is not None:
            self._figure.place_picked.emit(self._figure.grid.places[self._focused].id)
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Hide the read-out of the keyboard focus."""
        self._figure.tip.hide()
        super().focusOutEvent(event)

    def event(self, event: QEvent) -> bool:
        return keeps_arrows(event) or super().event(event)

    def _walk(self, down: int, right: int) -> None:
        """Move to the nearest place in a direction. A sideways distance counts twice."""
        boxes = self.placed.cells
        if self._focused is None or self._focused >= len(boxes):
            self._focused = self._figure.selected or 0
        else:
            self._focused = _next(boxes, self._focused, down, right)
        position = self.mapTo(self._figure, boxes[self._focused].center().toPoint())
        self._figure.tip.show_at(position, self._figure.describe(self._focused))
        self.update()

    def _hover(self, index: int | None) -> None:
        if index != self._hovered:
            self._hovered = index
            self.setCursor(Qt.CursorShape.ArrowCursor if index is None else Qt.CursorShape.PointingHandCursor)
            self.update()


def _next(boxes: tuple[QRectF, ...], index: int, down: int, right: int) -> int:
    start, best = boxes[index].center(), (math.inf, index)
    for other, box in enumerate(boxes):
        across, below = box.center().x() - start.x(), box.center().y() - start.y()
        ahead, aside = across * right + below * down, abs(across * down) + abs(below * right)
        if other != index and ahead > 1 and ahead + 2 * aside < best[0]:
            best = (ahead + 2 * aside, other)
    return best[1]
