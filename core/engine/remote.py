"""Calls by name: how the window's process names a function that only a worker may import."""

from __future__ import annotations

import importlib
from typing import Any

WORKER = "core.engine.worker"


def call(function: str, *args: Any) -> Any:
    """Call a function of the worker side. Runs in the worker."""
    return getattr(importlib.import_module(WORKER), function)(*args)


async def call_async(function: str, *args: Any) -> Any:
    """Call a coroutine function of the worker side on the worker's event loop. Runs in the worker."""
    return await getattr(importlib.import_module(WORKER), function)(*args)
