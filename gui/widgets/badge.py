"""Small chips: the provenance of a number, and the verdict on a claim."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from core.contracts.claims import Verdict
from core.contracts.provenance import Provenance
from core.contracts.text import EMPTY, Text, sentences, tr
from gui import theme, translation
from gui.translation import show_text
from gui.zoom import Px

EXPLANATIONS = {
    Provenance.MEASURED: tr("Measured: timed or counted on a real GPU."),
    Provenance.MEASURED_CPU: tr("Measured on the CPU: it says nothing about the speed of a GPU."),
    Provenance.TRACED: tr("Traced: counted while the IR of the real kernel was executed."),
    Provenance.MODELLED: tr("Modelled: computed from a formula. Nothing was run."),
    Provenance.RECORDED: tr("Recorded: measured earlier, on the hardware that is named."),
}
_HEIGHT_PX = Px(16)
_PADDING_PX = Px(6)


def paint_chip(painter: QPainter, rect: QRectF, text: str, colour: str, surface: str) -> None:
    """A rounded, tinted chip with its text centred; used by the widget and by table delegates."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QColor(theme.mix(surface, colour, 0.45)))
    painter.setBrush(QColor(theme.mix(surface, colour, 0.14)))
    painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
    painter.setPen(QColor(colour))
    painter.setFont(theme.ui_font("small"))
    painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, text)
    painter.restore()


def chip_size(text: str) -> QSize:
    """The size that a chip with this text takes."""
    return QSize(round(QFontMetricsF(theme.ui_font("small")).horizontalAdvance(text)) + 2 * _PADDING_PX, _HEIGHT_PX)


class Chip(QWidget):
    """A tinted word. Subclasses choose its colour from the current theme."""

    def __init__(self, text: Text = EMPTY, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = text
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        translation.notifier().changed.connect(self._retranslate)

    @property
    def text(self) -> str:
        """What it says in the current language."""
        return str(self._text)

    def colour(self) -> str:
        return theme.current().muted

    def set_text(self, text: Text) -> None:
        """A chip without text takes no space. It is never hidden: showing one without a parent would open a window."""
        self._text = text
        self._retranslate()

    def sizeHint(self) -> QSize:
        return chip_size(self.text) if self._text else QSize(0, 0)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        paint_chip(painter, QRectF(self.rect()), self.text, self.colour(), theme.current().surface)
        painter.end()

    def _retranslate(self) -> None:
        self.updateGeometry()
        self.update()


class ProvenanceBadge(Chip):
    """The provenance of the numbers beside it. Without one it takes no space."""

    def __init__(self, provenance: Provenance | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._provenance = provenance
        self._is_recorded = False
        self._show()

    @property
    def provenance(self) -> Provenance | None:
        """How the run obtained the numbers, wherever it was made."""
        return self._provenance

    @property
    def shown(self) -> Provenance | None:
        """What the badge says: numbers of a recorded run are recorded ones."""
        is_of_record = self._is_recorded and self._provenance is not None and self._provenance.is_of_a_run
        return Provenance.RECORDED if is_of_record else self._provenance

    def colour(self) -> str:
        return theme.current().muted if self.shown is None else theme.current().provenance[self.shown]

    def set_provenance(self, provenance: Provenance | None) -> None:
        self._provenance = provenance
        self._show()

    def set_recorded(self, is_recorded: bool) -> None:
        """Whether the run beside it is a recorded one."""
        self._is_recorded = is_recorded
        self._show()

    def _show(self) -> None:
        kinds = dict.fromkeys(kind for kind in (self.shown, self._provenance) if kind is not None)
        show_text(self.setToolTip, sentences(*(EXPLANATIONS[kind] for kind in kinds)))
        self.set_text(EMPTY if self.shown is None else self.shown.label)


class VerdictChip(Chip):
    """The verdict on a claim; None before a run has tested it."""

    def __init__(self, verdict: Verdict | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self.set_verdict(verdict)

    @property
    def verdict(self) -> Verdict | None:
        return self._verdict

    def colour(self) -> str:
        verdict = self._verdict
        return theme.current().faint if verdict is None else theme.current().verdicts[verdict]

    def set_verdict(self, verdict: Verdict | None) -> None:
        self._verdict = verdict
        self.set_text(tr("not tested yet") if verdict is None else verdict.label)
