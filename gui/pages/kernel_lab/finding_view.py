"""The picture of a finding: the memory around it, with the bounds of the tensor and the places that it is about."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from core.contracts.text import Text, listed, tr, verbatim
from core.topics.kernel_lab.finding_picture import FindingPicture, Side, finding_picture
from core.trace.record import Launch, coordinates
from core.trace.tables import FaultRow
from gui import theme as themes
from gui.theme import Theme, mix
from gui.translation import show_text
from gui.widgets.data_table import DataTable, table_of
from gui.widgets.figure import Canvas, Figure
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.latest_work import LatestWork
from gui.widgets.legend import Entry, Legend
from gui.zoom import Px

_PICK_ONE = tr("Choose a finding in the list to see it in the memory of its tensor.")
_NO_TENSOR = tr("This finding concerns no tensor.")
_DOES = {"load": tr("loads"), "store": tr("stores"), "atomic": tr("uses an atomic")}
_LINE_FROM_PX, _LARGEST_PX, _STRIPE_PX = Px(4), Px(26), Px(4)


class FindingView(Figure):
    """A row of cells is a row of the tensor, so that its elements lie below each other with the gaps between them.

    For a race, the two programs stand side by side above the memory, each in its colour.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(_PICK_ONE, parent)
        self.picture: FindingPicture | None = None
        self._asked: tuple[object, FaultRow | None] = (None, None)
        self._work = LatestWork(self)
        self._work.done.connect(self._show)
        self._work.failed.connect(self.show_empty)
        self.title = FittedLabel()
        self.sides = (_SideLabel(), _SideLabel())
        self.cells = _Cells(self)
        self.legend = Legend()
        content, sides = QWidget(), QHBoxLayout()
        sides.setSpacing(8)
        for side in self.sides:
            sides.addWidget(side, 1)
        column = QVBoxLayout(content)
        column.setContentsMargins(4, 0, 4, 0)
        column.setSpacing(2)
        column.addWidget(self.title)
        column.addLayout(sides)
        column.addWidget(self.cells, 1)
        column.addWidget(self.legend)
        self.set_content(content)

    @property
    def busy(self) -> bool:
        return self._work.busy

    def show_finding(self, launches: Sequence[Launch], row: FaultRow | None) -> None:
        """Draw a finding of decoded launches; None, or launches that are not decoded yet, empty the picture."""
        asked = (tuple(map(id, launches)), row)
        if asked == self._asked:
            return
        self._asked = asked
        if row is None or not launches:
            self._work.forget()
            self.picture = None
            self.show_empty()
            return
        self._work.request(lambda: finding_picture(launches, row))

    def redraw_texts(self) -> None:
        """Write what holds texts again, in another language."""
        if self.picture is not None:
            self._show(self.picture)

    def data_table(self) -> DataTable | None:
        """One row per place that is drawn, counted from the tensor's first element."""
        picture = self.picture
        if picture is None or self.is_empty:
            return None
        places = [(row, column) for row in range(picture.shape[0]) for column in range(picture.shape[1])]
        sides = ("touched", "touched_by_other") if picture.is_race else ("touched",)
        return table_of(
            {
                "index": [picture.index_at(*place) for place in places],
                "owner": [_owner(picture, place) for place in places],
                "wrong": [bool(picture.wrong[place]) for place in places],
                **{
                    name: [bool(touched[place]) for place in places]
                    for name, touched in zip(sides, picture.touched, strict=True)
                },
            }
        )

    def describe(self, place: tuple[int, int] | None) -> str | None:
        """The read-out of a place."""
        picture = self.picture
        if picture is None or place is None:
            return None
        tensor, owner = picture.buffer.name, _owner(picture, place)
        index = tr("index {index:,} of {tensor}", index=picture.index_at(*place), tensor=tensor)
        whose = tr("an element of {tensor}", tensor=owner) if owner else tr("not an element of {tensor}", tensor=tensor)
        who = [
            tr("{program} touches it", program=_called(picture, side))
            for side, touched in zip(picture.sides, picture.touched, strict=True)
            if touched[place]
        ]
        wrong = [tr("part of the finding")] if picture.wrong[place] else []
        return "\n".join(str(text) for text in (index, whose, *who, *wrong))

    def restyle(self, theme: Theme) -> None:
        self.cells.update()
        self._write_legend(theme)

    def _show(self, picture: FindingPicture | None) -> None:
        self.picture = picture
        if picture is None:
            self.show_empty(_NO_TENSOR)
            return
        buffer = picture.buffer
        values = {"tensor": buffer.name, "shape": str(list(buffer.shape)), "strides": str(list(buffer.strides))}
        self.title.set_wordings(
            tr(
                "{tensor}: shape {shape}, strides {strides}; rows of {pitch:,} elements, from index {start:,}",
                pitch=picture.pitch,
                start=picture.start,
                **values,
            ),
            tr("{tensor}: shape {shape}, strides {strides}", **values),
        )
        for number, label in enumerate(self.sides):
            label.setVisible(picture.is_race)
            if picture.is_race:
                label.show_side(picture, number)
        show_text(
            self.cells.setAccessibleDescription,
            tr("Index {index:,} of {tensor} is marked.", index=picture.row.index, tensor=buffer.name),
        )
        self._write_legend(themes.current())
        self.cells.update()
        self.show_content()

    def _write_legend(self, theme: Theme) -> None:
        picture = self.picture
        if picture is None:
            return
        untouched = ~(picture.wrong | picture.touched.any(axis=0))
        entries = []
        if (untouched & (picture.owner == 1)).any():
            entries.append(Entry(verbatim(picture.buffer.name), _own(theme)))
        if (untouched & (picture.owner == 0)).any():
            entries.append(Entry(tr("not in the tensor"), _outside(theme)))
        entries += [Entry(verbatim(name), _neighbour(theme, i)) for i, name in enumerate(picture.neighbours)]
        if not picture.is_race and (picture.touched[0] & ~picture.wrong).any():
            entries.append(Entry(tr("touched by the line"), _side(theme, 0)))
        if picture.wrong.sum() > 1:
            entries.append(Entry(tr("both") if picture.is_race else tr("the finding"), theme.bad))
        entries.append(Entry(tr("index {index:,}", index=picture.row.index), theme.tiles["current"], "outline"))
        self.legend.set_entries(tuple(entries))


class _SideLabel(Canvas):
    """One program of a race: its id, its line, and what it does, beside its colour."""

    def __init__(self) -> None:
        super().__init__()
        self._number = 0
        self._picture: FindingPicture | None = None
        self.setVisible(False)

    def sizeHint(self) -> QSize:
        return QSize(120, 2 * self.fontMetrics().lineSpacing() + 4)

    def minimumSizeHint(self) -> QSize:
        return QSize(40, self.sizeHint().height())

    @property
    def texts(self) -> tuple[str, str]:
        """What it says, in two lines."""
        return (self._wordings[0][0], self._wordings[1][0]) if self._picture is not None else ("", "")

    @property
    def _wordings(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Those of each line, longest first."""
        assert self._picture is not None
        side = self._picture.sides[self._number]
        file = side.file.replace("\\", "/").rpartition("/")[2]
        does = f" · {listed([_DOES[kind] for kind in side.does])}" if side.does else ""
        line = tr("line {line}", line=side.line)
        number = tr("program {number:,}", number=side.program)
        return (str(_called(self._picture, side)), str(number)), (f"{file}:{side.line}{does}", f"{line}{does}")

    def show_side(self, picture: FindingPicture, number: int) -> None:
        self._picture, self._number = picture, number
        self.setToolTip("\n".join(self.texts))
        self.setAccessibleName(", ".join(self.texts))
        self.update()

    def paint(self, painter: QPainter, theme: Theme) -> None:
        painter.fillRect(self.rect(), QColor(theme.sunken))
        painter.fillRect(QRectF(0, 0, _STRIPE_PX, self.height()), QColor(_side(theme, self._number)))
        if self._picture is None:
            return
        fonts = (themes.ui_font("small", bold=True), themes.ui_font("small"))
        for row, (wordings, font) in enumerate(zip(self._wordings, fonts, strict=True)):
            painter.setFont(font)
            painter.setPen(QColor(theme.text if row == 0 else theme.muted))
            pitch = self.height() / 2
            box = QRectF(_STRIPE_PX + 5, row * pitch, self.width() - _STRIPE_PX - 8, pitch)
            metrics = painter.fontMetrics()
            text = next((each for each in wordings if metrics.horizontalAdvance(each) <= box.width()), wordings[-1])
            words = metrics.elidedText(text, Qt.TextElideMode.ElideRight, int(box.width()))
            painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, words)


class _Cells(Canvas):
    """One cell per place of memory, with a line where the tensor begins and ends."""

    def __init__(self, figure: FindingView) -> None:
        super().__init__()
        self._figure = figure
        self.setMouseTracking(True)
        self.setMinimumHeight(40)
        show_text(self.setAccessibleName, tr("The memory around the finding"))

    def paint(self, painter: QPainter, theme: Theme) -> None:
        picture = self._figure.picture
        if picture is None:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        rows, columns = picture.shape
        colours = _colours(picture, theme)
        gap = 1 if min(self._sides()) >= _LINE_FROM_PX else 0
        for row in range(rows):
            for column in range(columns):
                box = self.box_of(row, column)
                painter.fillRect(box.adjusted(0, 0, -gap, -gap), colours[row][column])
        self._draw_bounds(painter, picture.owner == 1, theme)
        row, column = picture.place_of_index()
        if 0 <= row < rows and 0 <= column < columns:
            painter.setPen(QPen(QColor(theme.tiles["current"]), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.box_of(row, column).adjusted(-1, -1, 0, 0))

    def box_of(self, row: int, column: int) -> QRectF:
        """The rectangle of a place."""
        left, top, width, height = self._layout()
        return QRectF(left + column * width, top + row * height, width, height)

    def place_at(self, x: float, y: float) -> tuple[int, int] | None:
        picture = self._figure.picture
        if picture is None:
            return None
        left, top, width, height = self._layout()
        row, column = int((y - top) // height), int((x - left) // width)
        rows, columns = picture.shape
        return (row, column) if 0 <= row < rows and 0 <= column < columns else None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        position = event.position()
        text = self._figure.describe(self.place_at(position.x(), position.y()))
        self._figure.tip.show_at(self.mapTo(self._figure, position.toPoint()), text)

    def _sides(self) -> tuple[float, float]:
        """Width and height of a cell."""
        assert self._figure.picture is not None
        rows, columns = self._figure.picture.shape
        width, height = (self.width() - 4) / columns, (self.height() - 4) / rows
        return min(width, float(_LARGEST_PX)), min(height, float(_LARGEST_PX))

    def _layout(self) -> tuple[float, float, float, float]:
        """Left, top, and the size of a cell; the picture is in the middle."""
        assert self._figure.picture is not None
        rows, columns = self._figure.picture.shape
        width, height = self._sides()
        return (self.width() - columns * width) / 2, (self.height() - rows * height) / 2, width, height

    def _draw_bounds(self, painter: QPainter, own: np.ndarray, theme: Theme) -> None:
        painter.setPen(QPen(QColor(theme.text), 1.5))
        framed = np.pad(own, 1)
        for row, column in zip(*np.nonzero(own), strict=True):
            box = self.box_of(int(row), int(column))
            if not framed[row, column + 1]:
                painter.drawLine(box.topLeft(), box.topRight())
            if not framed[row + 2, column + 1]:
                painter.drawLine(box.bottomLeft(), box.bottomRight())
            if not framed[row + 1, column]:
                painter.drawLine(box.topLeft(), box.bottomLeft())
            if not framed[row + 1, column + 2]:
                painter.drawLine(box.topRight(), box.bottomRight())


def _colours(picture: FindingPicture, theme: Theme) -> list[list[QColor]]:
    fills = [_outside(theme), _own(theme), *(_neighbour(theme, i) for i in range(len(picture.neighbours)))]
    codes = picture.owner.astype(int)
    for number, touched in enumerate(picture.touched):
        codes[touched] = len(fills) + number
    codes[picture.wrong] = len(fills) + 2
    palette = [QColor(fill) for fill in (*fills, _side(theme, 0), _side(theme, 1), theme.bad)]
    return [[palette[code] for code in row] for row in codes.tolist()]


def _owner(picture: FindingPicture, place: tuple[int, int]) -> str:
    """The name of the tensor that a place belongs to, '' if it is none of them."""
    owner = int(picture.owner[place])
    return "" if owner == 0 else picture.buffer.name if owner == 1 else picture.neighbours[owner - 2]


def _called(picture: FindingPicture, side: Side) -> Text:
    if side.program < 0:
        return tr("the line")
    return tr(
        "program {number:,} = {coordinates}", number=side.program, coordinates=coordinates(picture.grid, side.program)
    )


def _outside(theme: Theme) -> str:
    return mix(theme.sunken, theme.faint, 0.25)


def _own(theme: Theme) -> str:
    return mix(theme.surface, theme.accent, 0.3)


def _neighbour(theme: Theme, number: int) -> str:
    return mix(theme.surface, theme.series[(2 + number) % len(theme.series)], 0.45)


def _side(theme: Theme, number: int) -> str:
    return theme.series[number]
