"""The diagram of boxes and arrows: highlights, selection and keyboard navigation."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QImage, QMouseEvent

from gui.pages.decoder.flow_diagram import FlowDiagram
from gui.pages.decoder.flow_graph import Box, FlowEdge, FlowGraph, FlowGroup, FlowNode, Highlight, edge_id, elbow
from gui.pages.decoder.flow_painting import rect

MEMORY, QUERY, HEADS, OUT = "memory", "q", "heads", "out"
BOXES = {
    MEMORY: Box(-160, 100, 80, 30),
    QUERY: Box(0, 100, 80, 30),
    HEADS: Box(0, 0, 80, 30),
    OUT: Box(0, -100, 80, 30),
}
KEYS, QUERIES = edge_id(MEMORY, HEADS), edge_id(QUERY, HEADS)
GRAPH = FlowGraph(
    tuple(FlowNode(name, name.title(), box, about=f"what {name} is") for name, box in BOXES.items()),
    (
        FlowEdge(MEMORY, HEADS, elbow(BOXES[MEMORY].at("right"), BOXES[HEADS].at("left"), upright=False), "[9, 128]"),
        FlowEdge(QUERY, HEADS, (BOXES[QUERY].at("top"), BOXES[HEADS].at("bottom")), about="read by Q:"),
        FlowEdge(HEADS, OUT, (BOXES[HEADS].at("top"), BOXES[OUT].at("bottom"))),
    ),
    (FlowGroup("Cross-attention", Box(-10, -10, 100, 150), Box(-10, 132, 100, 10)),),
)


@pytest.fixture
def diagram(qtbot: Any) -> FlowDiagram:
    diagram = FlowDiagram()
    qtbot.addWidget(diagram)
    diagram.resize(500, 400)
    diagram.set_graph(GRAPH)
    diagram.show()
    return diagram


def image(diagram: FlowDiagram) -> QImage:
    return diagram.canvas.grab().toImage()


def ground_of(diagram: FlowDiagram, node: str) -> QColor:
    """The colour of a box near its left edge, where no word is written."""
    box = BOXES[node]
    pixel = diagram.canvas.transform.map(QPointF(box.x + 4, box.y + box.height / 2)).toPoint()
    return image(diagram).pixelColor(pixel)


def heat(colour: QColor) -> int:
    """How much of the warm ink of what is lit there is in a colour."""
    return colour.red() - colour.blue()


def at(diagram: FlowDiagram, place: str) -> QPoint:
    return diagram.canvas.point_of(place).toPoint()


def enter_by_tab(diagram: FlowDiagram) -> None:
    """Arrive with the keyboard; a window that opens may have given the focus already."""
    diagram.activateWindow()
    diagram.canvas.clearFocus()
    diagram.canvas.setFocus(Qt.FocusReason.TabFocusReason)


def test_that_it_is_a_sentence_without_a_graph(diagram: FlowDiagram) -> None:
    assert not diagram.is_empty
    diagram.set_graph(FlowGraph((), ()))
    assert diagram.is_empty
    assert diagram.empty_sentence.endswith(".")


def test_that_more_light_is_warmer_and_none_at_all_is_darker_than_unlit(diagram: FlowDiagram) -> None:
    unlit = ground_of(diagram, HEADS)
    grounds = {}
    for amount in (0.0, 0.3, 1.0):
        diagram.set_highlights({HEADS: Highlight(amount)})
        grounds[amount] = ground_of(diagram, HEADS)
    assert max(heat(grounds[0.0]), heat(unlit)) < heat(grounds[0.3]) < heat(grounds[1.0])
    assert grounds[0.0].lightness() < unlit.lightness()
    diagram.set_highlights({})
    assert ground_of(diagram, HEADS) == unlit


def test_that_a_light_stays_on_its_own_box(diagram: FlowDiagram) -> None:
    before = ground_of(diagram, QUERY)
    diagram.set_highlights({HEADS: Highlight(1.0)})
    assert ground_of(diagram, QUERY) == before


def test_that_an_arrow_is_lit_along_its_line(diagram: FlowDiagram) -> None:
    def on_the_arrow() -> QColor:
        return image(diagram).pixelColor(at(diagram, QUERIES))

    diagram.set_highlights({QUERIES: Highlight(0.0)})
    dark = on_the_arrow()
    diagram.set_highlights({QUERIES: Highlight(1.0)})
    assert heat(on_the_arrow()) > heat(dark) + 60


def test_that_positions_are_lit_one_by_one(diagram: FlowDiagram) -> None:
    def row(cells: tuple[float, ...]) -> list[QColor]:
        diagram.set_highlights({HEADS: Highlight(1.0, cells=cells)})
        picture, box = image(diagram), BOXES[HEADS]
        y = box.y + box.height - 5
        places = (diagram.canvas.transform.map(QPointF(box.x + box.width * share, y)) for share in (0.25, 0.75))
        return [picture.pixelColor(place.toPoint()) for place in places]

    left, right = row((1.0, 0.0))
    assert heat(left) > heat(right) + 60
    assert row((0.0, 1.0)) == [right, left]


def test_that_a_selection_is_drawn_and_emits_nothing(diagram: FlowDiagram, qtbot: Any) -> None:
    plain = image(diagram)
    with qtbot.assertNotEmitted(diagram.picked):
        diagram.select(HEADS)
        assert image(diagram) != plain
        diagram.select("no such place")
    assert diagram.selected is None
    assert image(diagram) == plain


def test_that_a_new_graph_keeps_the_selection_only_where_it_still_is(diagram: FlowDiagram) -> None:
    diagram.select(MEMORY)
    diagram.set_graph(FlowGraph(GRAPH.nodes, GRAPH.edges[1:]))
    assert diagram.selected == MEMORY
    diagram.set_graph(FlowGraph(GRAPH.nodes[1:], GRAPH.edges[1:]))
    assert diagram.selected is None


@pytest.mark.parametrize("place", [MEMORY, QUERY, HEADS, OUT, KEYS, QUERIES])
def test_that_a_click_picks_a_box_or_an_arrow_and_a_second_takes_it_back(
    diagram: FlowDiagram, qtbot: Any, place: str
) -> None:
    with qtbot.waitSignal(diagram.picked) as picked:
        qtbot.mouseClick(diagram.canvas, Qt.MouseButton.LeftButton, pos=at(diagram, place))
    assert picked.args == [place]
    diagram.select(place)
    with qtbot.waitSignal(diagram.picked) as picked:
        qtbot.mouseClick(diagram.canvas, Qt.MouseButton.LeftButton, pos=at(diagram, place))
    assert picked.args == [""]


def test_that_a_click_beside_everything_takes_a_pick_back(diagram: FlowDiagram, qtbot: Any) -> None:
    with qtbot.assertNotEmitted(diagram.picked):
        qtbot.mouseClick(diagram.canvas, Qt.MouseButton.LeftButton, pos=QPoint(3, 3))
    diagram.select(OUT)
    with qtbot.waitSignal(diagram.picked) as picked:
        qtbot.mouseClick(diagram.canvas, Qt.MouseButton.LeftButton, pos=QPoint(3, 3))
    assert picked.args == [""]


def test_that_tab_walks_in_order_and_leaves_after_the_last(diagram: FlowDiagram, qtbot: Any) -> None:
    canvas = diagram.canvas
    enter_by_tab(diagram)
    seen = [canvas.focused]
    while canvas.focusNextPrevChild(True) and len(seen) < 9 and canvas.focused != seen[-1]:
        seen.append(canvas.focused)
    assert seen == [MEMORY, QUERY, HEADS, OUT]


def test_that_up_and_down_walk_and_enter_picks(diagram: FlowDiagram, qtbot: Any) -> None:
    enter_by_tab(diagram)
    qtbot.keyClick(diagram.canvas, Qt.Key.Key_Tab)
    assert diagram.canvas.focused == QUERY
    for key, expected in ((Qt.Key.Key_Up, HEADS), (Qt.Key.Key_Up, OUT), (Qt.Key.Key_Up, OUT), (Qt.Key.Key_Down, HEADS)):
        qtbot.keyClick(diagram.canvas, key)
        assert diagram.canvas.focused == expected
    with qtbot.waitSignal(diagram.picked) as picked:
        qtbot.keyClick(diagram.canvas, Qt.Key.Key_Return)
    assert picked.args == [HEADS]


def test_that_the_read_out_names_what_is_under_the_pointer_and_its_value(diagram: FlowDiagram, qtbot: Any) -> None:
    diagram.set_highlights(
        {HEADS: Highlight(0.0, "0", tip="changed by exactly 0"), QUERIES: Highlight(1.0, tip="changed by 2")}
    )
    qtbot.mouseMove(diagram.canvas, at(diagram, HEADS))
    assert diagram.tip.text() == "Heads\nwhat heads is\nchanged by exactly 0"
    assert diagram.canvas.cursor().shape() is Qt.CursorShape.PointingHandCursor
    qtbot.mouseMove(diagram.canvas, at(diagram, QUERIES))
    assert diagram.tip.text() == "Q → Heads\nread by Q:\nchanged by 2"
    qtbot.mouseMove(diagram.canvas, QPoint(3, 3))
    assert diagram.tip.isHidden()
    assert diagram.canvas.cursor().shape() is Qt.CursorShape.ArrowCursor


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(width=st.integers(200, 1400), height=st.integers(160, 700))
def test_that_all_of_it_fits_in_any_size_and_no_boxes_overlap(diagram: FlowDiagram, width: int, height: int) -> None:
    diagram.resize(width, height)
    transform = diagram.canvas.transform
    boxes = [transform.mapRect(rect(box)) for box in BOXES.values()]
    area = diagram.canvas.rect().toRectF()
    assert all(area.contains(box) for box in boxes)
    assert not any(a.intersects(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert all(diagram.canvas.place_at(box.center()) == name for name, box in zip(BOXES, boxes, strict=True))


def test_that_zooming_holds_the_point_and_another_size_fits_again(diagram: FlowDiagram) -> None:
    fitted, held = diagram.canvas.zoom, diagram.canvas.point_of(MEMORY)
    diagram.canvas.zoom_by(2.0, held)
    assert diagram.canvas.zoom == pytest.approx(2 * fitted)
    after = diagram.canvas.point_of(MEMORY)
    assert (after - held).manhattanLength() < 1e-6
    diagram.canvas.fit()
    assert diagram.canvas.zoom == pytest.approx(fitted)


def test_that_a_drag_pans_and_picks_nothing(diagram: FlowDiagram, qtbot: Any) -> None:
    start, canvas = at(diagram, HEADS), diagram.canvas
    with qtbot.assertNotEmitted(diagram.picked):
        qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=start)
        drag(canvas, start + QPoint(30, 20))
        qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=start + QPoint(30, 20))
    assert (at(diagram, HEADS) - start - QPoint(30, 20)).manhattanLength() <= 1


def drag(canvas: Any, position: QPoint) -> None:
    """A move with the button held, which offscreen mouse moves do not carry."""
    left = Qt.MouseButton.LeftButton
    at_global = canvas.mapToGlobal(position).toPointF()
    event = QMouseEvent(
        QEvent.Type.MouseMove, position.toPointF(), at_global, left, left, Qt.KeyboardModifier.NoModifier
    )
    canvas.mouseMoveEvent(event)


@given(
    start=st.tuples(st.integers(-99, 99), st.integers(-99, 99)),
    end=st.tuples(st.integers(-99, 99), st.integers(-99, 99)),
    upright=st.booleans(),
    lane=st.none() | st.integers(-99, 99),
)
def test_that_elbows_turn_at_right_angles_only(
    start: tuple[int, int], end: tuple[int, int], upright: bool, lane: int | None
) -> None:
    points = elbow(start, end, upright=upright, lane=lane)
    assert points[0] == start
    assert points[-1] == end
    steps = list(pairwise(points))
    assert all(a[0] == b[0] or a[1] == b[1] for a, b in steps)
