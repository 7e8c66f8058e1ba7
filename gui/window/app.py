"""The application: the order in which things start and stop, and what happens to unexpected errors.

Nothing heavier than Qt and the topics' declarations is imported before the window is visible.
"""

from __future__ import annotations

import gc
import importlib
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QSocketNotifier, QTimer, Signal
from PySide6.QtWidgets import QApplication

from core.contracts.errors import InvalidParams, TilescopeError, UnknownName
from core.contracts.text import Text, listed, quoted, tr
from core.paths import data_folder
from gui import motion, theme, translation, zoom
from gui.icons import application_icon
from gui.page.engine_bridge import EngineBridge
from gui.widgets.latest_work import LatestWork
from gui.window.desktop_motion import DesktopMotion
from gui.window.garbage import collected_on_gui_thread
from gui.window.history import HistoryKeeper
from gui.window.main_window import MainWindow
from gui.window.qt_texts import follow_language
from gui.window.settings import Settings

if TYPE_CHECKING:
    from core.contracts.params import Params
    from core.engine.addresses import SchedulerAddress
    from gui.window.session_keeper import SessionKeeper

_FINISH_WRITING_S = 1.0
"""How long a file that is being written when the window closes may take to get whole."""

_ENDING = [signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if name in signal.Signals.__members__]
"""The signals that ask a program to end, as far as this system has them."""

_ENGINE_AFTER_MS = 3000
"""The engine starts by then, even if the questions of the home page cannot be read."""

_SWITCH_S = 0.0005
"""How long a background thread may hold the GIL while the GUI thread waits for it. With Python's default of 5 ms, paid
for each call of a repaint, a repaint can take a third of a second."""


def build_app(theme_name: str) -> QApplication:
    """The QApplication, styled: the existing one if there is one."""
    existing = QApplication.instance()
    # `setStyle` would return the style, whose many types PySide6 then makes.
    app = existing if isinstance(existing, QApplication) else QApplication([*sys.argv[:1], "-style", theme.STYLE])
    app.setApplicationName("Tilescope")
    app.setApplicationDisplayName("Tilescope")
    app.setDesktopFileName("tilescope")  # as `install-desktop` names its entry
    app.setWindowIcon(application_icon())
    follow_language(app)
    theme.apply(app, theme_name)
    return app


def make_engine(address: SchedulerAddress | None = None) -> Any:
    """An engine with a worker on this machine, or with the workers of a scheduler. It is not started.

    The import is inside, because the window comes first.
    """
    from core.engine import Engine

    return Engine(address)


def make_history() -> Any:
    """The history in the user's data folder."""
    from core.engine.history import History

    return History()


def run_window(
    *,
    theme: str | None = None,
    language: str | None = None,
    topic: str | None = None,
    assignments: Sequence[str] = (),
    scheduler: SchedulerAddress | None = None,
    file: Path | None = None,
    settings: Settings | None = None,
) -> int:
    """Open the window and return the exit code when it is closed.

    `language` is the code of a language that exists; `assignments` are `name=value` for the page of `topic`;
    `scheduler` has the workers, in place of this machine; `file` is opened, such as a saved run. Raises
    UnknownName for a theme, topic or parameter, and InvalidParams for a value.
    """
    sys.setswitchinterval(_SWITCH_S)
    settings = settings or Settings()
    _check_names(theme, topic)
    params = _parsed(topic, assignments)
    if language is not None:
        settings.language = language
    translation.use(settings.language)  # until here, errors are in the language of the command line
    if theme is not None:
        settings.theme = theme
    if topic is not None:
        settings.page = topic
    zoom.use(settings.zoom)
    app = build_app(settings.theme)
    motion.use(reduced=motion.of_qt() if settings.reduced_motion is None else settings.reduced_motion)
    bridge = EngineBridge(partial(make_engine, scheduler))
    keeper = HistoryKeeper(make_history)
    window = MainWindow(bridge, settings, keeper=keeper)
    engine = FirstStart(bridge)
    if window.home.is_last:  # the first thing to be seen; nobody waits for a run before its questions are there
        window.first_painted.connect(lambda: QTimer.singleShot(_ENGINE_AFTER_MS, window, engine.start))
        window.home.open().ready.connect(engine.prepare)
    else:
        window.first_painted.connect(engine.start)
    window.first_painted.connect(window.open_last_page)
    if topic is None and file is None:
        window.first_painted.connect(lambda: window.tours.begin_once())
    if params is not None:
        window.first_painted.connect(lambda: show_params(window, params))
    if file is not None:
        window.first_painted.connect(lambda: window.run_files.open(file))
    window.first_painted.connect(DesktopMotion(settings, window).ask)
    sessions = Sessions(window, settings)
    window.first_painted.connect(sessions.begin)
    window.show()
    with collected_on_gui_thread():
        with unexpected_errors_go_to(window.show_error), signals_quit(app):
            code = app.exec()
        sessions.close()
        bridge.close()
        keeper.close()
        from gui.page.file_writing import finish_writing

        finish_writing(_FINISH_WRITING_S)
    gc.unfreeze()
    return code


def show_params(window: MainWindow, params: Params) -> None:
    """Put parameters into the form of the page in view, as if they had been typed."""
    if window.current is not None:
        window.current.page.form.propose(params)


def start_engine(bridge: EngineBridge) -> None:
    """Start the engine, which imports many modules, without blocking the window.

    A full garbage collection blocks the window for 50 to 80 ms. The objects that exist now, and those that exist when
    the engine is first ready, live as long as the process, so the collector is told to skip them.
    """

    def on_state(state: Any) -> None:
        if state.phase == "ready":
            bridge.state_changed.disconnect(on_state)
            gc.freeze()

    gc.freeze()
    bridge.state_changed.connect(on_state)
    bridge.start()


class Sessions:
    """What is open is written down, once the window is seen."""

    def __init__(self, window: MainWindow, settings: Settings) -> None:
        self._window, self._settings = window, settings
        self._keeper: SessionKeeper | None = None

    def begin(self) -> None:
        from gui.window.session_keeper import SessionKeeper

        self._keeper = SessionKeeper(self._window, self._settings, data_folder() / "sessions", self._window)
        self._keeper.begin()

    def close(self) -> None:
        if self._keeper is not None:
            self._keeper.close()


class FirstStart:
    """Starts the engine once, whoever asks for it first."""

    def __init__(self, bridge: EngineBridge) -> None:
        self._bridge: EngineBridge | None = bridge
        self._importing = LatestWork()
        self._importing.done.connect(lambda _: self.start())
        self._importing.failed.connect(lambda _: self.start())  # which says why

    def prepare(self) -> None:
        """Import the engine in a thread, and start it then: nobody is waiting for it."""
        self._importing.request(lambda: importlib.import_module("core.engine.engine"))

    def start(self) -> None:
        bridge, self._bridge = self._bridge, None
        if bridge is not None:
            start_engine(bridge)


class _Errors(QObject):
    """Carries errors of any thread to the GUI thread."""

    raised = Signal(object, str)


@contextmanager
def unexpected_errors_go_to(show: Callable[[Text, str], None]) -> Iterator[None]:
    """While active, an uncaught exception of any thread is printed to stderr and shown by `show`."""
    errors = _Errors()
    errors.raised.connect(show)

    def report(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            QApplication.quit()
            return
        detail = "".join(traceback.format_exception(kind, error, trace))
        if isinstance(error, TilescopeError):
            sentence = error.text
        else:
            sentence = tr(
                "Something went wrong ({error}): the page stays as it was, and the log tab has the details.",
                error=kind.__name__,
            )
        print(detail, file=sys.stderr, end="")
        errors.raised.emit(sentence, detail)

    hooks = sys.excepthook, threading.excepthook
    sys.excepthook = report
    threading.excepthook = lambda args: report(args.exc_type, args.exc_value, args.exc_traceback)
    try:
        yield
    finally:
        sys.excepthook, threading.excepthook = hooks


@contextmanager
def signals_quit(app: QApplication) -> Iterator[None]:
    """While active, the signals that end a program close the windows, which remember what was open: Ctrl+C, a request
    to terminate, and the end of the terminal. Only Ctrl+C lets a window ask whether it may be closed: whoever
    terminates a program kills it if it does not end soon.

    Python handles signals between bytecodes, and Qt's event loop runs none, so Qt watches the wake-up descriptor of
    signals. Outside the main thread, where Python handles no signals, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    notifier = QSocketNotifier(reader.fileno(), QSocketNotifier.Type.Read, app)
    notifier.activated.connect(lambda: reader.recv(64))

    def quit_soon(number: int, frame: FrameType | None) -> None:
        for _ in range(1 if number == signal.SIGINT else 2):  # a window that has asked once does not ask again
            QTimer.singleShot(0, app, app.closeAllWindows)

    old_descriptor = signal.set_wakeup_fd(writer.fileno())
    handled = [each for each in _ENDING if signal.getsignal(each) is not signal.SIG_IGN]  # as nohup wants
    old_handlers = {each: signal.signal(each, quit_soon) for each in handled}
    try:
        yield
    finally:
        for each, handler in old_handlers.items():
            signal.signal(each, handler)
        signal.set_wakeup_fd(old_descriptor)
        notifier.setEnabled(False)
        notifier.deleteLater()
        reader.close()
        writer.close()


def _parsed(topic_id: str | None, assignments: Sequence[str]) -> Params | None:
    if not assignments:
        return None
    if topic_id is None:
        raise InvalidParams(tr("--set needs a page: add --topic, for example --topic kernel-lab."))
    from core.commands.session import parse_assignments
    from core.contracts import registry

    return parse_assignments(registry.topic(topic_id), assignments)


def _check_names(theme_name: str | None, topic_id: str | None) -> None:
    from core.contracts import registry

    if theme_name is not None and theme_name not in theme.NAMES:
        raise UnknownName(
            tr("There is no theme {name}: the themes are {known}.", name=quoted(theme_name), known=listed(theme.NAMES))
        )
    if topic_id is not None and topic_id not in registry.TOPICS:
        registry.topic(topic_id)
