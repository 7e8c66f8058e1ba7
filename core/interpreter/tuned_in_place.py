"""Autotuned kernels that change what they read: tuning runs them many times, and each run starts from another state."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch

from core.contracts.text import tr
from core.interpreter.memory import Memory
from core.interpreter.stored_values import differ, shown
from core.interpreter.trial import storages_of
from core.sanitizer import kinds
from core.sanitizer.views import located
from core.trace.affine import IntArray
from core.trace.record import Fault, Launch

_MOST_BYTES = 64 << 20
"""Storages that are compared. What larger ones hold is not."""

Before = dict[int, torch.Tensor]
"""Storages before a launch, by address, as bytes."""


def protected(autotuners: Iterable[Any]) -> frozenset[str] | None:
    """The arguments that the autotuners around a kernel restore; None if nothing is tuned, or hooks of the user's may
    restore anything."""
    names: set[str] = set()
    tunes = False
    for autotuner in autotuners:
        hooks = any(config.pre_hook is not None for config in autotuner.configs)
        if hooks or getattr(autotuner, "user_defined_pre_hook", True):
            return None
        tunes = tunes or len(autotuner.configs) > 1
        names.update(autotuner.reset_to_zero, autotuner.restore_value)
    return frozenset(names) if tunes else None


def kept(arguments: Iterable[Any]) -> Before:
    """What the tensors among the arguments of a launch hold before it."""
    return {
        address: bytes_of(storage).clone()
        for address, storage in storages_of(arguments).items()
        if storage.nbytes() <= _MOST_BYTES
    }


def tuned_in_place(
    launch: Launch, memories: Sequence[Memory], before: Before, restored: frozenset[str]
) -> tuple[Fault, ...]:
    """The tensors of an autotuned launch of which it changed elements that it had read, unless they are restored."""
    by_storage: dict[int, dict[int, Memory]] = {}
    for number, memory in enumerate(memories):
        by_storage.setdefault(memory.storage_range[0], {})[number] = memory
    found = []
    for start, tensors in by_storage.items():
        names = {memory.buffer.name for memory in tensors.values()}
        widths = {memory.element_bytes for memory in tensors.values()}
        widths |= {launch.buffers[number].element_bytes for number in tensors}
        if start in before and len(widths) == 1 and not names & restored:
            fault = _changed(launch, tensors, before[start])
            found += [fault] if fault is not None else []
    return tuple(found)


def _changed(launch: Launch, tensors: dict[int, Memory], before: torch.Tensor) -> Fault | None:
    """The finding for a storage, by the tensors in it."""
    accesses = [(place, access) for place, access in enumerate(launch.accesses) if access.buffer in tensors]
    ways = {access.kind for _, access in accesses}
    if "atomic" not in ways and not ways >= {"load", "store"}:
        return None
    some = next(iter(tensors.values()))
    dtype = getattr(torch, some.buffer.dtype, some.flat.dtype)
    new = some.flat.cpu().view(dtype)
    old = before[: new.numel() * new.element_size()].view(dtype).cpu()
    never = np.iinfo(np.int64).max
    read, written = np.full(len(new), never), np.full(len(new), never)
    for place, access in accesses:
        elements: IntArray = access.offsets()[access.active()] + tensors[access.buffer].base
        if access.kind != "store":
            np.minimum.at(read, elements, place)
        if access.kind != "load":
            np.minimum.at(written, elements, place)
    places = np.flatnonzero(differ(old, new).numpy() & (written < never) & (read <= written))
    if not len(places):
        return None
    first = int(places[0])
    access = launch.accesses[int(written[first])]
    buffer, index = launch.buffers[access.buffer], first - tensors[access.buffer].base
    hits = access.active() & (access.offsets() == index)
    lane = int(hits.reshape(len(access.programs), -1).any(axis=1).argmax())
    return Fault(
        kind=kinds.TUNED_IN_PLACE,
        access=access.kind,
        buffer=access.buffer,
        file=access.file,
        line=access.line,
        program=int(access.programs[lane]),
        index=index,
        count=len(places),
        sentence=tr(
            "Tuning runs {kernel} several times, and each run changes what the next one reads: index {index} of "
            "{tensor} is {value} before a run and {other_value} after it, changed at {location} ({count:,} elements in "
            "total).",
            kernel=launch.function,
            index=index,
            tensor=buffer.name,
            value=shown(old[first]),
            other_value=shown(new[first]),
            location=located(access),
            count=len(places),
        ),
        value=shown(new[first]),
        repair=tr(
            'Pass restore_value=["{tensor}"] to triton.autotune, or reset_to_zero if it is a sum that begins at 0.',
            tensor=buffer.name,
        ),
    )


def bytes_of(storage: torch.UntypedStorage) -> torch.Tensor:
    """All bytes of a storage, as a tensor that shares them."""
    empty: torch.Tensor = torch.empty(0, dtype=torch.uint8, device=storage.device)
    return empty.set_(storage, 0, (storage.nbytes(),), (1,))
