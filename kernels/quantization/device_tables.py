"""The tables of the formats as tensors, made once for each device."""

from __future__ import annotations

import torch

from kernels.quantization.tables import Tables

_made: dict[tuple[int, torch.device], tuple[torch.Tensor, torch.Tensor]] = {}


def on_device(tables: Tables, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """(boundaries, levels), float32 [2^bits] each."""
    key = (id(tables), device)  # tables are made once and kept
    if key not in _made:
        _made[key] = (
            torch.from_numpy(tables.boundaries).to(device, copy=True),
            torch.from_numpy(tables.levels).to(device, copy=True),
        )
    return _made[key]
