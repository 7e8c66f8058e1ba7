"""`torch.save` and `torch.load`: a tensor of the virtual GPU is saved as one of cuda:0, and loaded to it again."""

from __future__ import annotations

from typing import Any

import torch

from core.interpreter.virtual_gpu.residency import as_device, is_marked, mark_storage


def registry() -> dict[str, Any]:
    """In place of attributes of `torch.serialization`. What is asked first decides."""
    return {"_package_registry": [(0, _location, _restored), *torch.serialization._package_registry]}


def _location(storage: Any) -> str | None:
    untyped = getattr(storage, "_untyped_storage", storage)
    return "cuda:0" if is_marked(untyped) else None


def _restored(storage: Any, location: str) -> Any:
    if not location.startswith("cuda"):
        return None
    as_device(location)
    mark_storage(getattr(storage, "_untyped_storage", storage))
    return storage
