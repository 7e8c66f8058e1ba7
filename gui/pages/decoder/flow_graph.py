"""The positioned boxes and arrows that a `FlowDiagram` draws. Frozen, without Qt; lengths in pixels at zoom 1."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal

Point = tuple[float, float]
Side = Literal["left", "right", "top", "bottom"]


@dataclass(frozen=True)
class Box:
    """A rectangle; y grows downwards."""

    x: float
    y: float
    width: float
    height: float

    def at(self, side: Side, share: float = 0.5) -> Point:
        """A point on one side, at `share` of the way from its left or top end."""
        if side in ("top", "bottom"):
            return self.x + share * self.width, self.y + (self.height if side == "bottom" else 0.0)
        return self.x + (self.width if side == "right" else 0.0), self.y + share * self.height

    @property
    def centre(self) -> Point:
        return self.x + self.width / 2, self.y + self.height / 2

    def contains(self, point: Point, margin: float = 0.0) -> bool:
        x, y = point
        across = self.x - margin <= x <= self.x + self.width + margin
        return across and self.y - margin <= y <= self.y + self.height + margin


@dataclass(frozen=True)
class FlowNode:
    """One box. `ink` is a tensor's name, or '' for a neutral colour; `about` is the first part of its tooltip."""

    id: str
    label: str
    box: Box
    ink: str = ""
    about: str = ""


@dataclass(frozen=True)
class FlowEdge:
    """One arrow along `points`, from node `start` to node `end`. `label`, such as a shape, is drawn at `label_at`.

    `label_side`: 'beside' is right of a vertical line and above a horizontal one, 'below' is under a horizontal line,
    'along' is on the line and rotated with it, for narrow lanes.
    """

    start: str
    end: str
    points: tuple[Point, ...]
    label: str = ""
    ink: str = ""
    about: str = ""
    label_at: Point | None = None
    label_side: Literal["beside", "below", "along"] = "beside"

    @property
    def id(self) -> str:
        return edge_id(self.start, self.end)

    @property
    def label_anchor(self) -> tuple[Point, bool]:
        """The label position, by default the middle of the longest segment, and whether the arrow is vertical there."""
        segments, place = list(pairwise(self.points)), self.label_at
        if place is None:
            a, b = max(segments, key=lambda ends: math.dist(*ends))
            place = ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)
        else:
            a, b = min(segments, key=lambda ends: _to_segment(place, *ends))
        return place, abs(b[1] - a[1]) > abs(b[0] - a[0])

    def distance(self, point: Point) -> float:
        """The distance of a point from the arrow."""
        return min(_to_segment(point, a, b) for a, b in pairwise(self.points))


@dataclass(frozen=True)
class FlowGroup:
    """A frame behind some nodes. Its `label` is drawn in `label_box`, wrapped if it is long."""

    label: str
    box: Box
    label_box: Box
    ink: str = ""


@dataclass(frozen=True)
class FlowGraph:
    """The whole diagram. Node ids are unique, and so are (start, end) pairs. `note` is the area for a note."""

    nodes: tuple[FlowNode, ...]
    edges: tuple[FlowEdge, ...]
    groups: tuple[FlowGroup, ...] = ()
    note: Box | None = None

    @cached_property
    def by_id(self) -> Mapping[str, FlowNode]:
        return {node.id: node for node in self.nodes}

    @cached_property
    def edge_by_id(self) -> Mapping[str, FlowEdge]:
        return {edge.id: edge for edge in self.edges}

    @cached_property
    def bounds(self) -> Box:
        """The smallest box around boxes, frames, arrows and the note."""
        boxes = [node.box for node in self.nodes] + [group.box for group in self.groups]
        boxes += [self.note] if self.note is not None else []
        points = [point for edge in self.edges for point in edge.points]
        points += [corner for box in boxes for corner in (box.at("left", 0.0), box.at("right", 1.0))]
        if not points:
            return Box(0, 0, 1, 1)
        xs, ys = zip(*points, strict=True)
        return Box(min(xs), min(ys), max(1.0, max(xs) - min(xs)), max(1.0, max(ys) - min(ys)))

    def place_at(self, point: Point, reach: float) -> str | None:
        """The id of the node at a point, else of the nearest arrow within `reach`."""
        for node in reversed(self.nodes):
            if node.box.contains(point):
                return node.id
        near = min(self.edges, key=lambda edge: edge.distance(point), default=None)
        return near.id if near is not None and near.distance(point) <= reach else None

    def next_node(self, node_id: str, direction: Side) -> str | None:
        """The nearest node in a direction. Sideways distance counts double."""
        x, y = self.by_id[node_id].box.centre
        dx, dy = {"left": (-1, 0), "right": (1, 0), "top": (0, -1), "bottom": (0, 1)}[direction]
        best: tuple[float, str] | None = None
        for node in self.nodes:
            across, down = node.box.centre[0] - x, node.box.centre[1] - y
            ahead, aside = across * dx + down * dy, abs(across * dy) + abs(down * dx)
            if node.id != node_id and ahead > 1 and (best is None or ahead + 2 * aside < best[0]):
                best = (ahead + 2 * aside, node.id)
        return None if best is None else best[1]


@dataclass(frozen=True)
class Highlight:
    """How strongly a node or an arrow is highlighted: `amount` from 0 (dark: exactly zero) to 1.

    `text` is drawn on it, or `short` if the text does not fit; `tip` is part of its tooltip. `cells` are amounts from 0
    to 1, one per position of a node. `sure` False draws possible changes as outlines.
    """

    amount: float
    text: str = ""
    tip: str = ""
    cells: tuple[float, ...] = ()
    sure: bool = True
    short: str = ""


def edge_id(start: str, end: str) -> str:
    """The id of the arrow between two nodes."""
    return f"{start} → {end}"


def elbow(start: Point, end: Point, *, upright: bool = True, lane: float | None = None) -> tuple[Point, ...]:
    """A right-angled path between two points, vertical first if `upright`, turning at `lane` (default: half-way)."""
    (ax, ay), (bx, by) = start, end
    if upright:
        turn = (ay + by) / 2 if lane is None else lane
        points = (start, (ax, turn), (bx, turn), end)
    else:
        turn = (ax + bx) / 2 if lane is None else lane
        points = (start, (turn, ay), (turn, by), end)
    return _without_repeats(points)


def _without_repeats(points: Iterable[Point]) -> tuple[Point, ...]:
    kept: list[Point] = []
    for point in points:
        if not kept or math.dist(kept[-1], point) > 1e-6:
            kept.append(point)
    # Drop points on a straight line between their neighbours.
    return tuple(
        point
        for index, point in enumerate(kept)
        if index in (0, len(kept) - 1) or not _on_line(kept[index - 1], point, kept[index + 1])
    )


def _on_line(a: Point, b: Point, c: Point) -> bool:
    return abs((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])) < 1e-6


def _to_segment(point: Point, a: Point, b: Point) -> float:
    length = math.dist(a, b) ** 2
    along = 0.0 if length == 0 else ((point[0] - a[0]) * (b[0] - a[0]) + (point[1] - a[1]) * (b[1] - a[1])) / length
    along = min(1.0, max(0.0, along))
    return math.dist(point, (a[0] + along * (b[0] - a[0]), a[1] + along * (b[1] - a[1])))
