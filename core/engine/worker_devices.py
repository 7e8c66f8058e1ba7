"""Which device a run gets. Worker side only: this imports torch."""

from __future__ import annotations

from core.errors import MissingRequirement


def resolve_device(device: str) -> tuple[str, str]:
    """The torch device ('cpu' or 'cuda') and its label, e.g. 'cuda (NVIDIA H200)'.

    Raises MissingRequirement for 'cuda' where there is no GPU.
    """
    if device == "cpu":
        return "cpu", "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda", f"cuda ({torch.cuda.get_device_name()})"
    if device == "auto":
        return "cpu", "cpu"
    raise MissingRequirement(
        "This worker has no CUDA GPU: choose the device 'cpu' or 'auto', "
        "or give the address of a scheduler whose workers have one."
    )
