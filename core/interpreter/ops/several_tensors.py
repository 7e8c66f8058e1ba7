"""Accesses through a pointer whose elements point into different tensors: one access for each tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from core.interpreter.frame import Frame
from core.interpreter.ir import Type
from core.interpreter.values import Lanes, Pointer, cut, to_torch, torch_dtype
from core.trace.affine import Affine
from core.trace.mask import Mask, Predicate, both, from_array


@dataclass(frozen=True)
class Part:
    """The lanes that reach one tensor: a frame of theirs, a pointer into that tensor alone, and which elements it has.

    `lanes` are their indices in the whole frame.
    """

    frame: Frame
    lanes: Lanes
    pointer: Pointer
    keep: Predicate

    def cut(self, value: Any) -> Any:
        """A value of the whole frame for these lanes."""
        indices = None if isinstance(self.lanes, slice) else torch.from_numpy(self.lanes).to(self.frame.run.device)
        return cut(value, self.lanes, indices)


def parts(frame: Frame, pointer: Pointer, keep: Predicate) -> Iterator[Part]:
    """The accesses to each tensor, one after another. A pointer into one tensor is one part: all lanes."""
    if not isinstance(pointer.buffer, Affine):
        yield Part(frame, slice(None), pointer, keep)
        return
    if keep is False:
        return
    buffers = pointer.buffer.dense()
    if isinstance(keep, Mask):
        reached = np.broadcast_arrays(buffers, keep.array)
        distinct = np.unique(reached[0][reached[1]])
    else:
        distinct = np.unique(buffers)
    for buffer in distinct.tolist():
        present = buffers == buffer
        lanes: Lanes = slice(None)
        if present.shape[0] > 1:
            lanes = np.flatnonzero(present.reshape(present.shape[0], -1).any(axis=1))
        kept = both(cut(keep, lanes), from_array(present[lanes]))
        inner = frame.of_lanes(lanes)
        yield Part(inner, lanes, Pointer(buffer, cut(pointer.offset, lanes)), kept)
        frame.order = inner.order


def joined(frame: Frame, pointer: Pointer, keep: Predicate, type_: Type, access: Callable[[Part], Any]) -> torch.Tensor:
    """What `access` reads from each tensor, put together: [lanes, *dims], 0 where nothing is read."""
    shape = (frame.count, *type_.dims)
    result = torch.zeros(shape, dtype=torch_dtype(type_.element), device=frame.run.device)
    for part in parts(frame, pointer, keep):
        tile = to_torch(access(part), type_)
        lanes = part.lanes if isinstance(part.lanes, slice) else torch.from_numpy(part.lanes).to(result.device)
        if part.keep is not True:
            tile = torch.where(to_torch(part.keep, type_.with_element("i1")), tile, result[lanes])
        result[lanes] = tile.expand(part.frame.count, *type_.dims)
    return result
