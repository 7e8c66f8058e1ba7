"""Paths that the user entered."""

from __future__ import annotations

from pathlib import Path

from core.contracts.errors import InvalidParams
from core.contracts.text import tr


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
