"""What a file that the user gives the window is. Nothing else decides it."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from core.demos.finding import SUFFIX as DEMO_SUFFIX
from core.files import open_regular
from core.run_files.names import SUFFIX

_START_BYTES = 4096


class FileKind(Enum):
    """RUN is a saved run, RECORDING one of comparisons, DEMO one to play; OTHER is for the page in view."""

    RUN = "run"
    RECORDING = "recording"
    DEMO = "demo"
    OTHER = "other"


def kind_of(path: Path) -> FileKind:
    """The kind of a file. What bears the name of a saved run or of a demo is one, damaged or not, so that reading it
    says what is wrong; what cannot be opened is OTHER: whoever takes it says why."""
    from core.recordings.document import FORMAT as RECORDING_FORMAT
    from core.run_files.document import is_run_file

    try:
        with open_regular(path) as file:
            start = file.read(_START_BYTES)
    except OSError:
        start = b""
    if is_run_file(start) or path.suffix.lower() == SUFFIX:
        return FileKind.RUN
    if path.suffix.lower() == DEMO_SUFFIX:
        return FileKind.DEMO
    is_recording = start.lstrip().startswith(b"{") and f'"{RECORDING_FORMAT}"'.encode() in start
    return FileKind.RECORDING if is_recording else FileKind.OTHER
