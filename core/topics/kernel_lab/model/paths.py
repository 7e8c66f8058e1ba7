"""Paths as a person gives them and as they are shown."""

from __future__ import annotations

from pathlib import Path

from core.contracts.errors import InvalidParams

_PROJECT = Path(__file__).resolve().parents[4]


def resolved(file: str) -> Path:
    """The absolute path of `file`: relative to the current folder if it exists there, else to the project.

    Raises InvalidParams for a text that cannot be a path.
    """
    if not file.strip():
        raise InvalidParams("No file is named: give the path of a Python file with Triton kernels.", "file")
    try:
        path = Path(file).expanduser()
        if path.is_absolute() or path.exists():
            return path.resolve()
        return (_PROJECT / path).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise InvalidParams(f"{file!r} cannot be the path of a file ({error}): give another.", "file") from error


def shown(path: str | Path) -> str:
    """A path of the project relative to it, any other as it is."""
    path = Path(path)
    return str(path.relative_to(_PROJECT)) if path.is_relative_to(_PROJECT) else str(path)
