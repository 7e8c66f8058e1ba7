"""The tables of the formats as tensors, cached per device."""

from __future__ import annotations

import torch

from kernels.quantization.tables import Tables

_cache: dict[tuple[int, torch.device], tuple[torch.Tensor, torch.Tensor]] = {}


def on_device(tables: Tables, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """(boundaries, levels), float32 [2^bits] each."""
    key = (id(tables), device)  # each Tables object is cached and lives as long as the process
    if key not in _cache:
        _cache[key] = (
            torch.from_numpy(tables.boundaries).to(device, copy=True),
            torch.from_numpy(tables.levels).to(device, copy=True),
        )
    return _cache[key]
