"""Says where a result comes from: stamped on every result by the worker, the same way for every topic."""

from __future__ import annotations

from core.contracts.params import Params
from core.contracts.result import Environment
from core.contracts.topic import Topic
from core.hardware.host import cpu_name
from core.versions import versions


def environment_of(topic: Topic, params: Params, device: str) -> Environment:
    """Of a run on `device`, 'cpu' or 'cuda'. Worker side: asks torch for the name of the GPU."""
    backend, installed = topic.backend(params, device), versions(*topic.packages)
    if device == "cpu":
        return Environment(f"cpu ({cpu_name()})", backend, installed)
    import torch

    return Environment(f"cuda ({torch.cuda.get_device_name(device)})", backend, installed)
