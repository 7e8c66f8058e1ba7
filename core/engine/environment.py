"""The environment that a result was computed in. The worker stores it in every result."""

from __future__ import annotations

from core.contracts.params import Params
from core.contracts.result import Environment
from core.contracts.topic import Topic
from core.hardware.host import cpu_name
from core.versions import versions


def environment_of(topic: Topic, params: Params, device: str) -> Environment:
    """The environment of a run on `device`, 'cpu' or 'cuda'. Worker only: torch gives the name of the GPU."""
    backend, installed = topic.backend(params, device), versions(*topic.packages)
    if device == "cpu":
        return Environment(f"cpu ({cpu_name()})", backend, installed)
    import torch

    return Environment(f"cuda ({torch.cuda.get_device_name(device)})", backend, installed)
