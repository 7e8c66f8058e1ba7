"""Reads the recorded runs that come with the program."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from core import run_files
from core.contracts.errors import TilescopeError
from core.run_files.names import SUFFIX

if TYPE_CHECKING:
    from core.run_files import SavedRun

FOLDER = Path(__file__).resolve().parents[2] / "resources" / "recorded_runs"


def path_of(topic_id: str, folder: Path = FOLDER) -> Path:
    """Where the recorded run of a topic is."""
    return folder / f"{topic_id}{SUFFIX}"


def shipped_run(topic_id: str, folder: Path = FOLDER) -> SavedRun | None:
    """The recorded run of a topic with its default parameters; None without one that this version can read.

    Opening a file takes its time: not for the GUI thread.
    """
    path = path_of(topic_id, folder)
    if not path.is_file():
        return None
    try:
        return replace(run_files.read_run_file(path, topic_id), ships=True)
    except TilescopeError:
        return None
