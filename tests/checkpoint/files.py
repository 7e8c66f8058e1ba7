"""Checkpoints to read: well-formed ones by the safetensors library, broken ones byte by byte."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file


def written(path: Path, header: Any, data: bytes = b"", announced: int | None = None) -> Path:
    """A file with this header (bytes as they are, else as JSON) and these bytes behind it."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if announced is None else announced).to_bytes(8, "little") + text + data)
    return path


def sharded(folder: Path, shards: Sequence[Mapping[str, torch.Tensor]]) -> Path:
    """The index of a checkpoint in several files; returns its path."""
    folder.mkdir(exist_ok=True)
    weight_map = {}
    for number, tensors in enumerate(shards, 1):
        name = f"model-{number:05}-of-{len(shards):05}.safetensors"
        save_file(dict(tensors), folder / name)
        weight_map.update(dict.fromkeys(tensors, name))
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return index


def normal(*shape: int, dtype: torch.dtype = torch.bfloat16, seed: int = 0, scale: float = 0.02) -> torch.Tensor:
    """Normally distributed weights."""
    return (torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale).to(dtype)
