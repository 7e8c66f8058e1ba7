"""`torch.autocast("cuda")`: the tensors are the CPU's, so it is the CPU's autocast that has to act on them."""

from __future__ import annotations

from typing import Any

import torch

_enter: Any = torch.autocast.__enter__
_exit: Any = torch.autocast.__exit__
_HOST = "_tilescope_on_host"


def autocast_methods() -> dict[str, Any]:
    """In place of methods of `torch.autocast`."""
    return {"__enter__": _enter_both, "__exit__": _exit_both}


def _enter_both(context: Any) -> Any:
    """Enter autocast for CUDA, which files can ask about, and with the same type for the CPU, which casts."""
    entered = _enter(context)
    if context.device == "cuda":
        on_host = torch.autocast("cpu", dtype=context.fast_dtype, enabled=context._enabled)
        _enter(on_host)
        setattr(context, _HOST, [*getattr(context, _HOST, []), on_host])
    return entered


def _exit_both(context: Any, *error: Any) -> Any:
    if context.device == "cuda":
        _exit(getattr(context, _HOST).pop(), *error)
    return _exit(context, *error)
