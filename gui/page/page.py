"""The base of every page: it owns the plan and the result, and frames the pictures that draw them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Generic

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QWidget

from core import language
from core.contracts.claims import Finding
from core.contracts.params import Params
from core.contracts.result import Message, Result
from core.contracts.text import EMPTY, Text, sentences, tr, tr_in
from core.contracts.topic import Topic
from core.run_files import SavedRun
from gui import translation
from gui.page.banner import Banner
from gui.page.card_spec import CardSpec, Strip
from gui.page.claims import ClaimsPanel
from gui.page.history import HistoryPanel
from gui.page.log import LogPanel
from gui.page.notes import NotesPanel
from gui.page.number_table import NumberTable
from gui.page.page_frame import lay_out
from gui.page.pinned_bar import PinnedBar
from gui.page.recorded_bar import RecordedBar
from gui.page.selected_views import SelectedViews
from gui.page.selection import Selection, SelectionModel
from gui.page.side_panel import SidePanel
from gui.page.source import SourceView
from gui.page.stage import Stage
from gui.page.state import P, PageState, R
from gui.page.tabs import TabsBelow
from gui.translation import show_text
from gui.widgets.data_table import DataTable, table_of
from gui.widgets.empty_sentence import EmptySentence
from gui.widgets.scroll import VerticalScroll


class Page(QWidget, Generic[P, R]):
    """A topic's view. A subclass declares its pictures in `build` and draws `self.state` in `draw`.

    A page never computes and never runs anything: the controller calls it with plans and results, which it keeps.
    Views that pick something call `self.selection.update(...)`; `select` is called when the selection changed, and
    after every `draw`. `presented` carries a finished run that is in view now. `set_provenance` of a card gives the
    provenance of its numbers; whether it is stale is derived.
    """

    params_changed = Signal(object)
    presented = Signal(object)
    run_requested = Signal(str)
    cancel_requested = Signal()
    restart_requested = Signal()
    withdraw_requested = Signal()
    pin_requested = Signal(bool)
    came_into_view = Signal()

    def __init__(self, topic: Topic, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.topic = topic
        self.state: PageState[P, R] | None = None
        self.selection = SelectionModel(self)
        self.banner, self.recorded, self.pinned_bar = Banner(), RecordedBar(), PinnedBar()
        self._pinned: PageState[P, R] | None = None
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
        self.awaits_run = False
        """Whether the run that it opens with is being read: what a run would show says nothing until then."""
        self._drawn_in = language.current()
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)  # its keys work from anywhere in it, and Tab goes to its parts
        show_text(self.setAccessibleName, topic.title)
        self._lay_out()
        self._connect()
        for part in self.build():
            self.stage.place(part)
        self.link()
        self.views_in_front = SelectedViews(self, self.selection)
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

    def open_dropped(self, path: str) -> bool:
        """Open a file or folder that was dropped on the window and is no saved run. False where it is nothing for this
        page."""
        return False

    def _redraw(self, state: PageState[P, R]) -> None:
        before = None if self.state is None else self.state.result
        self.state = state = replace(state, pinned=self._pinned)
        if state.result is not before:
            self.draw_result(state.result)
        self.draw(state)
        self._show_selection(self.selection.selection)
        self.stage.set_outdated(state.outdated)
        self.lower.set_outdated(state.outdated)
        self.pinned_bar.compare_with(state.form_params if state.result is None else state.result.params)

    def _draw_anew(self) -> None:
        """Plan and run are the same, and something else has changed that every picture shows."""
        if self.state is not None:
            self.draw_result(self.state.result)
            self._redraw(self.state)

    # What the controller calls.

    @property
    def drawing(self) -> bool:
        """Whether something is still being drawn on another thread: a screenshot waits for it."""
        return False

    @property
    def of_a(self) -> R | None:
        """The run that is pinned as A, for pictures that draw it behind the one in view."""
        return None if self.state is None else self.state.of_a

    @property
    def params(self) -> Params:
        """The last valid parameters of the form."""
        return self.form.params

    def show_origin(self, recorded: SavedRun | None) -> None:
        """Whether what is presented from now on is a recorded run, with its environment, or one of this machine."""
        self.recorded.show_run(recorded)

    def await_run(self, awaits_run: bool) -> None:
        """Whether the run that the page opens with is being read; no longer where there is none."""
        if awaits_run == self.awaits_run:
            return
        self.awaits_run = awaits_run
        self.claims.hold_back(awaits_run)
        for sentence in self.findChildren(EmptySentence):
            sentence.update()

    @property
    def printed_tables(self) -> list[DataTable]:
        """What is printed beside the pictures, which cannot be scrolled on paper: parameters, claims, numbers."""
        parameters = self.params.model_dump(mode="json")
        numbers = self.numbers.data_table()
        return [
            table_of({"parameter": parameters, "value": map(str, parameters.values())}),
            self.claims.data_table(),
            *([] if numbers is None else [numbers]),
        ]

    def present(self, result: Result, findings: Mapping[str, Finding]) -> None:
        """Show a finished run everywhere: plots, claims, numbers, source, and its messages."""
        self.await_run(False)
        self.show_result(result)
        self.claims.show_findings(findings)
        tested = tr("Claims {tested}/{total}", tested=self.claims.tested(), total=len(self.topic.claims))
        show_text(self.tabs.setTabText, 0, tested)
        self.numbers.set_metrics(self.recorded.metrics_of(result))
        self.source.set_sources(result.sources)
        self.source.annotate_bytes(result.lines)
        self._announce(result.notices)
        self.presented.emit(result)

    def show_pinned(self, saved: SavedRun | None, plan: P | None = None) -> None:
        """Compare the next runs with this one, A; `plan` is that of its parameters. None compares with nothing."""
        self._pinned = None if saved is None or plan is None else PageState(saved.result.params, plan, saved.result)
        self.pinned_bar.show_pinned(saved)
        self.numbers.set_pinned(None if saved is None else saved.result.metrics)
        if self.state is not None:
            self.state = replace(self.state, pinned=self._pinned)
            self._draw_anew()

    def withdraw(self) -> None:
        """Remove the run: the page is as before its first run."""
        self.show_origin(None)
        self.clear_result()
        self.claims.show_findings({})
        show_text(self.tabs.setTabText, 0, tr("Claims"))
        self.numbers.set_metrics({})
        self.source.set_sources([])
        self._announce(())

    def show_started(self, phase: Text | str) -> None:
        self.await_run(False)
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

    def _retranslate(self) -> None:
        """Draw in the new language: at once where the page is in view, else when it is shown."""
        self._drawn_in = language.current() if self.isVisible() else ""
        if self._drawn_in:
            self._draw_anew()

    def showEvent(self, event: QShowEvent) -> None:
        if self._drawn_in != language.current():
            self._retranslate()
        super().showEvent(event)
        self.came_into_view.emit()

    def _connect(self) -> None:
        self.form.changed.connect(self.params_changed)
        self.form.validity_changed.connect(self.run_bar.set_valid)
        self.run_bar.run_requested.connect(self.run_requested)
        self.run_bar.cancel_requested.connect(self.cancel_requested)
        self.source.line_picked.connect(lambda function, line: self.selection.update(function=function, line=line))
        self.selection.changed.connect(self._select)
        self.banner.dismissed.connect(self.form.clear_problem)
        self.banner.restart_requested.connect(self.restart_requested)
        self.recorded.closed.connect(self.withdraw_requested)
        self.pinned_bar.unpin_requested.connect(lambda: self.pin_requested.emit(False))
        self.numbers.pin_requested.connect(self.pin_requested)

    def _select(self, selection: Selection) -> None:
        function = selection.get("function")
        line = selection.get("line")
        self.source.pick(function if isinstance(function, str) else None, line if isinstance(line, int) else None)
        self._show_selection(selection)

    def _show_selection(self, selection: Selection) -> None:
        self.views_in_front.show(selection)
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
        lay_out(self, self.topic, (self.recorded, self.pinned_bar, self.banner), self.lower, self.side)
