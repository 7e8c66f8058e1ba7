"""The base of every page: it owns the plan and the result, and frames the pictures that draw them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Generic

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from core import language
from core.contracts.claims import Finding
from core.contracts.params import Params
from core.contracts.result import Message, Result
from core.contracts.text import EMPTY, Text, sentences, tr, tr_in
from core.contracts.topic import Topic
from gui import translation
from gui.page.banner import Banner
from gui.page.card_spec import CardSpec, Strip
from gui.page.claims import ClaimsPanel
from gui.page.history import HistoryPanel
from gui.page.log import LogPanel
from gui.page.notes import NotesPanel
from gui.page.number_table import NumberTable
from gui.page.page_layout import is_layout
from gui.page.selection import Selection, SelectionModel
from gui.page.side_panel import SidePanel
from gui.page.source import SourceView
from gui.page.stage import Stage
from gui.page.state import P, PageState, R
from gui.page.tabs import TabsBelow
from gui.translation import show_text
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.scroll import VerticalScroll

_SIDE_PX = 304


class Page(QWidget, Generic[P, R]):
    """A topic's view. A subclass declares its pictures in `build` and draws `self.state` in `draw`.

    A page never computes and never runs anything: the controller calls it with plans and results, which it keeps.
    Views that pick something call `self.selection.update(...)`; `select` is called when the selection changed, and
    after every `draw`. `set_provenance` of a card gives the provenance of its numbers; whether it is stale is derived.
    """

    params_changed = Signal(object)
    run_requested = Signal(str)
    cancel_requested = Signal()
    restart_requested = Signal()

    def __init__(self, topic: Topic, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.topic = topic
        self.state: PageState[P, R] | None = None
        self.selection = SelectionModel(self)
        self.banner = Banner()
        self.stage = Stage()
        self.plots, self.cards = self.stage.grid, self.stage.cards
        self.side = SidePanel(topic.params)
        self.form, self.run_bar = self.side.form, self.side.run_bar
        self.claims = ClaimsPanel(topic.claims)
        self.notes = NotesPanel(topic.id)
        self.source = SourceView()
        self.numbers = NumberTable()
        self.history = HistoryPanel()
        self.log = LogPanel()
        self._warned = EMPTY
        self._drawn_in = language.current()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._lay_out()
        self._connect()
        for part in self.build():
            self.stage.place(part)
        self.link()
        translation.notifier().changed.connect(self._retranslate)

    # What a page declares and draws. A subclass overrides these.

    def build(self) -> Sequence[Strip | CardSpec]:
        """Create the pictures, and declare where they are: strips above, cards in a grid (`self.cards` by key)."""
        raise NotImplementedError

    def link(self) -> None:
        """Connect the pictures to `self.selection`. Called once the cards are in place."""

    def draw(self, state: PageState[P, R]) -> None:
        """Draw what depends on the plan, and what the run adds. Called at up to 60 Hz while a slider moves."""

    def draw_result(self, result: R | None) -> None:
        """Draw what depends on the run alone. Called before `draw` when the result changed; None clears it."""

    def show_plan(self, plan: P, params: Params) -> None:
        """Show the plan of the form's parameters."""
        self._redraw(PageState(params, plan, None if self.state is None else self.state.result))

    def keep_plan(self, form: Params) -> None:
        """The form's parameters have no plan: the pictures stay, marked as those of other parameters."""
        if self.state is not None:
            self._redraw(replace(self.state, form=form))

    def show_partial(self, result: R) -> None:
        """Show a result that is not complete yet."""
        self.show_result(result)

    def show_result(self, result: R) -> None:
        """Show the result of a finished run."""
        if self.state is None:
            self._redraw(PageState(result.params, self.topic.plan(result.params), result))
        else:
            self._redraw(replace(self.state, result=result))

    def clear_result(self) -> None:
        """Forget the run, and show the plan alone."""
        if self.state is not None:
            self._redraw(replace(self.state, result=None))

    def select(self, selection: Selection) -> None:
        """Show the selection in every plot. The source view shows it by itself."""

    def step(self, delta: int) -> None:
        """Move the player of the page by `delta` steps (left and right arrow)."""

    def toggle_play(self) -> None:
        """Play or pause (space)."""

    def _redraw(self, state: PageState[P, R]) -> None:
        before = None if self.state is None else self.state.result
        self.state = state
        if state.result is not before:
            self.draw_result(state.result)
        self.draw(state)
        self.select(self.selection.selection)
        self.stage.set_outdated(state.outdated)

    # What the controller calls.

    @property
    def drawing(self) -> bool:
        """Whether something is still being drawn on another thread: a screenshot waits for it."""
        return False

    @property
    def params(self) -> Params:
        """The last valid parameters of the form."""
        return self.form.params

    def present(self, result: Result, findings: Mapping[str, Finding]) -> None:
        """Show a finished run everywhere: plots, claims, numbers, source, and its messages."""
        self.show_result(result)
        self.claims.show_findings(findings)
        tested = tr("Claims {tested}/{total}", tested=self.claims.tested(), total=len(self.topic.claims))
        show_text(self.tabs.setTabText, 0, tested)
        self.numbers.set_metrics(result.metrics)
        self.source.set_sources(result.sources)
        self.source.annotate_bytes(result.lines)
        self._announce(result.messages)

    def withdraw(self) -> None:
        """Remove the run: the page is as before its first run."""
        self.clear_result()
        self.claims.show_findings({})
        show_text(self.tabs.setTabText, 0, tr("Claims"))
        self.numbers.set_metrics({})
        self.source.set_sources([])
        self._announce(())
        self.run_bar.show_ended(tr("Not run yet"), completed=False)

    def show_started(self, phase: Text | str) -> None:
        self.banner.hide()
        self.run_bar.show_started(phase)

    def show_progress(self, done: float, total: float, phase: Text | str) -> None:
        self.run_bar.show_progress(done, total, phase)

    def show_ended(self, phase: Text | str, *, completed: bool) -> None:
        self.run_bar.show_ended(phase, completed=completed)

    def show_error(
        self, sentence: Text | str, detail: str = "", field: str | None = None, *, offers_restart: bool = False
    ) -> None:
        """Show the sentence in the banner, highlight the field that it names, and log the details."""
        if str(sentence) != self.banner.sentence:
            self.log.append(f"{sentence}\n{detail}" if detail else str(sentence))
        self.banner.show_error(sentence, detail, offers_restart=offers_restart)
        if field is not None:
            self.form.show_problem(sentence, field)

    def clear_error(self) -> None:
        """Clear the error: it has been corrected."""
        self.banner.hide()
        self.form.clear_problem()

    def append_log(self, text: str) -> None:
        self.log.append(text)

    # What the window calls.

    def dismiss(self) -> bool:
        """Escape: cancel the run, else close the banner, else restore a maximised card. False if none applies."""
        if self.run_bar.running:
            self.run_bar.request_cancel()
        elif self.banner.sentence:
            self.banner.dismiss()
        elif self.plots.maximised is not None:
            self.plots.maximise(None)
        else:
            return False
        return True

    def save_state(self) -> dict[str, Any]:
        """What is remembered between sessions: JSON values only."""
        return {
            "params": self.form.params.model_dump(mode="json"),
            "plots": self.plots.save_state(),
            "vertical": self.lower.save_sizes(),
            "tab": self.tabs.currentIndex(),
            "tabs_open": self.lower.chosen,
            "side": not self.side.isHidden(),
            "device": self.run_bar.device.currentText(),
        }

    def restore_layout(self, state: Mapping[str, Any]) -> None:
        """Restore the layout from `save_state`; one of other types is ignored as a whole. The caller restores the
        parameters, or shows others."""
        if not is_layout(state):
            return
        self.plots.restore_state(state.get("plots", []))
        self.lower.restore_sizes(state.get("vertical", []))
        self.tabs.setCurrentIndex(state.get("tab", 0))
        self.lower.set_open(state.get("tabs_open"))
        self.run_bar.device.setCurrentText(state.get("device", "auto"))
        if not state.get("side", True):
            self.side.hide()

    def _retranslate(self) -> None:
        """Draw in the new language: at once where the page is in view, else when it is shown."""
        self._drawn_in = language.current() if self.isVisible() else ""
        if self._drawn_in and self.state is not None:
            self.draw_result(self.state.result)
            self._redraw(self.state)

    def showEvent(self, event: QShowEvent) -> None:
        if self._drawn_in != language.current():
            self._retranslate()
        super().showEvent(event)

    def _connect(self) -> None:
        self.form.changed.connect(self.params_changed)
        self.form.validity_changed.connect(self.run_bar.set_valid)
        self.run_bar.run_requested.connect(self.run_requested)
        self.run_bar.cancel_requested.connect(self.cancel_requested)
        self.source.line_picked.connect(lambda function, line: self.selection.update(function=function, line=line))
        self.selection.changed.connect(self._select)
        self.banner.dismissed.connect(self.form.clear_problem)
        self.banner.restart_requested.connect(self.restart_requested)

    def _select(self, selection: Selection) -> None:
        function = selection.get("function")
        line = selection.get("line")
        self.source.pick(function if isinstance(function, str) else None, line if isinstance(line, int) else None)
        self.select(selection)

    def _announce(self, messages: Sequence[Message]) -> None:
        """Show the messages of a run: all in the log, warnings in the banner too."""
        for message in messages:
            severity = tr("Warning") if message.severity == "warning" else tr("Notice")
            self.log.append(str(tr("{severity}: {text}", severity=severity, text=message.text)))
        warned = sentences(*(message.text for message in messages if message.severity == "warning"))
        if warned:
            self.banner.show_error(warned)
        elif self._warned and self.banner.sentence == str(self._warned):
            self.banner.hide()
        self._warned = warned

    def _lay_out(self) -> None:
        self._title = QLabel()
        show_text(self._title.setText, self.topic.title)
        self._title.setProperty("role", "heading")
        self._question = FittedLabel(self.topic.question, role="question")
        header = QHBoxLayout()
        header.setContentsMargins(2, 0, 0, 0)
        header.setSpacing(12)
        header.addWidget(self._title)
        header.addWidget(self._question, 1, Qt.AlignmentFlag.AlignBottom)
        panels = (
            (tr("Claims"), self.claims),
            (tr("Notes"), self.notes),
            (tr_in("tab", "Source"), self.source),
            (tr("Numbers"), self.numbers),
            (tr("History"), self.history),
            (tr("Log"), self.log),
        )
        self.lower = TabsBelow(VerticalScroll(self.stage), panels)
        self.tabs = self.lower.tabs
        centre = QVBoxLayout()
        centre.setContentsMargins(12, 8, 12, 8)
        centre.setSpacing(8)
        centre.addLayout(header)
        centre.addWidget(self.banner)
        centre.addWidget(self.lower, 1)
        self.side.setFixedWidth(_SIDE_PX)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(centre, 1)
        layout.addWidget(self.side)
