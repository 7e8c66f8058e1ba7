"""Paths that the user entered, and the folder of the user's data."""

from __future__ import annotations

import os
from pathlib import Path

from core.contracts.errors import InvalidParams
from core.contracts.text import tr


def data_folder() -> Path:
    """The folder of the user's data: TILESCOPE_DATA_DIR, or the platform's folder for user data."""
    chosen = os.environ.get("TILESCOPE_DATA_DIR")
    if chosen:
        return Path(chosen)
    import platformdirs  # the window asks for the folder before its first paint

    return Path(platformdirs.user_data_dir("tilescope", appauthor=False))


def expanded(path: str | Path, field: str | None = None) -> Path:
    """`path` with a leading '~' replaced by the home folder. Raises InvalidParams for the parameter `field` where that
    user does not exist, or where no file can have such a name."""
    text = str(path).strip()
    if "\0" in text:
        raise InvalidParams(tr("A path cannot contain a NUL character: remove it."), field)
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise InvalidParams(
            tr(
                "The home folder {folder} does not exist on this machine: enter the full path.",
                folder=Path(text).parts[0],
            ),
            field,
        ) from error
