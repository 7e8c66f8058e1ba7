"""Where everything is in the picture of the heads, in pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from PySide6.QtCore import QPointF, QRectF

from gui.pages.attention_heads.head_picture import HeadPicture, Matrix
from gui.zoom import Px

TITLE_PX, FORMULA_PX, LABELS_PX, GUTTER_GAP_PX = Px(24.0), Px(18.0), Px(30.0), Px(10.0)
_EDGE_PX, _MATRIX_GAP_PX, _ABOVE_MATRICES_PX = Px(8.0), Px(12.0), Px(10.0)
_WIDEST_HEAD_PX, _HEAD_SHARE = Px(40.0), 0.82
_BOX_PX, _LEAST_BOX_PX, _BOX_SHARE = Px(24.0), Px(11.0), 0.075
_LEAST_WIRES_PX, _MOST_WIRES_PX = Px(26.0), Px(170.0)
_MATRICES_SHARE = 0.46
_THINNEST_PX = 2.0


def matrices_room_px(area: QRectF, count: int) -> float:
    """The width that matrices and their labels share, without the gaps between them."""
    return area.width() - 2 * _EDGE_PX - _MATRIX_GAP_PX * (count - 1)


@dataclass(frozen=True)
class HeadLayout:
    """The layout of a picture in an area. `gutter` is the width of the names at the left, `label_px` that of the label
    of each matrix. `short_labels` are without the number of parameters."""

    picture: HeadPicture
    area: QRectF
    gutter: float
    label_px: tuple[float, ...]
    short_labels: bool = False

    # Query heads above, KV heads below, wires between.

    @cached_property
    def _columns(self) -> QRectF:
        """The space of the heads, without title and names."""
        left = self.area.left() + _EDGE_PX + self.gutter + GUTTER_GAP_PX
        top = self.area.top() + TITLE_PX
        return QRectF(left, top, max(10.0, self.area.right() - _EDGE_PX - left), self.area.bottom() - top)

    @cached_property
    def box_px(self) -> float:
        """The height of the box of a head."""
        return min(_BOX_PX, max(_LEAST_BOX_PX, _BOX_SHARE * self.area.height()))

    @cached_property
    def pitch(self) -> float:
        """Pixels from a query head to the next."""
        return min(_WIDEST_HEAD_PX, self._columns.width() / self.picture.heads)

    @cached_property
    def head_px(self) -> float:
        """The width of a query head's box: that of `key_dim` elements."""
        return self.pitch * _HEAD_SHARE

    @cached_property
    def heads_left(self) -> float:
        free = self._columns.width() - self.pitch * self.picture.heads
        return self._columns.left() + free / 2

    @cached_property
    def wires_px(self) -> float:
        """The height of the wires: what heads, formula and matrices leave."""
        kv_rows = 1 if self.picture.latent is not None else 2
        left = self._columns.height() - self.box_px * (1 + kv_rows) - FORMULA_PX - _ABOVE_MATRICES_PX - self.matrices_px
        return min(_MOST_WIRES_PX, max(_LEAST_WIRES_PX, left))

    @cached_property
    def query_row(self) -> QRectF:
        return QRectF(self._columns.left(), self._columns.top(), self._columns.width(), self.box_px)

    @cached_property
    def kv_rows(self) -> tuple[QRectF, ...]:
        """The row of keys and that of values; of MLA, the row of the latent vector."""
        top = self.query_row.bottom() + self.wires_px
        count = 1 if self.picture.latent is not None else 2
        wide = self._columns.width()
        return tuple(QRectF(self._columns.left(), top + i * self.box_px, wide, self.box_px) for i in range(count))

    @cached_property
    def formula(self) -> QRectF:
        bottom = self.kv_rows[-1].bottom()
        return QRectF(self.area.left() + _EDGE_PX, bottom + 2, self.area.width() - 2 * _EDGE_PX, FORMULA_PX - 2)

    def head(self, head: int) -> QRectF:
        x = self.heads_left + head * self.pitch + (self.pitch - self.head_px) / 2
        return QRectF(x, self.query_row.top(), self.head_px, self.box_px)

    def middle_of(self, group: int) -> float:
        """The x of the middle of a group."""
        return self.heads_left + (group + 0.5) * self.picture.group_size * self.pitch

    def kv_boxes(self, group: int) -> tuple[QRectF, ...]:
        """The key and the value of a KV head, at the scale of the query heads; or the parts of the latent vector."""
        picture, px = self.picture, self.head_px / self.picture.key_dim
        middle = self.middle_of(group)
        if picture.latent is not None:
            rank, rotary = (max(_THINNEST_PX, px * part) for part in picture.latent)
            row, left = self.kv_rows[0], middle - (rank + rotary) / 2
            return QRectF(left, row.top(), rank, row.height()), QRectF(left + rank, row.top(), rotary, row.height())
        sizes = (picture.key_dim, picture.value_dim)
        return tuple(
            QRectF(middle - px * size / 2, row.top(), px * size, row.height() - 1)
            for row, size in zip(self.kv_rows, sizes, strict=True)
        )

    def kv_box(self, group: int) -> QRectF:
        first, second = self.kv_boxes(group)
        return first.united(second)

    def wire(self, head: int) -> tuple[QPointF, QPointF]:
        """From the bottom of a query head to the top of what it reads."""
        box, below = self.head(head), self.kv_box(self.picture.group_of(head))
        reach = min(below.width() / 2, 0.42 * below.width())
        share = self._place_in_group(head)
        return QPointF(box.center().x(), box.bottom()), QPointF(below.center().x() + share * reach, below.top())

    def _place_in_group(self, head: int) -> float:
        """From -1 for the first head of a group to 1 for the last."""
        size = self.picture.group_size
        return 0.0 if size == 1 else 2 * (head % size) / (size - 1) - 1

    # The matrices below.

    @cached_property
    def matrices_px(self) -> float:
        """The height of the matrices with their labels."""
        return max(LABELS_PX + 20, _MATRICES_SHARE * (self.area.height() - TITLE_PX))

    @cached_property
    def _scale(self) -> float:
        """Pixels per element: as large as the space allows, with every label beside the others."""
        room = matrices_room_px(self.area, len(self.picture.matrices))
        tall = max(matrix.inputs for matrix in self.picture.matrices)
        low, high = 0.0, (self.matrices_px - LABELS_PX) / tall
        for _ in range(24):
            middle = (low + high) / 2
            low, high = (middle, high) if sum(self._slots(middle)) <= room else (low, middle)
        return low

    def _slots(self, scale: float) -> list[float]:
        return [max(scale * m.outputs, px) for m, px in zip(self.picture.matrices, self.label_px, strict=True)]

    @cached_property
    def slots(self) -> tuple[QRectF, ...]:
        """The space of each matrix and its label, spread over the width."""
        wide = self._slots(self._scale)
        free = self.area.width() - 2 * _EDGE_PX - sum(wide)
        gap = free / max(1, len(wide))
        bottom, top = self.area.bottom(), self.formula.bottom() + _ABOVE_MATRICES_PX
        boxes, x = [], self.area.left() + _EDGE_PX + gap / 2
        for width in wide:
            boxes.append(QRectF(x, top, width, bottom - top))
            x += width + gap
        return tuple(boxes)

    def matrix(self, index: int) -> QRectF:
        """The matrix to scale, its lower edge on that of the others; a thin one is at least a line."""
        matrix, slot = self.picture.matrices[index], self.slots[index]
        wide, high = max(_THINNEST_PX, self._scale * matrix.outputs), max(_THINNEST_PX, self._scale * matrix.inputs)
        return QRectF(slot.center().x() - wide / 2, slot.bottom() - LABELS_PX - high, wide, high)

    def label(self, index: int) -> QRectF:
        slot = self.slots[index]
        return QRectF(slot.left(), slot.bottom() - LABELS_PX, slot.width(), LABELS_PX)

    def part(self, index: int, part: int) -> QRectF:
        """The part of a matrix that belongs to one head."""
        matrix, box = self.picture.matrices[index], self.matrix(index)
        if matrix.by_rows:
            high = box.height() / matrix.parts
            return QRectF(box.left(), box.top() + part * high, box.width(), high)
        wide = box.width() / matrix.parts
        return QRectF(box.left() + part * wide, box.top(), wide, box.height())

    def part_of_head(self, index: int, head: int) -> int:
        """The part of a matrix that a query head uses."""
        matrix = self.picture.matrices[index]
        return 0 if matrix.parts == 1 else self.picture.group_of(head) if matrix.of_kv_heads else head

    def group_of_part(self, matrix: Matrix, part: int) -> int:
        return 0 if matrix.parts == 1 else part if matrix.of_kv_heads else self.picture.group_of(part)

    # What is where.

    def head_at(self, point: QPointF) -> int | None:
        """The query head in whose column of the upper row a point is."""
        row = self.query_row.adjusted(0, -4, 0, 6)
        index = int((point.x() - self.heads_left) // self.pitch) if self.pitch else 0
        inside = row.top() <= point.y() <= row.bottom() and 0 <= index < self.picture.heads
        return index if inside else None

    def group_at(self, point: QPointF) -> int | None:
        """The KV head or latent vector at a point; between thin ones, the nearest."""
        rows = self.kv_rows[0].united(self.kv_rows[-1])
        if not rows.top() - 4 <= point.y() <= rows.bottom() + 2:
            return None
        index = int((point.x() - self.heads_left) // (self.pitch * self.picture.group_size))
        if not 0 <= index < self.picture.groups:
            return None
        return index if self.kv_box(index).adjusted(-4, -4, 4, 4).contains(point) else None

    def matrix_at(self, point: QPointF) -> int | None:
        for index in range(len(self.picture.matrices)):
            if self.matrix(index).adjusted(-3, -3, 3, 3).contains(point) or self.label(index).contains(point):
                return index
        return None
