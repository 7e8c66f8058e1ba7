"""Looks at the settings file before Qt opens it: Qt waits for a pipe, and ends the program on a forged size."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from PySide6.QtCore import QStandardPaths

from core.contracts.text import Text, tr
from core.files import read_regular, reason_of

_MAX_BYTES = 4 << 20
"""A few kB are usual: one state per page, and the geometry."""

_SERIALIZED = re.compile(rb'[=,]\s*"?@(Variant|DateTime)\(')
"""Values that Qt deserializes, which the program never stores: their sizes are believed, whatever they are."""


def default_file() -> Path | None:
    """Where Qt keeps the user's settings; None where they are not in a file that can be read here."""
    if sys.platform in ("win32", "darwin"):
        return None
    folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericConfigLocation)
    return Path(folder, "Tilescope", "Tilescope.conf")


def set_aside_if_damaged(file: Path) -> tuple[Path, Text | None]:
    """The file to use, and what happened to the settings, None if nothing. A damaged file is renamed, never deleted."""
    if not os.path.lexists(file):
        return file, None
    try:
        if not is_damaged(read_regular(file, _MAX_BYTES)):
            return file, None
        reason = tr("it is damaged")
    except OSError as error:
        reason = reason_of(error)
    aside = file.with_name(f"{file.name}.damaged")
    try:
        os.replace(file, aside)
    except OSError:
        return file.with_name(f"{file.name}.new"), tr(
            "The settings in {file} cannot be used ({reason}), so Tilescope starts with its defaults.",
            file=str(file),
            reason=reason,
        )
    return file, tr(
        "The settings in {file} cannot be used ({reason}), so Tilescope starts with its defaults; the file is now "
        "called {aside}.",
        file=str(file),
        reason=reason,
        aside=aside.name,
    )


def is_damaged(data: bytes) -> bool:
    """Whether the file has lines that no settings have, or values that must not be deserialized."""
    if b"\0" in data or _SERIALIZED.search(data):
        return True
    return not all(
        not line or line[:1] in (b";", b"#") or b"=" in line or (line[:1] == b"[" and line[-1:] == b"]")
        for line in (line.strip() for line in data.splitlines())
    )
