"""The user's own part of a traceback: their code and the libraries that it calls, without Tilescope's frames."""

from __future__ import annotations

import os
import sys
import sysconfig
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from core.contracts.errors import TilescopeError

_OURS = f"{Path(__file__).parents[1]}{os.sep}"
_STANDARD_LIBRARY = tuple(f"{sysconfig.get_path(name)}{os.sep}" for name in ("stdlib", "platstdlib"))
_TOOLS = ("torch", "triton", "numpy")
"""Libraries that Tilescope calls too: what they raise under a frame of ours is not the user's."""

_MOST_FRAMES = 60
"""Of a stack. A recursion without end has a thousand that say the same."""


def users_stack(error: BaseException) -> str:
    """The traceback of an error as Python prints it, without frames of ours, and without Triton's where it calls us.

    A TilescopeError is a sentence already, so only the way to it is told. '' if no frame is the user's.
    """
    return "\n".join(part for part in _parts(traceback.TracebackException.from_exception(error)) if part)


def is_own_fault(error: BaseException) -> bool:
    """Whether an error arose in Tilescope's code, or in a library that it called: no code of the user came after it."""
    return _last_of_ours([frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)]) is not None


def _last_of_ours(files: Sequence[str]) -> int | None:
    """The index of the last file of ours, None if code of others came after it."""
    last = max((index for index, file in enumerate(files) if file.startswith(_OURS)), default=None)
    return last if last is not None and all(_is_tool(file) for file in files[last + 1 :]) else None


def _is_tool(file: str) -> bool:
    if file.startswith("<frozen") or (file.startswith(_STANDARD_LIBRARY) and "site-packages" not in file):
        return True
    return file.startswith(tuple(_folders(_TOOLS)))


def _folders(packages: Sequence[str]) -> Iterator[str]:
    for name in packages:
        file = getattr(sys.modules.get(name), "__file__", None)
        if file:
            yield f"{Path(file).parent}{os.sep}"


def _parts(error: traceback.TracebackException) -> Iterator[str]:
    """The stacks of an error and of those that caused it, the first cause first."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield from _parts(cause)
    frames = _theirs(list(error.stack))
    if not frames:
        return
    shown = traceback.StackSummary.from_list(frames[-_MOST_FRAMES:])
    told = "" if _is_sentence(error) else "".join(error.format_exception_only())
    yield "Traceback (most recent call last):\n" + "".join(shown.format()) + told


def _theirs(frames: list[traceback.FrameSummary]) -> list[traceback.FrameSummary]:
    """Neither ours nor what leads to them in Triton, nor what a library of ours did below them."""
    launcher = tuple(_folders(("triton",)))
    if (last := _last_of_ours([frame.filename for frame in frames])) is not None:
        frames = frames[: last + 1]
    kept: list[traceback.FrameSummary] = []
    leads_to_ours = False
    for frame in reversed(frames):
        ours = frame.filename.startswith(_OURS)
        leads_to_ours = ours or (leads_to_ours and bool(launcher) and frame.filename.startswith(launcher))
        if not leads_to_ours:
            kept.append(frame)
    return kept[::-1]


def _is_sentence(error: traceback.TracebackException) -> bool:
    kind = error.exc_type
    return kind is not None and issubclass(kind, TilescopeError)
