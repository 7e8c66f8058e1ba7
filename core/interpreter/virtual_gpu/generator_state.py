"""The state of a generator as a GPU has it: a seed and an offset, which libraries read, advance and hand to kernels."""

from __future__ import annotations

from typing import Any

import torch

STATE_BYTES = 16
_STEP = 4
"""Offsets are multiples of this."""

_MOST_KNOWN = 256
_LARGEST_SEED = 1 << 63


class State:
    """Translates between that and the state of a generator of the host."""

    def __init__(self) -> None:
        self._offset = 0
        self._last: torch.Tensor | None = None
        self._known: dict[tuple[int, int], torch.Tensor] = {}

    def read(self, host: Any) -> torch.Tensor:
        """Seed and offset as 16 bytes. The offset has grown if numbers were drawn since the last time."""
        state, seed = host.get_state(), _signed(host.initial_seed())
        if self._last is not None and not torch.equal(state, self._last):
            self._offset += _STEP
        self._last = state
        if len(self._known) >= _MOST_KNOWN:
            self._known.pop(next(iter(self._known)))
        self._known[seed, self._offset] = state
        return torch.tensor([seed, self._offset]).view(torch.uint8)

    def write(self, host: Any, state: torch.Tensor) -> None:
        """Back to where that state was read, or else to the start of that seed."""
        seed, offset = state.clone().view(torch.int64).tolist()
        known = self._known.get((seed, offset))
        if known is not None:
            host.set_state(known)
        elif seed != _signed(host.initial_seed()):
            host.manual_seed(seed)
        self._offset, self._last = offset, host.get_state()


def _signed(seed: int) -> int:
    return seed - 2 * _LARGEST_SEED if seed >= _LARGEST_SEED else seed
