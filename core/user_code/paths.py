"""The path of a user's file, and how paths are shown: relative to the project where they lie inside it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from core.contracts.errors import InvalidParams
from core.contracts.text import Text, Value, quoted, tr
from core.installation import ROOT

PROJECT = ROOT


def resolved(file: str) -> Path:
    """The absolute path of `file`: relative to the project if it exists only there, else to the current folder.

    Raises InvalidParams for a text that cannot be a path.
    """
    if not file.strip():
        raise InvalidParams(tr("No file is set: give the path of a Python file with Triton kernels."), "file")
    try:
        path = Path(file).expanduser()
        is_only_in_project = not path.exists() and (PROJECT / path).exists()
        return (PROJECT / path if is_only_in_project else path).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise InvalidParams(
            tr("{path} is not a valid path ({reason}): give another path.", path=quoted(file), reason=str(error)),
            "file",
        ) from error


def shown(path: str | Path) -> str:
    """The path relative to the project if it lies inside, else unchanged."""
    path = Path(path)
    return str(path.relative_to(PROJECT)) if path.is_relative_to(PROJECT) else str(path)


def in_project(sentence: Text) -> Text:
    """The sentence with its paths relative to the project."""
    values = tuple((name, _in_project(value)) for name, value in sentence.values)
    return replace(sentence, message=sentence.message.replace(f"{PROJECT}{os.sep}", ""), values=values)


def _in_project(value: Value) -> Value:
    if isinstance(value, Text):
        return in_project(value)
    return value.replace(f"{PROJECT}{os.sep}", "") if isinstance(value, str) else value
