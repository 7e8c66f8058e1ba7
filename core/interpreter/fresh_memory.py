"""Memory that PyTorch gave out without values (`torch.empty`), and what kernels have written of it since.

PyTorch counts the operations that write to a tensor; after one, the whole storage counts as written. So does one that
may be written unseen (`numpy()`, `data`). What remains was written by kernels alone, element by element.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.multiprocessing.reductions import StorageWeakRef

from core.interpreter.memory import Memory
from core.sanitizer.initialisation import Written, uninitialised_reads, unwritten_output
from core.trace.record import Launch

_MAKERS = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided"}
_ESCAPES = {"numpy", "__array__", "__dlpack__", "resize_", "set_", "storage", "untyped_storage"}
_MOST_ELEMENTS = 1 << 28
"""Larger memory is not watched."""


@dataclass
class _Fresh:
    """A storage without values. `witness` shares the count of writes with its tensors, but not the memory."""

    storage: StorageWeakRef
    witness: torch.Tensor
    memory: Written

    @property
    def is_written(self) -> bool:
        """Whether somebody else than a kernel wrote to it."""
        return self.witness._version > 0

    @property
    def is_freed(self) -> bool:
        return bool(self.storage.expired())  # type: ignore[no-untyped-call]


class FreshMemory:
    """The storages without values of a trace. Memory that is freed may be given out again."""

    def __init__(self) -> None:
        self._alive: dict[int, _Fresh] = {}
        self._freed: list[_Fresh] = []

    def saw(self, function: Any, given: Iterable[Any], results: Iterable[Any]) -> None:
        """A function of PyTorch's got and returned these values."""
        name = getattr(function, "__name__", "")
        if name in _MAKERS:
            for tensor in _tensors(results):
                self._add(tensor)
        elif self._alive and (name in _ESCAPES or function == _DATA):
            for tensor in _tensors(given):
                self._alive.pop(tensor.untyped_storage()._cdata, None)
        elif self._alive:
            for tensor in _tensors(results):
                self._is_cut(tensor)

    def launched(self, launch: Launch, memories: Sequence[Memory], number: int) -> Launch:
        """Launch `number`, with its reads of what nobody has written."""
        tensors: dict[int, list[int]] = {}
        for buffer, memory in enumerate(memories):
            tensors.setdefault(memory.flat.untyped_storage()._cdata, []).append(buffer)
        faults = list(launch.faults)
        for key, buffers in tensors.items():
            fresh = self._alive.get(key)
            if fresh is not None and not fresh.is_freed and not fresh.is_written:
                faults += uninitialised_reads(launch, fresh.memory, buffers, number)
        return replace(launch, faults=tuple(faults))

    def finished(self, launches: list[Launch]) -> None:
        """Add to the launches what they left unwritten for good."""
        for fresh in (*self._freed, *self._alive.values()):
            last = fresh.memory.last_store
            if last is not None and not fresh.is_written and last[0] < len(launches):
                launch = launches[last[0]]
                fault = unwritten_output(launch, fresh.memory)
                if fault is not None:
                    launches[last[0]] = replace(launch, faults=(*launch.faults, fault))

    def _add(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        count = storage.nbytes() // tensor.element_size()
        if not 0 < count <= _MOST_ELEMENTS or tensor.is_inference() or tensor._version:
            return
        witness = tensor.detach()
        witness.data = tensor.new_empty(0)
        written = Written(storage.data_ptr(), tensor.element_size(), np.zeros(count, dtype=np.bool_))
        older = self._alive.get(storage._cdata)
        if older is not None and older.memory.last_store is not None:
            self._freed.append(older)
        self._alive[storage._cdata] = _Fresh(StorageWeakRef(storage), witness, written)  # type: ignore[no-untyped-call]

    def _is_cut(self, tensor: torch.Tensor) -> None:
        """A part of a tensor is used by itself: the rest may be spare room."""
        storage = tensor.untyped_storage()
        fresh = self._alive.get(storage._cdata)
        if fresh is not None and tensor.numel() * tensor.element_size() < storage.nbytes():
            fresh.memory.is_read = True


_DATA = torch.Tensor.data.__get__  # type: ignore[attr-defined]


def _tensors(values: Iterable[Any]) -> Iterator[torch.Tensor]:
    for value in values:
        if isinstance(value, torch.Tensor) and value.layout == torch.strided and not value.is_meta:
            yield value
