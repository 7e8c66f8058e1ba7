"""Quantizes the linear layers and the experts of a model, and restores their own weights afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.checkpoint.coding import Scales, absmax_of, restored_scales, restored_weights
from core.language_model.adapters import fused_experts
from core.language_model.model import linear_names
from kernels.quantization.formats import FORMATS, FormatId

_PIECE_ELEMENTS = 1 << 20  # a multiple of every block size

_OF_EXPERTS = 3

LayerProgress = Callable[[int, int], None]
"""Takes (done, total) weights; may raise to stop."""


def quantizable_weights(model: Any) -> dict[str, torch.Tensor]:
    """What 4 bits are for, by full name: the weights of the linear layers inside the blocks, and the 3-D weights that
    hold all experts of a layer."""
    linear = {name: model.get_submodule(name).weight.data for name in linear_names(model)}
    return linear | {name: weight.data for name, weight in fused_experts(model).items()}


@contextmanager
def quantized(
    weights: Mapping[str, torch.Tensor],
    format_id: FormatId,
    block_size: int,
    nested_block: int,
    progress: LayerProgress,
) -> Iterator[None]:
    """Within the block, these weights of a model are quantized; afterwards they are their own again. Each expert of a
    3-D weight is quantized alone: its blocks and the mean of its scales are its own.

    The copies of their own weights are in bfloat16 or float16 if that is exact, as for most checkpoints: then they take
    half of the model's size.
    """
    backups: list[tuple[torch.Tensor, torch.Tensor]] = []
    try:
        for done, weight in enumerate(weights.values()):
            progress(done, len(weights))
            backups.append((weight, _backup(weight)))
            for matrix in weight if weight.ndim == _OF_EXPERTS else (weight,):
                flat = matrix.reshape(-1)
                restore_in_place(flat.numpy(), format_id, block_size, nested_block)
                matrix.copy_(flat.view(matrix.shape))
        yield
    finally:
        for weight, original in backups:
            weight.copy_(original)


def restore_in_place(weights: NDArray[np.float32], format_id: FormatId, block_size: int, nested_block: int) -> None:
    """Quantize and dequantize float32 weights [elements] in place, piece by piece."""
    pieces = [weights[begin : begin + _PIECE_ELEMENTS] for begin in range(0, len(weights), _PIECE_ELEMENTS)]
    has_nested_scales = nested_block and not FORMATS[format_id].affine
    ratios = _scale_ratios(pieces, block_size, nested_block) if has_nested_scales else [None] * len(pieces)
    for piece, ratio in zip(pieces, ratios, strict=True):
        restored = restored_weights(piece, format_id, block_size, 0)
        if ratio is not None:
            restored *= np.repeat(ratio, block_size)[: len(piece)]
        piece[:] = restored


def _scale_ratios(pieces: Iterable[NDArray[np.float32]], block_size: int, nested_block: int) -> Sequence[Scales | None]:
    """Per piece, each scale after double quantization divided by the scale itself; 1 for blocks of zeros."""
    absmax = [_absmax(piece, block_size) for piece in pieces]
    whole = np.concatenate(absmax)
    backups = restored_scales(whole, nested_block)
    ratio = np.divide(backups, whole, out=np.ones_like(backups), where=whole > 0)
    return np.split(ratio, np.cumsum([len(part) for part in absmax])[:-1])


def _absmax(piece: NDArray[np.float32], block_size: int) -> Scales:
    whole = len(piece) - len(piece) % block_size
    parts = [piece[:whole].reshape(-1, block_size), piece[whole:].reshape(1, -1)]
    return np.concatenate([absmax_of(part) for part in parts if part.size])


def _backup(weight: torch.Tensor) -> torch.Tensor:
    for dtype in (torch.bfloat16, torch.float16):
        smaller = weight.to(dtype)
        if torch.equal(smaller.to(weight.dtype), weight):
            return smaller
    return weight.clone()
