"""The files that were opened last, from the File menu and the command palette."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from PySide6.QtCore import QObject, Signal

from core import examples
from core.contracts.errors import TilescopeError
from core.contracts.text import Text, tr
from core.paths import expanded
from gui.page.file_work import FileWork, telling

if TYPE_CHECKING:
    from core.contracts.params import Params, Scalar
    from gui.window.open_page import OpenPage
    from gui.window.page_stack import PageStack
    from gui.window.settings import Settings

_MOST = 15


@dataclass(frozen=True)
class RecentFile:
    """A file or folder. It is opened on the page by setting parameters: that of the path, and those that changed with
    it. A saved run has neither: it knows its page itself."""

    path: str
    page: str = ""
    set: tuple[tuple[str, Scalar], ...] = ()

    @property
    def name(self) -> str:
        return Path(self.path).name or self.path

    def as_json(self) -> dict[str, Any]:
        return {"path": self.path, "page": self.page, "set": dict(self.set)}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> RecentFile | None:
        """The inverse of `as_json`; None for anything else."""
        path, page, changed = document.get("path"), document.get("page"), document.get("set")
        if not (isinstance(path, str) and path and isinstance(page, str) and isinstance(changed, dict)):
            return None
        if not all(isinstance(value, int | float | bool | str) for value in changed.values()):
            return None
        return cls(path, page, tuple(changed.items()))


class Window(Protocol):
    """What opening a file needs of the window."""

    @property
    def stack(self) -> PageStack: ...
    def open_page(self, topic_id: str) -> OpenPage | None: ...
    def show_error(self, sentence: Text | str, detail: str = "") -> None: ...


class RecentFiles(QObject):
    """Watches the pages for files that they open. `open_run` opens a saved run.

    Whether a file is still there is looked at when it is chosen, beside the GUI thread: its disk may never answer.
    """

    changed = Signal()

    def __init__(self, window: Window, settings: Settings, open_run: Callable[[str], object], parent: QObject) -> None:
        super().__init__(parent)
        self._window, self._settings, self._open_run = window, settings, open_run
        self._params: dict[str, Params] = {}
        self._looking = FileWork(telling(window.show_error), self)
        window.stack.page_built.connect(self._watch)

    @property
    def files(self) -> tuple[RecentFile, ...]:
        """The newest first."""
        stored = (RecentFile.of(each) for each in self._settings.recent_files)
        return tuple(file for file in stored if file is not None and file.page in ("", *self._window.stack.topics))

    def add(self, file: RecentFile) -> None:
        others = [each for each in self.files if (each.path, each.page) != (file.path, file.page)]
        self._store([file, *others][:_MOST])

    def add_run(self, path: str) -> None:
        """A saved run was opened, or a demo saved: both know their pages themselves."""
        self.add(RecentFile(path))

    def remove(self, file: RecentFile) -> None:
        self._store([each for each in self.files if each != file])

    def clear(self) -> None:
        self._store([])

    def open(self, file: RecentFile) -> None:
        """Open a file again. One that is gone is removed from the list, and a sentence says so."""
        self._looking.read(lambda: Path(file.path).exists(), lambda exists: self._open(file, exists=exists))

    def _open(self, file: RecentFile, *, exists: bool) -> None:
        if not exists:
            self.remove(file)
            self._window.show_error(
                tr("{path} is no longer there: it was removed from the recent files.", path=file.path)
            )
        elif not file.page:
            self._open_run(file.path)
        else:
            opened = self._window.open_page(file.page)
            if opened is not None:
                opened.page.form.propose(opened.page.params.changed(**dict(file.set)))
                self.add(file)

    def _watch(self, opened: OpenPage) -> None:
        topic = opened.page.topic
        if topic.path_params:
            self._params[topic.id] = opened.page.params
            opened.page.params_changed.connect(lambda params: self._note(topic.id, topic.path_params, params))

    def _note(self, page: str, names: tuple[str, ...], params: Params) -> None:
        before, self._params[page] = self._params[page].model_dump(), params
        after = params.model_dump()
        changed = {name: value for name, value in after.items() if before[name] != value}
        for name in names:
            path = _absolute(str(changed.get(name, "")))
            if path is not None:
                self.add(RecentFile(str(path), page, tuple({**changed, name: str(path)}.items())))

    def _store(self, files: list[RecentFile]) -> None:
        self._settings.recent_files = [file.as_json() for file in files]
        self.changed.emit()


def _absolute(path: str) -> Path | None:
    """The path of a file of the user's; None for none, and for the examples, which are always offered."""
    if not path.strip():
        return None
    try:
        found = expanded(path).absolute()
    except TilescopeError:
        return None
    return None if examples.FOLDER in found.parents else found
