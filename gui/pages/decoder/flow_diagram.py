"""A diagram of boxes and arrows with highlights: zoom, pan, pick, keyboard navigation, exact values on hover."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QEvent, QPointF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QResizeEvent,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from core.contracts.text import Text, tr
from gui.pages.decoder.flow_graph import FlowGraph, FlowNode, Highlight, Side
from gui.pages.decoder.flow_painting import Emphasis, paint_edge, paint_edge_label, paint_group, paint_node, paint_note
from gui.theme import Theme
from gui.translation import show_text
from gui.widgets.data_table import DataTable, table_of
from gui.widgets.figure import Canvas, Figure
from gui.widgets.keyboard_nav import PICKS
from gui.zoom import Px

_MARGIN_PX = Px(10.0)
_LARGEST_FIT_PX, _LEAST_ZOOM, _MOST_ZOOM = Px(1.35), 0.2, 6.0
_REACH_PX, _DRAG_PX = 6.0, 4.0
_DIRECTIONS: dict[int, Side] = {Qt.Key.Key_Up: "top", Qt.Key.Key_Down: "bottom"}


class FlowDiagram(Figure):
    """`picked` carries the id of the node or arrow that the user chose, '' for none.

    Tab and Shift+Tab step through the nodes, Up and Down go to the nearest node in that direction, Enter picks; + and -
    zoom, 0 fits. The page handles Left and Right. The wheel zooms, dragging pans, a double click fits.
    """

    picked = Signal(str)

    def __init__(self, empty: Text | str = "", parent: QWidget | None = None) -> None:
        super().__init__(empty or tr("The diagram appears here."), parent)
        self.graph = FlowGraph((), ())
        self.highlights: Mapping[str, Highlight] = {}
        self.note = ("", "")
        self.selected: str | None = None
        self.canvas = _DiagramCanvas(self)
        self.set_content(self.canvas)

    def set_graph(self, graph: FlowGraph) -> None:
        """Show a graph, fitted to the widget. The same graph keeps its zoom."""
        if graph == self.graph:
            return
        self.graph = graph
        if self.selected is not None and not self._has(self.selected):
            self.selected = None
        if not graph.nodes:
            self.show_empty()
            return
        self.canvas.reset_view()
        self.show_content()

    def set_highlights(self, highlights: Mapping[str, Highlight]) -> None:
        """Highlight nodes and arrows by id; the others keep their muted colour."""
        if dict(highlights) != dict(self.highlights):
            self.highlights = dict(highlights)
            self.canvas.update()

    def set_note(self, headline: str, body: str = "") -> None:
        """Show a note in the area that the graph reserves for it."""
        if (headline, body) != self.note:
            self.note = (headline, body)
            self.canvas.update()

    def select(self, place: str | None) -> None:
        """Mark a node or an arrow; None or an unknown id clears the mark. Emits nothing."""
        marked = place if place is not None and self._has(place) else None
        if marked != self.selected:
            self.selected = marked
            self.canvas.update()

    def data_table(self) -> DataTable | None:
        """One row per box and per arrow: what it is called, and how strongly it is highlighted, from 0 to 1."""
        if self.is_empty:
            return None
        parts = [
            *(("box", node.id, node.label, "", "") for node in self.graph.nodes),
            *(("arrow", edge.id, edge.label, edge.start, edge.end) for edge in self.graph.edges),
        ]
        lit = [self.highlights.get(place) for _, place, *_ in parts]
        names = ("part", "id", "label", "from", "to")
        return table_of(
            {
                **{name: [part[index] for part in parts] for index, name in enumerate(names)},
                "highlight": [None if each is None else each.amount for each in lit],
                "text": ["" if each is None else each.text for each in lit],
            }
        )

    def describe(self, place: str | None) -> str | None:
        """The text shown for a node or an arrow on hover and focus."""
        if place is None:
            return None
        node, edge = self.graph.by_id.get(place), self.graph.edge_by_id.get(place)
        highlight = self.highlights.get(place)
        if node is not None:
            head = (node.label, node.about)
        elif edge is not None:
            names = self.graph.by_id
            head = (f"{names[edge.start].label} → {names[edge.end].label}", " ".join((edge.about, edge.label)).strip())
        else:
            return None
        return "\n".join(part for part in (*head, highlight.tip if highlight else "") if part)

    def restyle(self, theme: Theme) -> None:
        self.canvas.update()

    def pick(self, place: str | None) -> None:
        """Handle a click: a second click on the same place clears the pick."""
        self.picked.emit("" if place is None or place == self.selected else place)

    def _has(self, place: str) -> bool:
        return place in self.graph.by_id or place in self.graph.edge_by_id


class _DiagramCanvas(Canvas):
    def __init__(self, figure: FlowDiagram) -> None:
        super().__init__()
        self._figure = figure
        self._zoom: float | None = None  # None: fitted to the widget
        self._origin = QPointF()
        self._hovered: str | None = None
        self._focused: str | None = None
        self._pressed: QPointF | None = None
        self._dragged = False
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        show_text(self.setAccessibleName, tr("Diagram: Tab steps through its boxes"))

    def sizeHint(self) -> QSize:
        return QSize(520, 400)

    @property
    def focused(self) -> str | None:
        """The node with the keyboard focus."""
        return self._focused

    @property
    def zoom(self) -> float:
        return self.transform.m11()

    @property
    def transform(self) -> QTransform:
        """From the graph's coordinates to the widget's."""
        bounds = self._figure.graph.bounds
        if self._zoom is not None:
            return QTransform(self._zoom, 0, 0, self._zoom, self._origin.x(), self._origin.y())
        width, height = self.width() - 2 * _MARGIN_PX, self.height() - 2 * _MARGIN_PX
        zoom = max(0.05, min(width / bounds.width, height / bounds.height, _LARGEST_FIT_PX))
        x, y = bounds.centre
        return QTransform(zoom, 0, 0, zoom, self.width() / 2 - zoom * x, self.height() / 2 - zoom * y)

    def point_of(self, place: str) -> QPointF:
        """The widget position of a node's centre, or of the middle of an arrow's first segment."""
        graph = self._figure.graph
        if place in graph.by_id:
            return self.transform.map(QPointF(*graph.by_id[place].box.centre))
        points = graph.edge_by_id[place].points
        return self.transform.map((QPointF(*points[0]) + QPointF(*points[1])) / 2)

    def place_at(self, position: QPointF) -> str | None:
        inverse, _ = self.transform.inverted()
        point = inverse.map(position)
        return self._figure.graph.place_at((point.x(), point.y()), _REACH_PX / self.zoom)

    def reset_view(self) -> None:
        """Prepare for another graph: clear the hover, keep the focus if its node exists, fit the graph."""
        self._hovered = None
        if self._focused not in self._figure.graph.by_id:
            self._focused = None
        self.fit()

    def fit(self) -> None:
        self._zoom = None
        self.update()

    def zoom_by(self, factor: float, point: QPointF | None = None) -> None:
        """Zoom about a point of the widget, by default its centre."""
        fixed = point or QPointF(self.width() / 2, self.height() / 2)
        now = self.transform
        inverse, _ = now.inverted()
        graph_point = inverse.map(fixed)
        self._zoom = min(_MOST_ZOOM, max(_LEAST_ZOOM, now.m11() * factor))
        self._origin = fixed - self._zoom * graph_point
        self.update()

    def paint(self, painter: QPainter, theme: Theme) -> None:
        graph, highlights = self._figure.graph, self._figure.highlights
        painter.fillRect(self.rect(), QColor(theme.sunken))
        painter.setTransform(self.transform, True)
        for group in graph.groups:
            paint_group(painter, theme, group)
        # Dark edges first, then highlighted ones, then the picked one, so that the important ones are on top.
        order = sorted(graph.edges, key=lambda edge: (self._emphasis(edge.id).picked, _amount(highlights.get(edge.id))))
        for edge in order:
            paint_edge(painter, theme, edge, highlights.get(edge.id), self._emphasis(edge.id))
        for edge in order:
            paint_edge_label(painter, theme, edge, highlights.get(edge.id), self._emphasis(edge.id))
        for node in graph.nodes:
            paint_node(painter, theme, node, highlights.get(node.id), self._emphasis(node.id))
        if graph.note is not None:
            paint_note(painter, theme, graph.note, *self._figure.note)
        painter.resetTransform()

    def _emphasis(self, place: str) -> Emphasis:
        focused = self.hasFocus() and place == self._focused
        return Emphasis(place == self._figure.selected, place == self._hovered, focused)

    def _hover(self, place: str | None) -> None:
        if place != self._hovered:
            self._hovered = place
            self.setCursor(Qt.CursorShape.PointingHandCursor if place else Qt.CursorShape.ArrowCursor)
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        position = event.position()
        if self._pressed is not None and event.buttons() & Qt.MouseButton.LeftButton:
            moved = position - self._pressed
            if self._dragged or moved.manhattanLength() > _DRAG_PX:
                now = self.transform
                self._zoom, self._origin = now.m11(), QPointF(now.dx(), now.dy()) + moved
                self._pressed, self._dragged = position, True
                self._figure.tip.hide()
                self.update()
            return
        self._hover(self.place_at(position))
        place = self.mapTo(self._figure, position.toPoint())
        self._figure.tip.show_at(place, self._figure.describe(self._hovered))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self._pressed, self._dragged = event.position(), False

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        pressed, self._pressed = self._pressed, None
        if event.button() is not Qt.MouseButton.LeftButton or pressed is None or self._dragged:
            return
        place = self.place_at(event.position())
        if place in self._figure.graph.by_id:
            self._focused = place
        if place is not None or self._figure.selected is not None:
            self._figure.pick(place)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.fit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.zoom_by(1.0015 ** event.angleDelta().y(), event.position())
        event.accept()

    def leaveEvent(self, event: QEvent) -> None:
        self._hover(None)
        super().leaveEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.fit()

    def focusInEvent(self, event: QFocusEvent) -> None:
        nodes = self._figure.graph.nodes
        if nodes and event.reason() is Qt.FocusReason.TabFocusReason:
            self._focus(nodes[0])
        elif nodes and event.reason() is Qt.FocusReason.BacktabFocusReason:
            self._focus(nodes[-1])
        super().focusInEvent(event)

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Tab goes from node to node, and from the last node to the next widget."""
        nodes = self._figure.graph.nodes
        ids = [node.id for node in nodes]
        index = ids.index(self._focused) + (1 if forward else -1) if self._focused in ids else (0 if forward else -1)
        if nodes and (0 <= index < len(nodes)) and self.hasFocus():
            self._focus(nodes[index])
            return True
        return super().focusNextPrevChild(forward)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Hide the tooltip that keyboard focus showed."""
        self._figure.tip.hide()
        super().focusOutEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key in _DIRECTIONS and self._focused is not None:
            ahead = self._figure.graph.next_node(self._focused, _DIRECTIONS[Qt.Key(key)])
            if ahead is not None:
                self._focus(self._figure.graph.by_id[ahead])
        elif key in PICKS and self._focused is not None:
            self._figure.pick(self._focused)
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus):
            self.zoom_by(1 / 1.25 if key == Qt.Key.Key_Minus else 1.25)
        elif key == Qt.Key.Key_0:
            self.fit()
        else:
            super().keyPressEvent(event)

    def _focus(self, node: FlowNode) -> None:
        self._focused = node.id
        where = self.mapTo(self._figure, self.point_of(node.id).toPoint())
        self._figure.tip.show_at(where, self._figure.describe(node.id))
        self.update()


def _amount(highlight: Highlight | None) -> float:
    return -1.0 if highlight is None else highlight.amount
