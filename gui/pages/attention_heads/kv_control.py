"""The choice of the attention: its scheme, and the number of KV heads on a slider from all heads down to one."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QSlider, QWidget

from core.contracts.text import Text, tr
from core.topics.attention_heads.params import GQA, MHA, MLA, MODEL, MQA
from gui.translation import show_text
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.keyboard_nav import keeps_arrows
from gui.widgets.segments import Segments
from gui.zoom import Px

SCHEMES = (MODEL, MHA, GQA, MQA, MLA)
_SLIDER_PX = Px(40)
_SHARES = (2, 3)
"""How slider and label share the width that the buttons leave."""


class KvControl(QWidget):
    """`scheme_chosen` carries an id of the params' attention, `kv_heads_chosen` a number of KV heads."""

    scheme_chosen = Signal(str)
    kv_heads_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._numbers: tuple[int, ...] = (1,)
        self._wordings: tuple[Text | str, ...] = ()
        self.schemes = Segments([tr("as the model"), "MHA", "GQA", "MQA", "MLA"])
        self.slider, self.label = _Slider(), FittedLabel()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(self.schemes)
        row.addWidget(self.slider, _SHARES[0])
        row.addWidget(self.label, _SHARES[1])
        self.schemes.chosen.connect(lambda index: self.scheme_chosen.emit(SCHEMES[index]))
        self.slider.valueChanged.connect(lambda place: self.kv_heads_chosen.emit(self._numbers[place]))

    def show_choice(self, scheme: str, numbers: Sequence[int], kv_heads: int | None) -> None:
        """Show a scheme, and the number of KV heads among those that are possible, from all heads down to one; None
        without KV heads. Emits no signal."""
        self._numbers = tuple(numbers)
        with QSignalBlocker(self.schemes):
            self.schemes.choose(SCHEMES.index(scheme))
        with QSignalBlocker(self.slider):
            self.slider.setRange(0, len(numbers) - 1)
            if kv_heads in self._numbers:
                self.slider.setValue(self._numbers.index(kv_heads))
        self.slider.setEnabled(kv_heads is not None and len(numbers) > 1)
        wordings = (
            (tr("no KV heads"), "—")
            if kv_heads is None
            else (
                tr("{kv_heads} of {heads} KV heads", kv_heads=kv_heads, heads=numbers[0]),
                f"{kv_heads} / {numbers[0]}",
            )
        )
        if wordings != self._wordings:  # a label with a new text lays out the card
            self._wordings = wordings
            self.label.set_wordings(*wordings)


class _Slider(QSlider):
    """Keeps the arrow keys, which otherwise step the page."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setMinimumWidth(_SLIDER_PX)
        self.setPageStep(1)
        show_text(self.setAccessibleName, tr("Number of KV heads, from all query heads down to one"))
        show_text(self.setToolTip, tr("Number of KV heads, from all query heads down to one"))

    def event(self, event: QEvent) -> bool:
        return keeps_arrows(event) or super().event(event)
