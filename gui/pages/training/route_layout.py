"""Where the stages are on the map of routes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSizeF

from core.topics.training.stage_ids import DPO, GRPO, PPO, PRETRAINING, REWARD, ROUTES, SFT
from gui.zoom import Px

OWN_LOG = "own"
"""The key of the log that the user opened, which has a place on the map."""

_PLACES: Mapping[str, tuple[int, float]] = {
    PRETRAINING: (0, 1.0),
    SFT: (1, 1.0),
    REWARD: (2, 0.5),
    PPO: (3, 0.0),
    GRPO: (3, 1.0),
    DPO: (2, 2.0),
    OWN_LOG: (0, 2.0),
}
"""Column and row; rows may be between two others."""

_COLUMNS, _ROWS = 4, 3
_MARGIN_PX, _LABEL_PX = Px(3), Px(15)
_LEAST_GAP_PX, _GAP_SHARE, _GAP_Y_PX = Px(12), 0.045, Px(5)
_HIGHEST_PX, _LABEL_LEFT_PX = Px(112), Px(56)
_TIE_PX = 0.5
"""Distances that differ by less are equal: PPO and GRPO are equally far from the reward model, up to rounding."""


@dataclass(frozen=True)
class RouteLayout:
    """Boxes of all stages, and room for one line of words below each."""

    boxes: Mapping[str, QRectF]

    def at(self, point: QPointF) -> str | None:
        return next((key for key, box in self.boxes.items() if box.contains(point)), None)

    def label(self, key: str) -> QRectF:
        """The line of words below a box. It may begin left of the box."""
        box = self.boxes[key]
        left = max(0.0, box.left() - _LABEL_LEFT_PX)
        return QRectF(left, box.bottom(), box.right() + _MARGIN_PX - left, _LABEL_PX)

    def neighbour(self, key: str, down: int, right: int) -> str:
        """The nearest box in a direction, of equally near ones the first stage; the same one if there is none."""
        here = self.boxes[key].center()
        best, nearest = key, float("inf")
        for other, box in self.boxes.items():
            away = box.center() - here
            along, across = (away.x() * right, abs(away.y())) if right else (away.y() * down, abs(away.x()))
            distance = along + 2 * across
            if along > 1 and distance < nearest - _TIE_PX:
                best, nearest = other, distance
        return best


def lay_out(size: QSizeF) -> RouteLayout:
    """The map in a widget of that size."""
    gap = max(_LEAST_GAP_PX, _GAP_SHARE * size.width())
    width = (size.width() - 2 * _MARGIN_PX - (_COLUMNS - 1) * gap) / _COLUMNS
    row = (size.height() - 2 * _MARGIN_PX) / _ROWS
    height = min(_HIGHEST_PX, row - _LABEL_PX - _GAP_Y_PX)
    top = _MARGIN_PX + max(0.0, (row - _LABEL_PX - _GAP_Y_PX - height) / 2)
    return RouteLayout(
        {
            key: QRectF(_MARGIN_PX + column * (width + gap), top + place * row, width, height)
            for key, (column, place) in _PLACES.items()
        }
    )


def tracks() -> Mapping[tuple[str, str], tuple[str, ...]]:
    """The routes that go from one stage to the next, by both stages."""
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for route in ROUTES:
        for pair in zip(route.stages, route.stages[1:], strict=False):
            found[pair] = (*found.get(pair, ()), route.id)
    return found
