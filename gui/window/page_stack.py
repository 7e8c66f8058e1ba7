"""The pages of the window, one above the other: each is built on the first visit and kept."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QCoreApplication, QEvent, QTimer, Signal
from PySide6.QtWidgets import QLabel, QStackedWidget, QWidget

from core.contracts.errors import TilescopeError
from core.contracts.text import tr
from gui import theme
from gui.translation import show_text

if TYPE_CHECKING:
    from core.contracts.params import Params
    from core.contracts.topic import Topic
    from gui.page.controller import Controller
    from gui.page.engine_bridge import EngineBridge
    from gui.page.live import LiveMode
    from gui.page.page import Page
    from gui.window.history import HistoryKeeper
    from gui.window.open_page import OpenPage
    from gui.window.opening import Opening
    from gui.window.page_memory import KeptPage
    from gui.window.settings import Settings


class PageStack(QStackedWidget):
    """`page_classes` are 'module:class' by topic id. A page has the parameters, layout and selection of the last
    session, and a run of the history that fits. `page_built` carries each OpenPage once.

    Without a `keeper` of the history, pages open without a result, and run only when they are asked to.
    """

    page_built = Signal(object)

    def __init__(
        self,
        topics: Mapping[str, Topic],
        page_classes: Mapping[str, str],
        bridge: EngineBridge,
        settings: Settings,
        keeper: HistoryKeeper | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.topics = topics
        self._page_classes, self._bridge, self._settings, self._keeper = page_classes, bridge, settings, keeper
        self.opened: dict[str, OpenPage] = {}
        """The pages that were visited, by topic id."""
        self._kept: dict[str, KeptPage] = {}
        """Those that were put away, until they are visited again."""
        self._outgrown: set[str] = set()
        """Those that are put away once their run has ended."""
        bridge.run_event.connect(self._on_run_event)

    @cached_property
    def live(self) -> LiveMode:
        """Made with the first page, or when a run could first begin: after the first paint."""
        from gui.page.live import LiveMode

        live = LiveMode(self._bridge, enabled=self._settings.live, parent=self)
        live.toggled.connect(self._remember_live)
        if self._keeper is not None:
            self._keeper.timings_read.connect(live.learn)
        return live

    @property
    def current(self) -> OpenPage | None:
        """The page in view; None where what is in view is no page of a topic."""
        shown = self.currentWidget()
        return next((opened for opened in self.opened.values() if opened.page is shown), None)

    @property
    def view(self) -> str:
        """The topic of the page in view; '' where what is in view is no page of a topic."""
        current = self.current
        return "" if current is None else current.page.topic.id

    def open(self, topic_id: str) -> OpenPage | None:
        """Show a page, building it on the first visit. None where it cannot be built: a sentence in its place says
        why."""
        if topic_id not in self.opened:
            try:
                self.opened[topic_id] = self._build(topic_id, self._kept.pop(topic_id, None))
            except Exception as error:
                self._show_broken(topic_id, error)
                return None
        opened = self.opened[topic_id]
        self.setCurrentWidget(opened.page)
        opened.page.setFocus()
        return opened

    def put_away(self) -> None:
        """Close every page, because texts are to have another size; one that runs follows when its run has ended.
        `open` builds it anew, with what it showed: only the changes that could be undone are forgotten."""
        self._outgrown = {topic_id for topic_id in tuple(self.opened) if not self._put_away(topic_id)}

    def params_of(self, topic: Topic) -> Params:
        """The parameters that a page has, or would have if it were opened now."""
        opened = self.opened.get(topic.id)
        if opened is not None:
            return opened.page.params
        from gui.window.page_memory import params_in

        kept = self._kept.get(topic.id)
        state = self._settings.page_state(topic.id) if kept is None else kept.state
        params = params_in(state or {}, topic)
        return topic.params() if params is None else params

    def remember(self) -> None:
        """Write the state of every page that was visited into the settings."""
        for topic_id, state in self.states.items():
            self._settings.set_page_state(topic_id, state)

    def _remember_live(self, enabled: bool) -> None:
        self._settings.live = enabled

    @property
    def states(self) -> dict[str, dict[str, Any]]:
        """What is remembered of every page that was visited, by topic id."""
        if not self.opened and not self._kept:
            return {}
        from gui.window.page_memory import state_of

        kept = {topic_id: page.state for topic_id, page in self._kept.items()}
        return kept | {topic_id: state_of(opened) for topic_id, opened in self.opened.items()}

    def _put_away(self, topic_id: str) -> bool:
        """Close a page; False if something runs on it."""
        from gui.window.page_memory import KeptPage

        opened = self.opened[topic_id]
        if opened.controller.running:
            return False
        self._kept[topic_id] = KeptPage.of(opened)
        del self.opened[topic_id]
        self.removeWidget(opened.page)
        for part in (opened.controller, opened.page):
            part.deleteLater()
            QCoreApplication.sendPostedEvents(part, QEvent.Type.DeferredDelete)  # now: it would be restyled otherwise
        return True

    def _on_run_event(self) -> None:
        if self._outgrown:
            QTimer.singleShot(0, self, self._renew_outgrown)  # after the controller has heard that its run has ended

    def _renew_outgrown(self) -> None:
        view = self.view
        done = {topic_id for topic_id in self._outgrown if self._put_away(topic_id)}
        self._outgrown -= done
        if view in done:
            self.open(view)

    def _build(self, topic_id: str, kept: KeptPage | None) -> OpenPage:
        from gui.page.controller import Controller
        from gui.page.page_layout import restore_layout
        from gui.window.open_page import OpenPage
        from gui.window.page_memory import file_in, params_in, select_again

        theme.configure_pyqtgraph()
        module, name = self._page_classes[topic_id].split(":")
        topic = self.topics[topic_id]
        page: Page = getattr(importlib.import_module(module), name)(topic)
        state = self._settings.page_state(topic_id) if kept is None else kept.state
        remembered = state or {}
        restore_layout(page, remembered)
        params = params_in(remembered, topic)
        page.form.set_params(topic.params() if params is None else params)
        controller = Controller(topic, page, self._bridge, self)
        self.addWidget(page)
        controller.show_plan()
        if self._keeper is not None:
            opening = self._begin(page, controller, self._keeper)
            opening.begin(file_in(remembered) if kept is None else "")
        if state is None or params is None:
            page.show_error(
                tr("What was remembered of this page could not be read, or no longer fits: it has its defaults.")
            )
        opened = OpenPage(page, controller)
        if kept is not None:
            kept.show_on(opened)
        elif params is not None:
            select_again(page, remembered)
        self.page_built.emit(opened)
        return opened

    def _begin(self, page: Page, controller: Controller, keeper: HistoryKeeper) -> Opening:
        """Give the page its past runs, and runs that begin by themselves. What it returns gives it its first result."""
        from gui.page.live import LiveRuns
        from gui.window.history import PageHistory
        from gui.window.opening import Opening

        live = LiveRuns(page, controller, self.live)
        PageHistory(page, controller, keeper, live)
        self.live.await_history(page.topic.id)
        keeper.read_timings(page.topic)
        return Opening(page, controller, keeper, live)

    def _show_broken(self, topic_id: str, error: Exception) -> None:
        traceback.print_exception(error)
        label = QLabel()
        reason = f"{type(error).__name__}: {error}"
        sentence = tr("The page {topic} could not be opened: {error}", topic=topic_id, error=reason)
        show_text(label.setText, error.text if isinstance(error, TilescopeError) else sentence)
        label.setProperty("role", "empty")
        label.setMargin(48)
        label.setWordWrap(True)
        self.addWidget(label)
        self.setCurrentWidget(label)
