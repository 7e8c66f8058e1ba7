"""A transformer as a grid of places that can be trained, and the layout of the grid. No painting."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PySide6.QtCore import QRectF

from core.contracts.text import Text, tr, tr_in
from core.topics.fine_tuning.trained_modules import Place

ROW_NAMES: dict[str, Text | str] = {
    "prefix_encoder": tr("prefix encoder"),
    "prefix": tr("prefix K, V"),
    "attention_norm": tr_in("row of a layer", "norm"),
    "qkv_proj": "q, k, v",
    "q_proj": "q",
    "k_proj": "k",
    "v_proj": "v",
    "o_proj": "o",
    "mlp_norm": tr_in("row of a layer", "norm"),
    "gate_proj": "gate",
    "up_proj": "up",
    "down_proj": "down",
}
PLACE_NAMES = {
    "prefix_encoder": tr("prefix encoder (MLP)"),
    "prompt": tr_in("place", "prompt"),
    "prefix": tr("prefix keys and values"),
    "embedding": tr_in("place", "embedding"),
    "attention_norm": tr("attention norm"),
    "mlp_norm": tr("MLP norm"),
    "final_norm": tr("final norm"),
    "head": tr_in("place", "head"),
    "other": tr_in("place", "other"),
}
_IN_LAYER = tuple(ROW_NAMES)[1:]
_COMING_IN = ("prefix_encoder", "prompt", "embedding")
_FIRST_OF_MLP = ("mlp_norm", "gate_proj", "up_proj", "down_proj")


def part_name(kind: str) -> str:
    """The name of a kind of place, such as 'attention norm'; a matrix keeps its own name."""
    return str(PLACE_NAMES.get(kind, kind))


def place_name(place_id: str) -> str:
    """The full name of a place, such as 'layer 2, q_proj'."""
    parts = place_id.split(".")
    if parts[0] == "layer" and len(parts) == 3:
        return str(tr("layer {layer}, {part}", layer=parts[1], part=part_name(parts[2])))
    return part_name(place_id)


@dataclass(frozen=True, eq=False)
class TrainedModules:
    """What one method trains at each place.

    `trainable` counts trained parameters. `norms`, float [places], are their gradient norms, NaN if there is none; None
    without a run. `frozen`, float [places], is the largest gradient of a frozen parameter, NaN if nothing is frozen;
    None without a run.
    """

    trainable: tuple[int, ...]
    norms: np.ndarray | None = None
    frozen: np.ndarray | None = None

    def state(self, index: int, place: Place) -> str:
        """'frozen', 'whole' (all parameters train) or 'part' (some train, next to frozen ones).

        'absent' is a place that only other methods add; 'empty' has no own parameters (a tied head).
        """
        count = self.trainable[index]
        if count == 0 and place.parameters == 0 and not place.is_added:
            return "empty"
        if count == 0:
            return "absent" if place.is_added else "frozen"
        return "whole" if place.is_added or count == place.parameters else "part"

    def norm(self, index: int) -> float:
        """The gradient norm, NaN if it is not known."""
        return math.nan if self.norms is None else float(self.norms[index])


@dataclass(frozen=True)
class GridLayout:
    """The layout: the cell of each place, and the positions of the names of layers, rows and groups. `names_px` is the
    width of the names on the left."""

    cells: tuple[QRectF, ...]
    layers: tuple[tuple[str, QRectF], ...] = ()
    rows: tuple[tuple[str, float], ...] = ()
    groups: tuple[tuple[str, float, float], ...] = ()
    names_px: float = 0.0


@dataclass(frozen=True)
class TransformerGrid:
    """Columns: input, each layer, output. Rows: added vectors, then the parts of a layer."""

    places: tuple[Place, ...] = ()

    @cached_property
    def layers(self) -> tuple[int, ...]:
        return tuple(sorted({place.layer for place in self.places if place.layer >= 0}))

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """Kinds within a layer in execution order; unknown kinds come last."""
        kinds = dict.fromkeys(place.kind for place in self.places if place.layer >= 0)
        known = [kind for kind in _IN_LAYER if kind in kinds]
        return (*known, *(kind for kind in kinds if kind not in _IN_LAYER))

    @cached_property
    def inside(self) -> tuple[str, ...]:
        """Kinds that belong to the model."""
        return tuple(kind for kind in self.kinds if kind != "prefix")

    def index(self, place_id: str | None) -> int | None:
        return next((index for index, place in enumerate(self.places) if place.id == place_id), None)

    def row_names(self) -> tuple[str, ...]:
        """The names on the left of the rows, in the current language."""
        has_encoder = any(place.kind == "prefix_encoder" for place in self.places)
        kinds = ("prefix_encoder", *self.kinds) if has_encoder else self.kinds
        return tuple(str(ROW_NAMES.get(kind, kind)) for kind in kinds)

    def placed(self, room: QRectF, *, names: bool, names_px: float = 104.0) -> GridLayout:
        """The layout within `room`, with names on the left and above, or without names for a small picture."""
        left, top = (names_px, 17.0) if names else (0.0, 0.0)
        inner = room.adjusted(left, top, 0, 0)
        widest, gap = (8.0, 2.0) if names else (1.5, 0.75)
        between = min(widest, 0.25 * inner.width() / (len(self.layers) + 1))
        ends = (0.62, 0.62) if len(self.layers) <= 6 else (1.6, 1.6)
        unit = (inner.width() - between * (len(self.layers) + 1)) / max(1.0, len(self.layers) + sum(ends))
        lane = inner.left() + ends[0] * unit + between
        columns = {layer: lane + index * (unit + between) for index, layer in enumerate(self.layers)}
        right = lane + len(self.layers) * (unit + between)
        heights = self._heights(inner, gap)
        cells = []
        for place in self.places:
            if place.layer >= 0:
                y, high = heights[place.kind]
                cells.append(QRectF(columns[place.layer], y, unit, high))
            else:
                cells.append(self._outside(place, inner, heights, (lane, right - between, unit, ends, between)))
        if not names:
            return GridLayout(tuple(cells))
        first, last = heights[self.inside[0]], heights[self.inside[-1]]
        frames = tuple(
            (
                str(tr("layer {layer}", layer=layer)) if unit > 44 else str(layer),
                QRectF(columns[layer], room.top(), unit, top),
            )
            for layer in self.layers
        )
        rows = [(str(ROW_NAMES.get(kind, kind)), heights[kind][0] + heights[kind][1] / 2) for kind in self.kinds]
        if any(place.kind == "prefix_encoder" for place in self.places):
            y, high = heights["prefix_encoder"]
            rows.insert(0, (str(ROW_NAMES["prefix_encoder"]), y + high / 2))
        return GridLayout(tuple(cells), frames, tuple(rows), self._groups(heights, first[0], sum(last)), names_px)

    def _heights(self, inner: QRectF, gap: float) -> dict[str, tuple[float, float]]:
        """(top, height) by kind. Norms are lower than matrices, and a wider gap separates attention from the MLP."""
        order = (["prefix_encoder"] if any(p.kind == "prefix_encoder" for p in self.places) else []) + list(self.kinds)
        apart = {"attention_norm": 3.0, "mlp_norm": 3.0}
        weights = [0.8 if kind in ("attention_norm", "mlp_norm", "prefix_encoder") else 1.0 for kind in order]
        gaps = [gap * apart.get(kind, 1.0) if index else 0.0 for index, kind in enumerate(order)]
        share = max(1.0, inner.height() - sum(gaps)) / max(1.0, sum(weights))
        heights, y = {}, inner.top()
        for kind, weight, before in zip(order, weights, gaps, strict=True):
            y += before
            heights[kind] = (y, weight * share)
            y += weight * share
        return heights

    def _outside(
        self, place: Place, inner: QRectF, heights: dict[str, tuple[float, float]],
        columns: tuple[float, float, float, tuple[float, float], float],
    ) -> QRectF:  # fmt: skip
        """The cell of a place outside the layers. Added vectors are in the rows above the model."""
        lane, right, unit, ends, between = columns
        body = heights[self.inside[0]][0] if self.inside else inner.top()
        if place.kind == "prefix_encoder":
            y, high = heights["prefix_encoder"]
            return QRectF(lane, y, right - lane, high)
        if place.kind == "prompt":
            y, high = heights.get("prefix", (inner.top(), max(8.0, body - inner.top() - 4)))
            return QRectF(inner.left(), inner.top(), ends[0] * unit, y + high - inner.top())
        if place.kind == "embedding":
            return QRectF(inner.left(), body, ends[0] * unit, inner.bottom() - body)
        going_out = [other for other in self.places if other.layer < 0 and other.kind not in _COMING_IN]
        index, shares = going_out.index(place), [0.5 if other.kind == "final_norm" else 1.0 for other in going_out]
        high = (inner.bottom() - body - 3 * (len(shares) - 1)) / sum(shares)
        return QRectF(
            right + between, body + sum(shares[:index]) * high + 3 * index, ends[1] * unit, shares[index] * high
        )

    def _groups(
        self, heights: dict[str, tuple[float, float]], top: float, bottom: float
    ) -> tuple[tuple[str, float, float], ...]:
        """(name, top, bottom) of attention and MLP, if a layer has both."""
        mlp = next((heights[kind][0] for kind in self.inside if kind in _FIRST_OF_MLP), None)
        attention = [kind for kind in self.inside if kind not in _FIRST_OF_MLP]
        if mlp is None or not attention:
            return ()
        return (str(tr("attention")), top, mlp - 6), ("MLP", mlp, bottom)


def strength(norm: float, limits: tuple[float, float]) -> float:
    """The position in the colour scale, 0 to 1, on a log scale; 0 for a norm of 0."""
    low, high = limits
    if norm <= 0:
        return 0.0
    return min(1.0, max(0.0, math.log(norm / low) / math.log(high / low)))
