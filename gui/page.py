"""The skeleton that every page fills: header, plots, parameters and run bar, and the tabs below."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSplitter, QTabWidget, QVBoxLayout, QWidget

from core.params import Params
from core.result import Provenance, Result
from core.text import Language
from core.topic import Topic
from gui.panels.banner import Banner
from gui.panels.card import Card
from gui.panels.plot_grid import PlotGrid
from gui.selection import Selection, SelectionModel


class Page(QWidget):
    """A topic's view. A subclass declares its plots in `build` and draws in the `show_*` methods.

    A page never computes and never runs anything: the controller calls it with plans and results. Views that pick
    something call `self.selection.update(...)`; `select` is called when the selection changed.
    """

    def __init__(self, topic: Topic, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.topic = topic
        self.selection = SelectionModel(self)
        self.banner = Banner()
        self.plots = PlotGrid()
        self.tabs = QTabWidget()
        self._title = QLabel()
        self._title.setProperty("role", "heading")
        self._question = QLabel()
        self._question.setProperty("role", "question")
        self._strips = QVBoxLayout()
        self._lay_out()
        self.set_language("en")
        self.build()
        self.selection.changed.connect(self.select)

    # What a page declares and draws

    def build(self) -> None:
        """Create the plots: `add_strip` and `add_plot`, and connect them to `self.selection`."""

    def show_plan(self, plan: Any, params: Params) -> None:
        """Draw what is known without a run. Called at up to 60 Hz while a slider moves."""

    def show_partial(self, payload: dict[str, Any]) -> None:
        """Draw a result in the making."""

    def show_result(self, result: Result) -> None:
        """Draw a finished run."""

    def clear_result(self) -> None:
        """Forget the run that is drawn: back to what the plan shows."""

    def select(self, selection: Selection) -> None:
        """Show the selection in every view."""

    def step(self, delta: int) -> None:
        """Move `delta` steps in what is played (left and right arrow)."""

    def toggle_play(self) -> None:
        """Play or pause (space)."""

    # What a page calls

    def add_plot(
        self,
        widget: QWidget,
        row: int,
        column: int,
        title: str,
        help: str = "",
        *,
        provenance: Provenance | None = None,
        width: int = 1,
        height: int = 1,
    ) -> Card:
        """Frame a plot and place it. `width` is its share of the row and `height` the row's share of the grid."""
        card = Card(widget, title, help)
        card.set_provenance(provenance)
        self.plots.add(card, row, column, width=width, height=height)
        return card

    def add_strip(self, widget: QWidget) -> None:
        """Place a thin widget of its own height above the plots, across the whole page."""
        frame = QFrame()
        frame.setProperty("role", "strip")
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(1, 1, 1, 1)
        layout.addWidget(widget)
        self._strips.addWidget(frame)

    def set_language(self, language: Language) -> None:
        """Title and question in that language."""
        self._title.setText(self.topic.title.in_language(language))
        self._question.setText(self.topic.question.in_language(language))

    def _lay_out(self) -> None:
        header = QHBoxLayout()
        header.setContentsMargins(2, 0, 0, 0)
        header.setSpacing(12)
        header.addWidget(self._title)
        header.addWidget(self._question)
        header.addStretch(1)
        self._strips.setContentsMargins(0, 0, 0, 0)
        upper = QWidget()
        centre = QVBoxLayout(upper)
        centre.setContentsMargins(0, 0, 0, 0)
        centre.addLayout(self._strips)
        centre.addWidget(self.plots, 1)
        self._vertical = QSplitter(Qt.Orientation.Vertical)
        self._vertical.addWidget(upper)
        self._vertical.addWidget(self.tabs)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 8, 12, 0)
        layout.addLayout(header)
        layout.addWidget(self.banner)
        layout.addWidget(self._vertical, 1)
