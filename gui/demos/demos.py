"""Demos in the window: one is played, or one is recorded, and never both."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from core import demos
from core.contracts.text import Text, tr
from gui.demos.bar import DemoBar
from gui.demos.player import DemoPlayer
from gui.demos.recorder import Recorder
from gui.demos.recording_bar import RecordingBar
from gui.demos.staging import PageWindow, Staging
from gui.page.file_work import FileWork, telling
from gui.page.file_writing import FileWriter

if TYPE_CHECKING:
    from core.demos import Demo
    from gui.demos.editor import DemoEditor


class DemoWindow(PageWindow, Protocol):
    """What demos need of the window besides its pages."""

    def show_error(self, sentence: Text | str, detail: str = "") -> None: ...
    def demo_was_saved(self, path: Path) -> None: ...
    @property
    def fills_screen(self) -> bool: ...
    def toggle_full_screen(self) -> None: ...


class Demos(QObject):
    """Owns the player, the recorder and their bars. `bars` belongs below the pages."""

    def __init__(self, window: DemoWindow, parent: QWidget) -> None:
        super().__init__(parent)
        self._window, self._parent = window, parent
        self.player, self.recorder = DemoPlayer(self), Recorder(self)
        self._staging = Staging(window, self)
        self._reader = FileWork(telling(window.show_error), self)
        self._writer = FileWriter(self, telling(self._show_save_problem))
        self._editor: DemoEditor | None = None
        self._filled_screen = False
        self.bar, self.recording_bar = DemoBar(self.player), RecordingBar(self.recorder)
        self.bars = QWidget()
        layout = QVBoxLayout(self.bars)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.bar)
        layout.addWidget(self.recording_bar)
        self.player.step_shown.connect(self._staging.show)
        self._staging.ready.connect(self.player.step_is_ready)
        self.bar.left.connect(self.leave)
        self.bar.full_screen_toggled.connect(window.toggle_full_screen)
        self.recording_bar.finished.connect(self.finish)
        self.recording_bar.discarded.connect(self.recorder.discard)

    # Playing

    @property
    def is_playing(self) -> bool:
        return self.player.demo is not None

    def play(self, demo: Demo) -> None:
        """Play a demo from its first step. One that is played already is left first, a recording goes on."""
        self.leave()
        self._filled_screen = self._window.fills_screen
        self._staging.begin()
        self.player.start(demo)

    def play_named(self, name: str) -> None:
        """Play a demo that comes with the program."""
        self._reader.read(lambda: demos.find_demo(name), self.play)

    def play_file(self, path: Path) -> None:
        """Play the demo in a file; where it cannot be played, the window says why."""
        self._reader.read(lambda: demos.read_demo(path), self.play)

    def ask_and_play(self) -> None:
        """Ask for a file, and play it."""
        title, kinds = str(tr("Play a demo")), str(tr("Demos (*.toml)"))
        path, _ = QFileDialog.getOpenFileName(self._parent, title, "", kinds)
        if path:
            self.play_file(Path(path))

    def leave(self) -> bool:
        """End the demo: the pages are as they were before. False if none is played."""
        if not self.is_playing:
            return False
        self.player.stop()
        self._staging.end()
        if self._window.fills_screen and not self._filled_screen:
            self._window.toggle_full_screen()
        return True

    # Recording

    def toggle_recording(self) -> None:
        """Begin to record; or stop, and save."""
        if self.recorder.is_recording:
            self.finish()
        else:
            self.recorder.start(self._window.current)

    def add_step(self) -> None:
        self.recording_bar.add_step()

    def finish(self) -> None:
        """Let the author edit the captions. The recording goes on until the demo is saved."""
        if not self.recorder.is_recording or self._editor is not None:
            return
        self.recorder.capture()
        if not self.recorder.steps:
            self._window.show_error(tr("Nothing has been recorded yet: open a page first."))
            return
        from gui.demos.editor import DemoEditor

        self._editor = DemoEditor(self.recorder.steps, self._parent)
        self._editor.saving.connect(self._ask_and_save)
        self._editor.finished.connect(self._forget_editor)
        self._editor.open()

    def keeps_recording(self) -> bool:
        """Whether the window has to stay for a recording that is not saved: the first attempt to close it asks."""
        if not self.recorder.steps or self._editor is not None:
            return False
        self.finish()
        return True

    def save(self, path: Path, demo: Demo) -> None:
        """Write the demo; once it is written, the recording is over."""
        self._writer.write(path, lambda: demos.write_demo(path, demo), lambda _: self._saved(path))

    def _ask_and_save(self, demo: Demo) -> None:
        title, kinds = str(tr("Save the demo")), str(tr("Demos (*.toml)"))
        path, _ = QFileDialog.getSaveFileName(self._editor, title, "demo.toml", kinds)
        if path:
            target = Path(path)
            self.save(target if target.suffix else target.with_suffix(".toml"), demo)

    def _saved(self, path: Path) -> None:
        if self._editor is not None:
            self._editor.accept()
        self.recorder.discard()
        self._window.demo_was_saved(path)

    def _forget_editor(self) -> None:
        self._editor = None

    def _show_save_problem(self, sentence: Text) -> None:
        if self._editor is not None:
            self._editor.show_problem(sentence)
        else:
            self._window.show_error(sentence)
