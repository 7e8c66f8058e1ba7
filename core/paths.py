"""Paths that the user entered."""

from __future__ import annotations

from pathlib import Path

from core.contracts.errors import InvalidParams


def expanded(path: str | Path, field: str | None = None) -> Path:
    """`path` with a leading '~' replaced by the home folder. Raises InvalidParams for the parameter `field` where that
    user does not exist, or where no file can have such a name."""
    text = str(path).strip()
    if "\0" in text:
        raise InvalidParams("A path cannot contain a NUL character: remove it.", field)
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise InvalidParams(
            f"The home folder {Path(text).parts[0]} does not exist on this machine: enter the full path.", field
        ) from error
