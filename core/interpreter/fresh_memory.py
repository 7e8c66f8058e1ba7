"""Memory that PyTorch gave out without values (`torch.empty`), and what kernels have written of it since.

PyTorch counts the operations that write to a tensor; after one, the whole storage counts as written. So does one that
may be written unseen (`numpy()`, `data`). What remains was written by kernels alone, element by element.

Floating-point memory is filled with NaN first, so that what comes of it is seen. A kernel may load what nobody has
written and then drop it, as one that masks a triangle does: then nothing is reported.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.multiprocessing.reductions import StorageWeakRef

from core.contracts.text import sentences, tr
from core.interpreter.memory import Memory
from core.interpreter.shadows.instrument import Line
from core.sanitizer.initialisation import Elements, Written, uninitialised_reads, unwritten_output
from core.trace.record import Fault, Launch

_MAKERS = {"empty", "empty_like", "empty_permuted", "empty_strided", "new_empty", "new_empty_strided"}
_ESCAPES = {"numpy", "__array__", "__dlpack__", "resize_", "set_", "storage", "untyped_storage"}
_MOST_ELEMENTS = 1 << 28
"""Larger memory is not watched."""

_MOST_FILLED = 1 << 26
"""Larger memory is not filled, as most of it may never be touched."""

_NAN_BYTE = 0xFF
"""A number of such bytes alone is NaN in every floating-point format that has NaN."""


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

    def is_unwritten(self, tensor: torch.Tensor) -> bool:
        """Whether a part of the storage that a tensor lies in was never written."""
        fresh = self._alive.get(tensor.untyped_storage()._cdata)
        return fresh is not None and not (fresh.is_freed or fresh.is_written or bool(fresh.memory.written.all()))

    def launched(
        self,
        launch: Launch,
        memories: Sequence[Memory],
        number: int,
        *,
        placed_by_data: bool,
        dropped: Callable[[Elements], set[Line]],
    ) -> Launch:
        """Launch `number`, with its reads of what nobody has written. `placed_by_data` says that where it stores may
        depend on values that it loads, `dropped` on which lines such values get nowhere."""
        tensors: dict[int, list[int]] = {}
        for buffer, memory in enumerate(memories):
            tensors.setdefault(memory.flat.untyped_storage()._cdata, []).append(buffer)
        faults = list(launch.faults)
        for key, buffers in tensors.items():
            fresh = self._alive.get(key)
            if fresh is not None and not fresh.is_freed and not fresh.is_written:
                found, elements = uninitialised_reads(launch, fresh.memory, buffers, number)
                fresh.memory.placed_by_data = placed_by_data
                if launch.addresses_only:
                    faults += [_uncertain(fault) if fault.access == "load" else fault for fault in found]
                    continue
                quiet = dropped(elements) if found else set()
                faults += [fault for fault in found if fault.access != "load" or (fault.file, fault.line) not in quiet]
        return replace(launch, faults=tuple(faults))

    def forget(self, memories: Sequence[Memory]) -> None:
        """What a launch that was stopped would have written is not looked for."""
        for memory in memories:
            self._alive.pop(memory.flat.untyped_storage()._cdata, None)

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
        if tensor.dtype.is_floating_point and count <= _MOST_FILLED and storage.device.type == "cpu":
            ctypes.memset(storage.data_ptr(), _NAN_BYTE, storage.nbytes())
        self._alive[storage._cdata] = _Fresh(StorageWeakRef(storage), witness, written)  # type: ignore[no-untyped-call]

    def _is_cut(self, tensor: torch.Tensor) -> None:
        """A part of a tensor is used by itself: the rest may be spare room."""
        storage = tensor.untyped_storage()
        fresh = self._alive.get(storage._cdata)
        if fresh is not None and tensor.numel() * tensor.element_size() < storage.nbytes():
            fresh.memory.is_read = True


def _uncertain(fault: Fault) -> Fault:
    """The remark on a load of which no value was computed."""
    unknown = tr("Whether the value gets anywhere is not known: a trace of addresses only computes none.")
    return replace(fault, severity="remark", sentence=sentences(fault.sentence, unknown))


_DATA = torch.Tensor.data.__get__  # type: ignore[attr-defined]


def _tensors(values: Iterable[Any]) -> Iterator[torch.Tensor]:
    for value in values:
        if isinstance(value, torch.Tensor) and value.layout == torch.strided and not value.is_meta:
            yield value
