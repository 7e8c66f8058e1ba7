"""Paths as the user gives them."""

from __future__ import annotations

from pathlib import Path

from core.contracts.errors import InvalidParams


def expanded(path: str | Path, field: str | None = None) -> Path:
    """`path` with a leading '~' taken for a home folder. Raises InvalidParams for the parameter `field` where there is
    no such user, or where no file can have such a name."""
    given = str(path).strip()
    if "\0" in given:
        raise InvalidParams("A path cannot hold a NUL character: give it without.", field)
    try:
        return Path(given).expanduser()
    except RuntimeError as error:
        raise InvalidParams(
            f"The home folder that {Path(given).parts[0]} stands for is not known here: give the whole path.", field
        ) from error
