"""What is remembered between sessions: theme, language, geometry, and the state of each page."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QByteArray, QSettings

from core import language
from gui.theme import NAMES
from gui.window.settings_file import default_file, set_aside_if_damaged

if TYPE_CHECKING:
    from core.contracts.text import Text


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
    def zoom(self) -> float:
        """The size of texts, 1 for 100 %."""
        try:
            factor = float(str(self._store.value("zoom", 1.0)))
        except ValueError:
            return 1.0
        return factor if math.isfinite(factor) else 1.0

    @zoom.setter
    def zoom(self, factor: float) -> None:
        self._store.setValue("zoom", factor)

    @property
    def page(self) -> str:
        """The topic that was open last, or 'home'; '' the first time."""
        return str(self._store.value("page", ""))

    @page.setter
    def page(self, topic_id: str) -> None:
        self._store.setValue("page", topic_id)

    @property
    def palette_recent(self) -> list[str]:
        """The ids of what was chosen in the command palette, the newest first."""
        return [each for each in self._list("palette/recent") if isinstance(each, str)]

    @palette_recent.setter
    def palette_recent(self, entry_ids: list[str]) -> None:
        self._store.setValue("palette/recent", json.dumps(entry_ids))

    @property
    def recent_files(self) -> list[dict[str, Any]]:
        """What `RecentFile.as_json` returned, the newest first."""
        return [each for each in self._list("files/recent") if isinstance(each, dict)]

    @recent_files.setter
    def recent_files(self, files: list[dict[str, Any]]) -> None:
        self._store.setValue("files/recent", json.dumps(files))

    @property
    def reduced_motion(self) -> bool | None:
        """Whether nothing should move by itself; None until the user has said so: the system decides then."""
        stored = self._store.value("reduced_motion")
        return None if stored is None else str(stored) == "true"

    @reduced_motion.setter
    def reduced_motion(self, reduced: bool) -> None:
        self._store.setValue("reduced_motion", "true" if reduced else "false")

    @property
    def toured(self) -> bool:
        """Whether the tour of the window has been shown."""
        return str(self._store.value("toured", "false")) == "true"

    @toured.setter
    def toured(self, shown: bool) -> None:
        self._store.setValue("toured", "true" if shown else "false")

    @property
    def devices(self) -> list[Any]:
        """What `RemoteDevice.as_json` returned, in the order in which they were added."""
        return self._list("devices")

    @devices.setter
    def devices(self, stored: list[Any]) -> None:
        self._store.setValue("devices", json.dumps(stored))

    @property
    def live(self) -> bool:
        """Whether short runs begin by themselves."""
        return str(self._store.value("live", "true")) != "false"

    @live.setter
    def live(self, enabled: bool) -> None:
        self._store.setValue("live", "true" if enabled else "false")

    @property
    def geometry(self) -> QByteArray | None:
        geometry = self._store.value("geometry")
        return geometry if isinstance(geometry, QByteArray) else None

    @geometry.setter
    def geometry(self, geometry: QByteArray) -> None:
        self._store.setValue("geometry", geometry)

    def page_state(self, topic_id: str) -> dict[str, Any] | None:
        """What `page_memory.state_of` returned; {} where there is nothing, None for what cannot be read."""
        try:
            state = json.loads(str(self._store.value(f"pages/{topic_id}", "{}")))
        except (ValueError, RecursionError):
            return None
        return state if isinstance(state, dict) else None

    def set_page_state(self, topic_id: str, state: dict[str, Any]) -> None:
        self._store.setValue(f"pages/{topic_id}", json.dumps(state))

    def _list(self, key: str) -> list[Any]:
        """A list that was written as JSON; [] where it cannot be read."""
        try:
            stored = json.loads(str(self._store.value(key, "[]")))
        except (ValueError, RecursionError):
            return []
        return stored if isinstance(stored, list) else []

    def sync(self) -> None:
        """Write to disk now."""
        self._store.sync()
