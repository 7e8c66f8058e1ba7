"""Pictures of the window, with a footer that says how its numbers were obtained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PySide6.QtCore import QDeadlineTimer, QEventLoop, QPoint, QRect, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QImage, QPaintDevice, QPainter
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import QApplication, QWidget

from core.contracts.errors import TilescopeError
from core.contracts.events import Cancelled, Event, Failed
from core.contracts.params import Params
from core.contracts.topic import Topic
from gui import theme
from gui.page.engine_bridge import EngineBridge
from gui.page.page import Page
from gui.window.app import build_app, make_engine
from gui.window.garbage import collected_on_gui_thread
from gui.window.main_window import MainWindow, OpenPage
from gui.window.qt_messages import size_hint_warnings_dropped
from gui.window.settings import Settings

_FOOTER_PX = 24
_SETTLE_MS = 120
_DRAWN_WITHIN_MS = 60_000
_SCALE = 2.0
"""Device pixels per logical pixel in a PNG: sharp text on any display."""


def render(
    topic: Topic,
    params: Params,
    *,
    themes: Sequence[str],
    size: tuple[int, int],
    device: str,
    out: Path,
    run: bool = True,
    formats: Sequence[str] = ("png",),
) -> Iterator[Path]:
    """Run a topic once and save its page in each theme as OUT/TOPIC-THEME.png; yields what was written.

    `size` is in pixels of the picture, footer included; `device` may be a scheduler's address.
    Raises TilescopeError where the run fails or a file cannot be written.
    """
    app = build_app(themes[0])
    with TemporaryDirectory() as folder, size_hint_warnings_dropped(), collected_on_gui_thread():
        address = device if ":" in device else None
        bridge = EngineBridge(partial(make_engine, address))
        window = MainWindow(bridge, Settings(Path(folder) / "settings.ini"))
        try:
            opened = _show_page(window, topic, params, size)
            if run:
                _run_to_the_end(bridge, opened, device if address is None else "auto")
                _wait_until_drawn(opened.page)
            for name in themes:
                theme.apply(app, name)
                _settle()
                _wait_until_drawn(opened.page)
                for suffix in formats:
                    path = out / f"{topic.id}-{name}.{suffix}"
                    save(window, path, scale=1.0)
                    yield path
        finally:
            window.close()
            bridge.close()
            window.deleteLater()


def save(window: MainWindow, path: Path, scale: float = _SCALE) -> None:
    """The window and its footer as a PNG or, where the name ends in .svg, an SVG. Raises TilescopeError."""
    content = window.body
    size = QSize(content.width(), content.height() + _FOOTER_PX)
    if path.suffix.lower() == ".svg":
        generator = QSvgGenerator()
        generator.setFileName(str(path))
        generator.setSize(size)
        generator.setViewBox(QRect(QPoint(), size))
        generator.setTitle(f"Tilescope: {path.stem}")
        _paint(generator, content, size, footer_of(window))
        written = path.exists()
    else:
        image = QImage(size * scale, QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(scale)
        _paint(image, content, size, footer_of(window))
        written = image.save(str(path))
    if not written:
        raise TilescopeError(f"{path.name} could not be written: check the folder and the file type (.png or .svg).")


def footer_of(window: MainWindow) -> str:
    """What is on the picture, and how its numbers were obtained."""
    if window.current is None:
        return "Tilescope"
    result = window.current.controller.result
    if result is None:
        return f"Tilescope  ·  {window.current.page.topic.id}  ·  modelled, nothing was run"
    environment = result.environment
    provenances = sorted({metric.provenance.value for metric in result.metrics.values()})
    versions = ", ".join(f"{name} {version}" for name, version in environment.versions.items())
    parts = ["Tilescope", result.topic, environment.device, environment.backend, ", ".join(provenances), versions]
    return "  ·  ".join(part for part in parts if part)


def _paint(device: QPaintDevice, content: QWidget, size: QSize, footer: str) -> None:
    colours = theme.current()
    painter = QPainter(device)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.fillRect(QRect(QPoint(), size), QColor(colours.background))
    content.render(painter, QPoint())
    bar = QRect(0, size.height() - _FOOTER_PX, size.width(), _FOOTER_PX)
    painter.fillRect(bar, QColor(colours.surface))
    painter.setPen(QColor(colours.border))
    painter.drawLine(bar.topLeft(), bar.topRight())
    painter.setPen(QColor(colours.muted))
    painter.setFont(theme.ui_font("small"))
    text = painter.fontMetrics().elidedText(footer, Qt.TextElideMode.ElideRight, size.width() - 24)
    painter.drawText(bar.adjusted(12, 0, -12, 0), Qt.AlignmentFlag.AlignVCenter, text)
    painter.end()


def _show_page(window: MainWindow, topic: Topic, params: Params, size: tuple[int, int]) -> OpenPage:
    window.menuBar().hide()
    window.status.hide()
    window.resize(size[0], size[1] - _FOOTER_PX)
    window.show()
    opened = window.open_page(topic.id)
    if opened is None:
        raise TilescopeError(f"The page {topic.id} could not be opened.")
    opened.page.form.set_params(params)
    opened.controller.show_plan()
    _settle()
    return opened


def _run_to_the_end(bridge: EngineBridge, opened: OpenPage, device: str) -> None:
    """Run and wait, in an event loop, for the run's terminal event."""
    loop = QEventLoop()
    ends: list[Event] = []

    def watch(_run: Any, event: Event) -> None:
        if not opened.controller.running:
            ends.append(event)
            loop.quit()

    bridge.run_event.connect(watch)
    opened.controller.run(device)
    if opened.controller.running:
        loop.exec()
    bridge.run_event.disconnect(watch)
    if not ends:
        raise TilescopeError(opened.page.banner.sentence or "The run could not be started.")
    match ends[-1]:
        case Failed(sentence=sentence):
            raise TilescopeError(sentence)
        case Cancelled(reason=reason):
            raise TilescopeError(f"The run was {reason}.")


def _wait_until_drawn(page: Page) -> None:
    """Wait for what is drawn beside the GUI thread, within reason."""
    deadline = QDeadlineTimer(_DRAWN_WITHIN_MS)
    while page.drawing and not deadline.hasExpired():
        _settle()


def _settle() -> None:
    """Let layouts and queued repaints happen."""
    loop = QEventLoop()
    QTimer.singleShot(_SETTLE_MS, loop.quit)
    loop.exec()
    QApplication.sendPostedEvents()
