"""Calls functions by name, because the window's process must not import the module of the worker."""

from __future__ import annotations

import importlib
from typing import Any

WORKER = "core.engine.worker"


def call(function: str, *args: Any) -> Any:
    """Call a function of the worker module. Runs in the worker."""
    return getattr(importlib.import_module(WORKER), function)(*args)


async def call_async(function: str, *args: Any) -> Any:
    """Call a coroutine function of the worker module on the worker's event loop. Runs in the worker."""
    return await getattr(importlib.import_module(WORKER), function)(*args)
