"""Threads that the traced file starts are watched as the one that traces is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from core.interpreter.virtual_gpu.patching import replaced

_BEGIN = "_bootstrap_inner"
"""The method of a Thread that runs in it, around `run`."""


@contextmanager
def threads_inside(contexts: Callable[[], list[AbstractContextManager[Any]]]) -> Iterator[None]:
    """Inside the block, every thread that is started runs inside contexts of its own: PyTorch's modes belong to a
    thread."""
    begin = getattr(threading.Thread, _BEGIN)

    def inside(thread: threading.Thread) -> None:
        with ExitStack() as stack:
            for context in contexts():
                stack.enter_context(context)
            begin(thread)

    with replaced(threading.Thread, {_BEGIN: inside}):
        yield
