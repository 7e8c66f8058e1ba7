"""The environment that a result was computed in. The worker stores it in every result."""

from __future__ import annotations

from collections.abc import Mapping

from core.contracts.params import Params
from core.contracts.result import Environment
from core.contracts.topic import Topic
from core.hardware.host import cpu_name
from core.versions import versions


def environment_of(topic: Topic, params: Params, device: str) -> Environment:
    """The environment of a run on `device`, 'cpu' or 'cuda'. Worker only: torch gives the name of the GPU."""
    installed = versions(*topic.packages)
    backend = _present(topic.backend(params, device), installed)
    if device == "cpu":
        return Environment(f"cpu ({cpu_name()})", backend, installed)
    import torch

    return Environment(f"cuda ({torch.cuda.get_device_name(device)})", backend, installed)


def _present(backend: str, installed: Mapping[str, str]) -> str:
    """The backend without the interpreter, where Triton is not installed: nothing is traced there."""
    if "triton" in installed:
        return backend
    return ", ".join(part for part in backend.split(", ") if not part.startswith("TTIR interpreter")) or "torch"
