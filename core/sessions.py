"""What a running window has open, in a file that is removed when the window is closed.

A file whose process is gone was left by a crash: the next start offers what it names.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.files import read_object, write_whole

_MAX_BYTES = 4 << 20
_MAX_FILES, _MAX_PAGES = 50, 100
_SAME_START_S = 2.0
"""Two times at which a process was started are the same within this: clocks are read to the second."""


@dataclass(frozen=True)
class Session:
    """`view` is the id of the page in view, '' for none; `pages` are the states of those that were open, by id, as
    `gui.window.page_memory` makes them. What comes from a file is not checked further: whoever uses it does that."""

    view: str
    pages: Mapping[str, Mapping[str, Any]]


class SessionFile:
    """The file of this process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / f"{os.getpid()}.json"

    def write(self, session: Session) -> None:
        """Replace what the file says. Raises OSError."""
        document = {"started_at": _started_at(os.getpid()), "view": session.view, "pages": dict(session.pages)}
        self._folder.mkdir(parents=True, exist_ok=True)
        write_whole(self._path, json.dumps(document).encode())

    def remove(self) -> None:
        """The window was closed as it should be."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Crash:
    """What processes left that are gone: the newest session that had something open, and all their files."""

    session: Session
    files: tuple[Path, ...]

    def forget(self) -> None:
        for file in self.files:
            with suppress(OSError):
                file.unlink(missing_ok=True)


def last_crash(folder: Path) -> Crash | None:
    """None where every window was closed, or is still open. Files that cannot be read count for nothing."""
    paths = sorted(folder.glob("*.json"))[:_MAX_FILES] if folder.is_dir() else []
    left = [path for path in paths if path.stem.isdigit() and int(path.stem) != os.getpid()]
    found: list[tuple[float, Session]] = []
    files: list[Path] = []
    for path in left:
        try:
            document, changed_at = read_object(path, _MAX_BYTES), path.stat().st_mtime
        except (OSError, ValueError, TypeError):
            files.append(path)
            continue
        if _runs(int(path.stem), document.get("started_at")):
            continue
        files.append(path)
        session = _session(document)
        if session.pages:
            found.append((changed_at, session))
    return Crash(max(found, key=lambda each: each[0])[1], tuple(files)) if found else None


def _session(document: Mapping[str, Any]) -> Session:
    view, pages = document.get("view"), document.get("pages")
    kept = pages if isinstance(pages, dict) and len(pages) <= _MAX_PAGES else {}
    states = {name: state for name, state in kept.items() if isinstance(state, dict)}
    return Session(view if isinstance(view, str) else "", states)


def _runs(process_id: int, started_at: object) -> bool:
    """Whether that process still runs: another one may have its number by now."""
    now = _started_at(process_id)
    return now is not None and isinstance(started_at, int | float) and abs(now - started_at) < _SAME_START_S


def _started_at(process_id: int) -> float | None:
    """In seconds since the epoch; None for a process that is gone."""
    import psutil  # takes 10 ms, after the window is there

    try:
        return float(psutil.Process(process_id).create_time())
    except (psutil.Error, OverflowError, ValueError):
        return None
