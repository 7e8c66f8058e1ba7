"""The parts of the decoder page: the diagram with its lenses, two attention maps, and the selected tensor."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from core.contracts.text import EMPTY, Text, tr, tr_in
from gui.charts.matrix_page import MatrixPage
from gui.charts.token_map import TokenMap
from gui.pages.decoder.flow_diagram import FlowDiagram
from gui.pages.decoder.token_strip import TokenStrip
from gui.translation import show_text
from gui.widgets.badge import ProvenanceBadge
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.segments import Segments
from gui.zoom import Px

CHANGE, GRADIENT, COST = range(3)
_COMBO_PX = Px(186)
_LENSES = (tr("Token change"), tr("Gradient"), tr_in("highlights of the decoder", "Parameters"))


class BadgedStrip(QWidget):
    """The tokens, with the provenance of the last row."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.strip, self.badge = TokenStrip(hint=tr("Click a token to replace it.")), ProvenanceBadge()
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 8, 5)
        line.addWidget(self.strip, 1)
        line.addWidget(self.badge, 0, Qt.AlignmentFlag.AlignBottom)


class LensedDiagram(QWidget):
    """The diagram with a choice of highlights."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.lenses = Segments(_LENSES)
        self.diagram = FlowDiagram(tr("The block appears here once the parameters are valid."))
        _column(self, self.lenses, self.diagram)


class TitledMap(QWidget):
    """A token map under its name and the title of its current page."""

    def __init__(self, empty: Text, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.map = TokenMap(empty)
        self._name = EMPTY
        self._title = FittedLabel()
        _column(self, self._title, self.map)

    @property
    def title(self) -> str:
        return self._title.text()

    def set_pages(self, name: Text, pages: Sequence[MatrixPage]) -> None:
        self._name = name
        self.map.set_pages(pages)
        self._write()

    def show_page(self, index: int) -> None:
        self.map.show_page(index)
        self._write()

    def _write(self) -> None:
        page = self.map.page
        if page is None:
            self._title.set_wordings(self._name)
        else:
            self._title.set_wordings(f"{self._name} · {page.title}", page.title)


class AttentionPair(QWidget):
    """Self-attention and cross-attention side by side."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.self_attention = TitledMap(tr("The mask appears here once the parameters are valid."))
        self.cross_attention = TitledMap(tr("Without both an encoder and a decoder there is no cross-attention."))
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(10)
        line.addWidget(self.self_attention, 1)
        line.addWidget(self.cross_attention, 1)


class TensorView(QWidget):
    """One tensor as a heatmap. `node_chosen` carries the id of the tensor that the user chose from the list."""

    node_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.map = TokenMap(tr("Run (F5) to see the tensors. Click a box or an arrow in the diagram to choose one."))
        self.combo = QComboBox()
        show_text(self.combo.setAccessibleName, tr("The tensor to show"))
        self.combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        show_text(
            self.combo.setToolTip, tr("The tensor to show; clicking a box or an arrow in the diagram selects it too")
        )
        self.combo.setMinimumWidth(_COMBO_PX)
        self._facts = _small_label()
        bar = QHBoxLayout()
        bar.setSpacing(8)
        bar.addWidget(self.combo)
        bar.addWidget(self._facts, 1)
        _column(self, bar, self.map)
        self.combo.currentIndexChanged.connect(lambda _: self.node_chosen.emit(self.node))

    def sizeHint(self) -> QSize:
        return QSize(300, 150)

    @property
    def node(self) -> str:
        return str(self.combo.currentData() or "")

    def set_nodes(self, nodes: Sequence[tuple[str, str]]) -> None:
        """The tensors to choose from: id and name. The current choice stays if it is still there."""
        shown = [(self.combo.itemData(index), self.combo.itemText(index)) for index in range(self.combo.count())]
        if shown == list(nodes):
            return
        kept = self.node
        self.combo.blockSignals(True)
        self.combo.clear()
        for node_id, name in nodes:
            self.combo.addItem(name, node_id)
        self.combo.setCurrentIndex(max(0, self.combo.findData(kept)))
        self.combo.blockSignals(False)

    def choose(self, node_id: str) -> None:
        """Choose a tensor, silently."""
        self.combo.blockSignals(True)
        self.combo.setCurrentIndex(max(0, self.combo.findData(node_id)))
        self.combo.blockSignals(False)

    def set_facts(self, text: str) -> None:
        self._facts.setText(text)
        show_text(self._facts.setToolTip, text)


def _small_label() -> QLabel:
    label = QLabel()
    label.setProperty("role", "small")
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return label


def _column(owner: QWidget, top: QHBoxLayout | QWidget, below: QWidget) -> None:
    column = QVBoxLayout(owner)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(3)
    if isinstance(top, QWidget):
        column.addWidget(top)
    else:
        column.addLayout(top)
    column.addWidget(below, 1)
