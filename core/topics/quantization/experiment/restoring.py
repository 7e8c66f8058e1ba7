"""Quantizes the linear layers of a model, and restores their own weights afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.checkpoint.coding import Scales, absmax_of, restored_scales, restored_weights
from kernels.quantization.formats import FORMATS, FormatId

_PIECE_ELEMENTS = 1 << 20  # a multiple of every block size

LayerProgress = Callable[[int, int], None]
"""Takes (done, total) layers; may raise to stop."""


@contextmanager
def quantized(
    model: Any, names: Iterable[str], format_id: FormatId, block_size: int, nested_block: int, progress: LayerProgress
) -> Iterator[None]:
    """Within the block, the named linear layers have quantized weights; afterwards they have their own again.

    The copies of their own weights are in bfloat16 or float16 if that is exact, as for most checkpoints: then they take
    half of the model's size.
    """
    names = list(names)
    backups: list[tuple[torch.Tensor, torch.Tensor]] = []
    try:
        for done, name in enumerate(names):
            progress(done, len(names))
            weight = model.get_submodule(name).weight.data
            backups.append((weight, _backup(weight)))
            flat = weight.reshape(-1)
            restore_in_place(flat.numpy(), format_id, block_size, nested_block)
            weight.copy_(flat.view(weight.shape))
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
