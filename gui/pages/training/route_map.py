"""The map of routes through the stages: read out by pointer and keyboard, one stage selected."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import (
    QDragEnterEvent,
    QDropEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
)
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from core.contracts.text import tr
from core.topics.training.stage_ids import ROUTES, SFT
from gui.pages.training.route_layout import RouteLayout, lay_out
from gui.pages.training.route_painting import ROUTE_INKS, paint_node, paint_routes
from gui.pages.training.stage_nodes import StageNode
from gui.theme import Theme
from gui.translation import show_text
from gui.widgets.data_table import DataTable, Value
from gui.widgets.dragged_file import dragged_file
from gui.widgets.figure import Canvas, Figure
from gui.widgets.keyboard_nav import STEPS, keeps_arrows
from gui.widgets.legend import Entry, Legend

_NO_MODEL: tuple[Value, ...] = (None, None, None, None)


class RouteMap(Figure):
    """`picked` carries the key of a stage that was clicked or walked to; `file_dropped` the path of a file."""

    picked = Signal(str)
    file_dropped = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("The stages appear here once the parameters are valid."), parent)
        self.nodes: dict[str, StageNode] = {}
        self.chosen = ""
        self.canvas, self.legend = _MapCanvas(self), Legend()
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.canvas, 1)
        column.addWidget(self.legend)
        self.setAcceptDrops(True)
        self.set_content(content)

    def set_nodes(self, nodes: Sequence[StageNode]) -> None:
        by_key = {node.key: node for node in nodes}
        if by_key != self.nodes:
            self.nodes = by_key
            self.canvas.update()
        self.show_content()

    def choose(self, key: str) -> None:
        """Select a stage. Emits no signal."""
        if key != self.chosen:
            self.chosen = key
            self.canvas.update()

    def data_table(self) -> DataTable | None:
        """One row per stage, and one for each model that it holds in memory."""
        rows = [
            (node.key, node.state, node.share, *model)
            for node in self.nodes.values()
            for model in (
                [(held.role, held.trained, held.parameters, held.bytes) for held in node.models] or [_NO_MODEL]
            )
        ]
        return DataTable(("stage", "state", "done", "model", "trained", "parameters", "bytes"), tuple(rows))

    def restyle(self, theme: Theme) -> None:
        routes = [Entry(route.label, theme.series[ROUTE_INKS[route.id]], "line") for route in ROUTES]
        models = (Entry(tr("trained model"), theme.text), Entry(tr("frozen model"), theme.text, "outline"))
        self.legend.set_entries((*routes, *models))
        self.canvas.update()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if dragged_file(event.mimeData()) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        path = dragged_file(event.mimeData())
        if path is not None:
            event.acceptProposedAction()
            self.file_dropped.emit(path)


class _MapCanvas(Canvas):
    def __init__(self, figure: RouteMap) -> None:
        super().__init__()
        self._figure = figure
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        show_text(self.setAccessibleName, tr("Stages: arrows select one"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    @property
    def places(self) -> RouteLayout:
        return lay_out(QSizeF(self.size()))

    def sizeHint(self) -> QSize:
        return QSize(520, 270)

    def minimumSizeHint(self) -> QSize:
        return QSize(300, 190)

    def paint(self, painter: QPainter, theme: Theme) -> None:
        places, figure = self.places, self._figure
        if not figure.nodes:
            return
        paint_routes(painter, theme, places, figure.nodes)
        for key, node in figure.nodes.items():
            paint_node(painter, theme, places.boxes[key], node, chosen=key == figure.chosen, focused=self.hasFocus())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        key = self.places.at(event.position())
        self.setCursor(Qt.CursorShape.PointingHandCursor if key else Qt.CursorShape.ArrowCursor)
        node = self._figure.nodes.get(key or "")
        where = self.mapTo(self._figure, event.position().toPoint())
        self._figure.tip.show_at(where, None if node is None else node.tip)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        key = self.places.at(event.position())
        if key is not None and event.button() is Qt.MouseButton.LeftButton:
            self._figure.picked.emit(key)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = STEPS.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
            return
        key = self.places.neighbour(self._figure.chosen or SFT, *step)
        self._figure.picked.emit(key)
        node = self._figure.nodes.get(key)
        where = self.mapTo(self._figure, self.places.boxes[key].bottomLeft().toPoint())
        self._figure.tip.show_at(where, None if node is None else node.tip)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self.update()
        super().focusInEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._figure.tip.hide()
        self.update()
        super().focusOutEvent(event)

    def event(self, event: QEvent) -> bool:
        return keeps_arrows(event) or super().event(event)
