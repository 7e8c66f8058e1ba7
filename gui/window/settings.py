"""What is remembered between sessions: theme, language, geometry, and the state of each page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, QSettings

from core import language
from core.contracts.text import Text
from gui.theme import NAMES
from gui.window.settings_file import default_file, set_aside_if_damaged


class Settings:
    """A thin, typed cover of QSettings. Without a file it is the user's own; what cannot be read is a default."""

    def __init__(self, file: Path | None = None) -> None:
        file = default_file() if file is None else file
        self.problem: Text | None = None
        """What happened to a settings file that could not be used, until it is shown."""
        if file is None:
            self._store = QSettings("Tilescope", "Tilescope")
        else:
            file, self.problem = set_aside_if_damaged(file)
            self._store = QSettings(str(file), QSettings.Format.IniFormat)

    @property
    def theme(self) -> str:
        name = self._store.value("theme", NAMES[0])
        return str(name) if name in NAMES else NAMES[0]

    @theme.setter
    def theme(self, name: str) -> None:
        self._store.setValue("theme", name)

    @property
    def language(self) -> str:
        """The language that was chosen; the system's until one is."""
        code = self._store.value("language")
        return code if code in language.LANGUAGES else language.of_system()

    @language.setter
    def language(self, code: str) -> None:
        self._store.setValue("language", code)

    @property
    def page(self) -> str:
        """The topic that was open last, '' the first time."""
        return str(self._store.value("page", ""))

    @page.setter
    def page(self, topic_id: str) -> None:
        self._store.setValue("page", topic_id)

    @property
    def geometry(self) -> QByteArray | None:
        geometry = self._store.value("geometry")
        return geometry if isinstance(geometry, QByteArray) else None

    @geometry.setter
    def geometry(self, geometry: QByteArray) -> None:
        self._store.setValue("geometry", geometry)

    def page_state(self, topic_id: str) -> dict[str, Any] | None:
        """What `Page.save_state` returned; {} where there is nothing, None for what cannot be read."""
        try:
            state = json.loads(str(self._store.value(f"pages/{topic_id}", "{}")))
        except (ValueError, RecursionError):
            return None
        return state if isinstance(state, dict) else None

    def set_page_state(self, topic_id: str, state: dict[str, Any]) -> None:
        self._store.setValue(f"pages/{topic_id}", json.dumps(state))

    def sync(self) -> None:
        """Write to disk now."""
        self._store.sync()
