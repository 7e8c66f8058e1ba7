"""The chips of a mask: selected, moved, negated and edited with the mouse or the keyboard."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFocusEvent,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QLineEdit, QMenu, QSizePolicy, QWidget

from core.contracts.text import EMPTY, tr
from core.masks import All, Mask, MaskSyntaxError, parse
from core.masks.editing import Path, added, grouped, moved, negated, removed, replaced, switched, transplanted
from core.masks.editing import ungrouped as without_parentheses
from gui import theme as themes
from gui.pages.masks.chip_layout import Kind, Piece, Placed, pieces, placed, slots
from gui.theme import Theme, mix
from gui.translation import show_text
from gui.widgets.figure import Canvas
from gui.zoom import Px

_LINE_PX, _CHIP_PX, _GAP_PX, _PADDING_PX = Px(32), Px(24), Px(5), Px(9)
_DRAG_PX = 6
HELP = tr(
    "Left, Right: select · Ctrl+Left, Ctrl+Right: move · Enter: edit · Delete: remove · N: not · Space: and / or · "
    "G: group with the next · U: ungroup"
)


class ChipRow(Canvas):
    """`edited` carries the edited Mask; `refused` a Text about text that is not a term, EMPTY when it is one."""

    edited = Signal(object)
    refused = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.mask: Mask = All()
        self._row: tuple[Placed, ...] = ()
        self._current = 0
        self._pressed: tuple[int, QPointF] | None = None
        self._slot: tuple[float, int, Path, int] | None = None
        self._hovered: int | None = None
        self._editing: Piece | None = None
        self.editor = QLineEdit(self)
        self.editor.setFont(themes.mono_font())
        show_text(self.editor.setAccessibleName, tr("Edit the term"))
        self.editor.hide()
        self.editor.installEventFilter(self)
        self._editor_keys: dict[int, Callable[[], None]] = {
            Qt.Key.Key_Return: self._finish_editing,
            Qt.Key.Key_Enter: self._finish_editing,
            Qt.Key.Key_Escape: self._leave_editing,
        }
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        show_text(self.setAccessibleName, tr("Terms of the mask"))
        show_text(self.setToolTip, HELP)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._place()

    @property
    def current(self) -> Piece | None:
        """The piece that keys act on."""
        return self._row[self._current].piece if 0 <= self._current < len(self._row) else None

    def set_mask(self, mask: Mask) -> None:
        """Show another mask. The selected piece stays selected if it still exists."""
        if mask != self.mask or not self._row:
            self.mask = mask
            self._cancel_editing()
            self._place()

    def pick(self, index: int) -> None:
        """Make a piece the current one, by its index in the row."""
        self._current = max(0, min(index, len(self._row) - 1))
        self.update()

    # Edits of the current piece; each emits the new mask.

    def move(self, step: int) -> None:  # type: ignore[override]
        """Move the unit one place to the left or right."""
        piece = self.current
        if piece is not None and piece.kind is not Kind.OPERATOR:
            self._apply(*moved(self.mask, piece.path, step))

    def remove(self) -> None:
        piece = self.current
        if piece is not None and piece.kind is not Kind.OPERATOR:
            self._apply(removed(self.mask, piece.path))

    def negate(self) -> None:
        piece = self.current
        if piece is not None and piece.kind is not Kind.OPERATOR:
            self._apply(negated(self.mask, piece.path), piece.path)

    def switch_operator(self) -> None:
        """Exchange And and Or in the group of the piece."""
        piece = self.current
        if piece is None:
            return
        path = piece.path if piece.kind is Kind.OPERATOR else piece.path[:-1]
        if piece.kind is Kind.OPERATOR or piece.path:
            index = self._current
            try:
                self._apply(switched(self.mask, path))
            except ValueError:
                return
            self.pick(index)

    def group(self) -> None:
        """Put the unit and the next one in parentheses."""
        piece = self.current
        if piece is not None and piece.kind is not Kind.OPERATOR:
            self._apply(*grouped(self.mask, piece.path))

    def ungroup(self) -> None:
        """Remove the parentheses that the piece is, or those around it."""
        piece = self.current
        if piece is not None:
            group = piece.inner if piece.kind in (Kind.OPEN, Kind.CLOSE, Kind.OPERATOR) else piece.path[:-1]
            self._apply(without_parentheses(self.mask, group))

    def edit(self) -> None:
        """Edit the text of the term in place."""
        piece = self.current
        if piece is None or piece.kind is not Kind.TERM:
            return
        self._editing = piece
        place = self._row[self._current]
        self.editor.setText(piece.text.replace("not ", "~"))
        self.editor.setGeometry(self._box(place).adjusted(-2, -1, 0, 1).toRect())
        self.editor.resize(max(150, self.editor.width()), self.editor.height())
        self.editor.selectAll()
        self.editor.show()
        self.editor.setFocus()

    def add(self, text: str) -> None:
        """Add a term, joined by `and`."""
        after = added(self.mask, parse(text))
        self._apply(after)
        self.pick(len(self._row) - 1)

    # Qt

    def sizeHint(self) -> QSize:
        return QSize(300, self.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()

    def event(self, event: QEvent) -> bool:
        """Arrows and Space are shortcuts of the window; here they act on the chips."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and self._action(event):
            event.accept()
            return True
        return super().event(event)

    def eventFilter(self, watched: QWidget, event: QEvent) -> bool:  # type: ignore[override]
        if watched is self.editor and event.type() == QEvent.Type.FocusOut:
            self._cancel_editing()
        keys = (QEvent.Type.KeyPress, QEvent.Type.ShortcutOverride)
        if watched is self.editor and event.type() in keys and isinstance(event, QKeyEvent):
            action = self._editor_keys.get(event.key())
            if action is not None:  # handled here, or the row would also act on the key
                event.accept()
                if event.type() == QEvent.Type.KeyPress:
                    action()
                return True
        return super().eventFilter(watched, event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        action = self._action(event)
        if action is None:
            super().keyPressEvent(event)
        else:
            action()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = self._index_at(event.position())
        if index is None:
            super().mousePressEvent(event)
            return
        self.pick(index)
        if event.button() is Qt.MouseButton.LeftButton:
            self._pressed = index, event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        self._hovered = self._index_at(event.position())
        if self._pressed is not None:
            index, start = self._pressed
            is_drag = (event.position() - start).manhattanLength() > _DRAG_PX
            if self._row[index].piece.kind is not Kind.OPERATOR and (is_drag or self._slot is not None):
                self._slot = self._nearest_slot(event.position())
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        pressed, slot = self._pressed, self._slot
        self._pressed = self._slot = None
        if pressed is None:
            return
        piece = self._row[pressed[0]].piece
        if slot is not None:
            self._apply(*transplanted(self.mask, piece.path, slot[2], slot[3]))
        elif piece.kind is Kind.OPERATOR and self._index_at(event.position()) == pressed[0]:
            self.switch_operator()
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        super().mouseDoubleClickEvent(event)
        self.edit()

    def leaveEvent(self, event: QEvent) -> None:
        self._hovered = None
        self.update()
        super().leaveEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        index = self._index_at(QPointF(event.pos()))
        if index is None:
            return
        self.pick(index)
        menu = QMenu(self)
        for title, action in (
            (tr("Edit (Enter)"), self.edit),
            (tr("Not (N)"), self.negate),
            (tr("And / or (Space)"), self.switch_operator),
            (tr("Group with the next (G)"), self.group),
            (tr("Ungroup (U)"), self.ungroup),
            (tr("Remove (Delete)"), self.remove),
        ):
            menu.addAction(str(title), action)
        menu.exec(event.globalPos())
        menu.deleteLater()

    def paint(self, painter: QPainter, theme: Theme) -> None:
        painter.setFont(themes.mono_font())
        for index, place in enumerate(self._row):
            if self._editing is None or place.piece is not self._editing:
                self._paint_piece(painter, theme, index, place)
        if self._slot is not None:
            x, line = self._slot[0], self._slot[1]
            painter.setPen(QPen(QColor(theme.tiles["current"]), 2.5))
            top = line * _LINE_PX + 2
            painter.drawLine(QPointF(x, top), QPointF(x, top + _LINE_PX - 4))

    def _paint_piece(self, painter: QPainter, theme: Theme, index: int, place: Placed) -> None:
        kind, box = place.piece.kind, self._box(place)
        current = index == self._current and self.hasFocus()
        dragged = self._slot is not None and self._pressed is not None and self._pressed[0] == index
        if kind is Kind.TERM:
            chip_colour = theme.bad if place.piece.text.startswith("not ") else theme.accent
            strength = 0.30 if index == self._hovered or current else 0.17
            painter.setBrush(QColor(mix(theme.surface, chip_colour, 0.06 if dragged else strength)))
            painter.setPen(
                QPen(QColor(chip_colour if current else mix(theme.surface, chip_colour, 0.6)), 2 if current else 1)
            )
            painter.drawRoundedRect(box, 5, 5)
            painter.setPen(QColor(theme.faint if dragged else theme.text))
        else:
            if current or (index == self._hovered and kind is not Kind.CLOSE):
                painter.setBrush(QColor(theme.hover))
                painter.setPen(QPen(QColor(theme.accent), 1.5) if current else Qt.PenStyle.NoPen)
                painter.drawRoundedRect(box, 5, 5)
            painter.setPen(QColor(theme.muted if kind is Kind.OPERATOR else theme.tiles["current"]))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, place.piece.text)

    def _action(self, event: QKeyEvent) -> Callable[[], None] | None:
        control = event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier)
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key())) if event.key() else None
        if step is not None:
            return (lambda: self.move(step)) if control else (lambda: self._walk(step))
        if control:
            return None
        actions: dict[int, Callable[[], None]] = {
            Qt.Key.Key_Home: lambda: self.pick(0),
            Qt.Key.Key_End: lambda: self.pick(len(self._row) - 1),
            Qt.Key.Key_Delete: self.remove,
            Qt.Key.Key_Backspace: self.remove,
            Qt.Key.Key_Return: self._enter,
            Qt.Key.Key_Enter: self._enter,
            Qt.Key.Key_F2: self.edit,
            Qt.Key.Key_N: self.negate,
            Qt.Key.Key_AsciiTilde: self.negate,
            Qt.Key.Key_Space: self.switch_operator,
            Qt.Key.Key_G: self.group,
            Qt.Key.Key_U: self.ungroup,
        }
        return actions.get(event.key())

    def _enter(self) -> None:
        piece = self.current
        if piece is not None and piece.kind is Kind.OPERATOR:
            self.switch_operator()
        else:
            self.edit()

    def _walk(self, step: int) -> None:
        """Go to the next piece that can be edited."""
        index = self._current + step
        while 0 <= index < len(self._row) and self._row[index].piece.kind is Kind.CLOSE:
            index += step
        if 0 <= index < len(self._row):
            self.pick(index)

    def _apply(self, mask: Mask, path: Path | None = None) -> None:
        """Show and emit an edited mask; the unit at `path` becomes the current one."""
        if mask == self.mask:
            return
        self.refused.emit(EMPTY)
        self.mask = mask
        self._place()
        if path is not None:
            units = [k for k, place in enumerate(self._row) if place.piece.kind in (Kind.TERM, Kind.OPEN)]
            self.pick(next((k for k in units if self._row[k].piece.path == path), self._current))
        self.edited.emit(mask)

    def _finish_editing(self) -> None:
        piece = self._editing
        if piece is None:
            return
        try:
            term = parse(self.editor.text())
        except MaskSyntaxError as error:
            self.refused.emit(error.text)
            return
        self._leave_editing()
        self._apply(replaced(self.mask, piece.path, term), piece.path)

    def _leave_editing(self) -> None:
        self._cancel_editing()
        self.setFocus()

    def _cancel_editing(self) -> None:
        if self._editing is not None:
            self._editing = None
            self.editor.hide()
            self.refused.emit(EMPTY)
            self.update()

    def _place(self) -> None:
        metrics = QFontMetricsF(themes.mono_font())

        def width(piece: Piece) -> float:
            return metrics.horizontalAdvance(piece.text) + (2 * _PADDING_PX if piece.kind is Kind.TERM else 8)

        self._row, lines = placed(pieces(self.mask), width, max(80.0, self.width() - 2.0), _GAP_PX)
        if self.height() != lines * _LINE_PX or self.minimumHeight() != lines * _LINE_PX:
            self.setFixedHeight(lines * _LINE_PX)
        self.pick(self._current)

    def _box(self, place: Placed) -> QRectF:
        return QRectF(place.x + 1, place.line * _LINE_PX + (_LINE_PX - _CHIP_PX) / 2, place.width, _CHIP_PX)

    def _index_at(self, position: QPointF) -> int | None:
        return next((k for k, place in enumerate(self._row) if self._box(place).contains(position)), None)

    def _nearest_slot(self, position: QPointF) -> tuple[float, int, Path, int] | None:
        line = int(position.y() // _LINE_PX)
        choices = slots(self.mask, self._row)
        return min(choices, key=lambda s: abs(s[0] - position.x()) + 500 * abs(s[1] - line)) if choices else None
