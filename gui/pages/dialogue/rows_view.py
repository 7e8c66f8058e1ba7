"""The aligned rows with the switches of their tracks above, and what is known of the selected token below."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from core.contracts.text import EMPTY, Text, tr, tr_in
from gui import theme as themes
from gui.pages.dialogue import token_read_out
from gui.pages.dialogue.token_rows import TokenRows
from gui.pages.dialogue.token_source import TokenSource
from gui.pages.dialogue.tracks import TRACK_CHOICES
from gui.theme import Theme, mix
from gui.translation import show_text
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.legend import Entry, Legend
from gui.widgets.segments import Segments

ALONE, PACKED = range(2)
BY_TURN = "by_turn"
_AT_FIRST = ("attention", "loss")


class RowsView(QWidget):
    """`picked` carries a token that was clicked or walked to, -1 for none; `row_chosen` ALONE or PACKED."""

    picked = Signal(int)
    row_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows = TokenRows()
        self.rows.picked.connect(self.picked)
        self.which = Segments([tr("Conversation alone"), tr("In its packed row")])
        self.which.chosen.connect(self.row_chosen)
        self.switches: dict[str, QPushButton] = {}
        self.legend = Legend()
        self.facts, self.more = FittedLabel(), FittedLabel()
        self._lay_out()
        self._set_tracks()
        self.set_source(None)
        self._recolour(themes.current())
        themes.notifier().changed.connect(self._recolour)

    @property
    def source(self) -> TokenSource | None:
        return self.rows.source

    def set_source(self, source: TokenSource | None) -> None:
        """Show other tokens; None shows the empty state."""
        self.rows.set_source(source)
        has_loss = source is not None and source.loss is not None
        self.switches["loss"].setEnabled(has_loss)
        self._write(-1, ())

    def select(self, token: int, marked: NDArray[np.bool_] | None = None) -> None:
        """Select a token, -1 for none, and mark others. Emits no signal."""
        self.rows.select(token, marked)
        self._write(token, ())

    def tell_uses(self, uses: Sequence[Text]) -> None:
        """Say where else the selected token is a target."""
        self._write(self.rows.selected.token, uses)

    def walk(self, step: int) -> None:
        """Go to the next token (1) or the one before (-1), as the arrow keys do."""
        source = self.source
        if source is not None:
            self.picked.emit(min(len(source) - 1, max(0, self.rows.selected.token + step)))

    def _write(self, token: int, uses: Sequence[Text]) -> None:
        source = self.source
        if source is None or not 0 <= token < len(source):
            hint = tr("Click a token, or walk with the arrow keys, to see what is known of it.")
            self.facts.set_wordings(hint if source is not None else EMPTY)
            self.more.set_wordings()
            return
        facts = _joined(token_read_out.facts(source, token))
        self.facts.set_wordings(facts, _joined(token_read_out.facts(source, token)[:3]))
        seen, wrote = token_read_out.sight(source, token), token_read_out.origin(source, token)
        self.more.set_wordings(_joined([seen, *wrote, *uses]), _joined([seen, *uses]), _joined([*uses]) or seen)

    def _lay_out(self) -> None:
        bar = QHBoxLayout()
        bar.setContentsMargins(0, 0, 0, 0)
        bar.setSpacing(4)
        bar.addWidget(self.which)
        bar.addStretch(1)
        for key, label, help, _ in TRACK_CHOICES:
            bar.addWidget(self._switch(key, label, help))
        bar.addWidget(self._switch(BY_TURN, tr("By turn"), tr("Each message begins a line.")))
        said = QVBoxLayout()
        said.setContentsMargins(2, 0, 2, 0)
        said.setSpacing(0)
        said.addWidget(self.facts)
        said.addWidget(self.more)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        column.addLayout(bar)
        column.addWidget(self.rows, 1)
        column.addWidget(self.legend)
        column.addLayout(said)

    def _switch(self, key: str, label: Text, help: Text) -> QPushButton:
        button = QPushButton()
        button.setCheckable(True)
        button.setChecked(key in _AT_FIRST)
        button.setProperty("role", "segment")
        button.setProperty("place", "only")
        show_text(button.setText, label)
        show_text(button.setToolTip, help)
        button.toggled.connect(self._set_tracks)
        self.switches[key] = button
        return button

    def _set_tracks(self) -> None:
        wanted = [track for key, _, _, tracks in TRACK_CHOICES for track in tracks if self.switches[key].isChecked()]
        self.rows.set_tracks(wanted, by_turn=self.switches[BY_TURN].isChecked())

    def _recolour(self, theme: Theme) -> None:
        self.legend.set_entries(
            (
                Entry(tr_in("track", "target"), mix(theme.sunken, theme.good, 0.45)),
                Entry(tr("special token"), theme.border_strong, "outline"),
                Entry(tr("typed special token"), theme.bad, "outline"),
                Entry(tr("seen by the selected token; below: sees it"), theme.tiles["full"]),
                Entry(tr("in another document"), theme.bad),
            )
        )


def _joined(texts: Sequence[Text]) -> Text:
    """Facts side by side."""
    if not texts:
        return EMPTY
    first, *rest = texts
    return tr("{first} · {rest}", first=first, rest=_joined(rest)) if rest else first
