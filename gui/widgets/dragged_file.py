"""The file that is dragged over a widget."""

from __future__ import annotations

from PySide6.QtCore import QMimeData


def dragged_file(data: QMimeData) -> str | None:
    """The path of the one local file or folder that is dragged; None for anything else."""
    urls = data.urls()
    return urls[0].toLocalFile() if len(urls) == 1 and urls[0].isLocalFile() else None
