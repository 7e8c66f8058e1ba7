"""Keeps what is open in a file while the window is open, and offers what a window had that did not get to close."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject, QTimer

from core.contracts.text import tr, tr_in
from core.sessions import Crash, Session, SessionFile, last_crash
from gui.widgets.latest_work import LatestWork
from gui.window.opening import Opening
from gui.window.page_memory import file_in, params_in, select_again

if TYPE_CHECKING:
    from gui.window.history import HistoryKeeper
    from gui.window.offer_bar import OfferBar
    from gui.window.open_page import OpenPage
    from gui.window.page_stack import PageStack
    from gui.window.settings import Settings

REST_MS = 400
"""How long nothing changes before the file is written."""


class Window(Protocol):
    """What a session needs of the window."""

    offer: OfferBar

    @property
    def stack(self) -> PageStack: ...
    @property
    def keeper(self) -> HistoryKeeper | None: ...
    def open_page(self, topic_id: str) -> OpenPage | None: ...


class SessionKeeper(QObject):
    """Files are read and written beside the GUI thread. `folder` holds one file per running window."""

    def __init__(self, window: Window, settings: Settings, folder: Path, parent: QObject) -> None:
        super().__init__(parent)
        self._window, self._settings, self._folder = window, settings, folder
        self._file = SessionFile(folder)
        self._lock = threading.Lock()
        self._closed = False
        self._crash: Crash | None = None
        self._writing = LatestWork(self)
        self._looking = LatestWork(self)
        self._looking.done.connect(self._offer)
        self._timer = QTimer(self, singleShot=True, interval=REST_MS)
        self._timer.timeout.connect(self._write)

    def begin(self) -> None:
        """Look for what a crash left, and follow the window from now on."""
        self._looking.request(lambda: last_crash(self._folder))
        stack = self._window.stack
        for opened in stack.opened.values():
            self._watch(opened)
        stack.page_built.connect(self._watch)
        stack.currentChanged.connect(lambda _: self._timer.start())
        self._timer.start()

    def close(self) -> None:
        """The window is closed as it should be: nothing is left to offer."""
        self._timer.stop()
        self._looking.forget()
        self._writing.forget()
        with self._lock:
            self._closed = True
            self._file.remove()
        self._forget_crash()

    def restore(self) -> None:
        """Open what the crashed window had open: the page in view now, the others with their parameters when they are
        visited."""
        crash = self._crash
        if crash is None:
            return
        stack = self._window.stack
        for topic_id, state in crash.session.pages.items():
            if topic_id not in stack.topics:
                continue
            self._settings.set_page_state(topic_id, dict(state))
            opened, params = stack.opened.get(topic_id), params_in(state, stack.topics[topic_id])
            if opened is not None and params is not None:
                opened.page.form.propose(params)
                select_again(opened.page, state)
                for opening in opened.page.findChildren(Opening):
                    opening.begin(file_in(state))
        view = crash.session.view or next(iter(crash.session.pages))
        self._forget_crash()
        if view in stack.topics:
            self._window.open_page(view)

    def _offer(self, crash: Crash | None) -> None:
        if crash is None or self._closed:
            return
        self._crash = crash
        self._window.offer.show_offer(
            tr("Tilescope ended unexpectedly the last time. What was open then can be opened again."),
            tr_in("session", "Restore"),
            self.restore,
            self._forget_crash,
        )

    def _forget_crash(self) -> None:
        crash, self._crash = self._crash, None
        if crash is not None:
            crash.forget()

    def _watch(self, opened: OpenPage) -> None:
        opened.page.params_changed.connect(lambda _: self._timer.start())
        opened.page.presented.connect(lambda *_: self._timer.start())
        self._timer.start()

    def _write(self) -> None:
        session = Session(self._window.stack.view, self._window.stack.states)
        self._writing.request(lambda: self._write_unless_closed(session))

    def _write_unless_closed(self, session: Session) -> None:
        """In a thread. A folder that cannot be written means that nothing is offered after a crash."""
        with self._lock:
            if not self._closed:
                self._file.write(session)
