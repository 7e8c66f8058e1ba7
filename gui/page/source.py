"""The source and the TTIR of the kernels, one tab per kernel. Picking a line selects it everywhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from PySide6.QtCore import Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QStackedWidget, QTabBar, QVBoxLayout, QWidget

from core.contracts.result import KernelSource, LineTraffic
from core.contracts.text import Text, tr, verbatim
from core.format import format_quantity
from core.outside import shown_label
from gui.translation import show_text
from gui.widgets.code_view import CodeView
from gui.widgets.empty_sentence import EmptySentence

_FORMS = ("Triton", "TTIR")


class SourceView(QWidget):
    """`line_picked` carries function and line number of the file."""

    line_picked = Signal(str, int)

    def __init__(self, empty: Text | str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._empty_text = empty or tr("Run to see the kernels that ran.")
        self._sources: list[KernelSource] = []
        self._views: dict[tuple[str, str], CodeView] = {}
        self._picked: tuple[str | None, int | None] = None, None
        self._annotations: dict[str, Mapping[int, str]] = {}
        self.kernels = QTabBar()
        self.kernels.setExpanding(False)
        self.kernels.setDrawBase(False)
        show_text(self.kernels.setAccessibleName, tr("Kernel shown"))
        self.forms = {name: QPushButton(name) for name in _FORMS}
        self._file = QLabel()
        self._file.setProperty("role", "small")
        self._stack = QStackedWidget()
        self._lay_out()
        self.kernels.currentChanged.connect(self._show_current)
        self.set_sources([])

    def set_sources(self, sources: Sequence[KernelSource]) -> None:
        """One tab per kernel function."""
        if list(sources) == self._sources and self._views:
            return
        chosen = self.function
        self._sources = list(sources)
        self._annotations = {}
        for view in self._views.values():
            self._stack.removeWidget(view)
            view.deleteLater()
        self._views = {}
        self.kernels.blockSignals(True)
        while self.kernels.count():
            self.kernels.removeTab(0)
        for source in self._sources:
            self.kernels.addTab(shown_label(f"{source.kernel} · {source.function}"))
        self.kernels.blockSignals(False)
        for part in (self.kernels, *self.forms.values()):
            part.setVisible(bool(self._sources))
        self._select_function(chosen)
        self._show_current()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._show_current()

    def annotate_bytes(self, lines: Sequence[LineTraffic]) -> None:
        """Show the bytes moved beside each line of each function."""
        moved: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        for traffic in lines:
            moved[traffic.function][traffic.line] += traffic.bytes
        for function, by_line in moved.items():
            self.set_annotations(function, {line: format_quantity(size, "bytes") for line, size in by_line.items()})

    def set_annotations(self, function: str, annotations: Mapping[int, str]) -> None:
        """Show short texts beside the lines of one kernel, by line number."""
        self._annotations[function] = annotations
        view = self._views.get((function, "Triton"))
        if view is not None:
            view.set_annotations(annotations)

    def pick(self, function: str | None, line: int | None) -> None:
        """Show a line of a kernel that another view selected. Emits no signal."""
        if function is not None:
            self._select_function(function)
            self.forms["Triton"].setChecked(True)
            self._show_current()
        self._picked = function, line
        for (name, form), view in self._views.items():
            is_picked = form == "Triton" and (function is None or name == function)
            if view.picked_line != (line if is_picked else None):
                view.pick(line if is_picked else None)

    @property
    def function(self) -> str:
        """The kernel in view, '' when there is none."""
        index = self.kernels.currentIndex()
        return self._sources[index].function if 0 <= index < len(self._sources) else ""

    @property
    def current_view(self) -> CodeView | None:
        shown = self._stack.currentWidget()
        return shown if isinstance(shown, CodeView) else None

    def _select_function(self, function: str) -> None:
        names = [source.function for source in self._sources]
        if function in names and function != self.function:
            self.kernels.blockSignals(True)
            self.kernels.setCurrentIndex(names.index(function))
            self.kernels.blockSignals(False)

    def _show_current(self) -> None:
        if not self._sources:
            self._stack.setCurrentWidget(self._nothing)
            show_text(self._file.setText, "")
            return
        if not self.isVisible():
            return  # colouring takes time, and usually another tab is in front
        source = self._sources[max(0, self.kernels.currentIndex())]
        form = next(name for name, button in self.forms.items() if button.isChecked())
        key = (source.function, form)
        if key not in self._views:
            self._views[key] = self._make(source, form)
            self._stack.addWidget(self._views[key])
        self._stack.setCurrentWidget(self._views[key])
        place = verbatim(f"{source.file}:{source.first_line}")
        show_text(self._file.setText, place if form == "Triton" else tr("target-independent IR"))

    def _make(self, source: KernelSource, form: str) -> CodeView:
        if form == "TTIR":
            return CodeView(source.ttir, 1, "llvm")
        view = CodeView(source.text, source.first_line, "python")
        view.set_annotations(self._annotations.get(source.function, {}))
        function, line = self._picked
        view.pick(line if function in (None, source.function) else None)
        view.line_picked.connect(lambda line: self.line_picked.emit(source.function, line))
        return view

    def _lay_out(self) -> None:
        self._nothing = EmptySentence(self._empty_text)
        self._nothing.setProperty("role", "empty")
        self._stack.addWidget(self._nothing)
        bar = QHBoxLayout()
        bar.setContentsMargins(8, 0, 8, 2)
        bar.setSpacing(0)
        bar.addWidget(self.kernels)
        bar.addStretch(1)
        bar.addWidget(self._file)
        bar.addSpacing(12)
        for index, button in enumerate(self.forms.values()):
            button.setCheckable(True)
            button.setAutoExclusive(True)
            button.setProperty("role", "segment")
            button.setProperty("place", ("first", "last")[index])
            button.setMinimumWidth(64)
            button.toggled.connect(lambda on: self._show_current() if on else None)
            bar.addWidget(button)
        self.forms["Triton"].blockSignals(True)
        self.forms["Triton"].setChecked(True)
        self.forms["Triton"].blockSignals(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(bar)
        layout.addWidget(self._stack, 1)
