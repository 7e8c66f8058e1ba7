"""What a page says while a run is pinned as A: where it was made, and which of its parameters are different."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from core.contracts.params import FieldSpec, Params, Scalar
from core.contracts.text import Text, listed, sentences, tr
from core.outside import shown_name
from core.run_differences import different_params
from core.run_files import SavedRun
from core.run_files.wording import environment_lines, started
from gui.translation import show_text
from gui.widgets.fitted_label import FittedLabel


class PinnedBar(QFrame):
    """Hidden until a run is pinned. `unpin_requested` is emitted when the user no longer wants to compare."""

    unpin_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "strip")
        self._saved: SavedRun | None = None
        mark, self.label, self.unpin = QLabel("A"), FittedLabel(), QPushButton()
        mark.setProperty("role", "title")
        show_text(self.unpin.setText, tr("Unpin A"))
        self.unpin.clicked.connect(self.unpin_requested)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 3, 4, 3)
        layout.setSpacing(8)
        layout.addWidget(mark)
        layout.addWidget(self.label, 1, Qt.AlignmentFlag.AlignVCenter)
        layout.addWidget(self.unpin)
        self.hide()

    @property
    def saved(self) -> SavedRun | None:
        """The run that is pinned."""
        return self._saved

    def show_pinned(self, saved: SavedRun | None) -> None:
        """Name the pinned run; None hides the bar."""
        self._saved = saved
        self.setVisible(saved is not None)

    def compare_with(self, params: Params) -> None:
        """List the parameters that B, or the form before B is run, has otherwise."""
        if self._saved is None:
            return
        where = tr("Pinned: {device}, {time}.", device=self._saved.environment.device, time=started(self._saved))
        changed = different_params(self._saved.result.params, params)
        difference = tr("B has other parameters: {changes}.", changes=listed(map(_change, changed)))
        what = difference if changed else tr("B has the same parameters.")
        self.label.set_wordings(sentences(where, what), what)
        show_text(self.label.setToolTip, sentences(environment_lines(self._saved), what))


def _change(change: tuple[FieldSpec, Scalar, Scalar]) -> Text:
    spec, a, b = change
    return tr("{name} {a} → {b}", name=spec.name, a=_value(a), b=_value(b))


def _value(value: Scalar) -> str:
    return shown_name(str(value), 40) or "''"
