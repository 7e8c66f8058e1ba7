"""`torch.Generator(device="cuda")`: a generator of the host that says that it is on the GPU."""

from __future__ import annotations

from typing import Any

import torch

from core.interpreter.virtual_gpu.generator_state import STATE_BYTES, State
from core.interpreter.virtual_gpu.residency import DEVICE, HOST, as_device

_Original = torch.Generator


class _AnyGenerator(type(_Original)):  # type: ignore[misc]
    """Generators made before the block are instances too."""

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, _Original)


class Generator(_Original, metaclass=_AnyGenerator):
    """In place of `torch.Generator`. Its numbers are those of a generator of the CPU with the same seed."""

    def __new__(cls, device: Any = "cpu") -> Generator:
        named = as_device(device)
        make: Any = super().__new__
        made: Generator = make(cls, device=HOST if named == DEVICE else named)
        made._named = named
        return made

    _named: torch.device | None
    _state: State | None = None

    def get_state(self) -> torch.Tensor:
        return self._of_gpu.read(super()) if self.device == DEVICE else super().get_state()

    def set_state(self, state: torch.Tensor) -> Generator:
        if self.device == DEVICE and len(state) == STATE_BYTES:
            self._of_gpu.write(super(), state)
        else:
            super().set_state(state)
        return self

    @property
    def _of_gpu(self) -> State:
        if self._state is None:
            self._state = State()
        return self._state

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        assert self._named is not None
        return self._named


class DefaultGenerator(Generator):
    """`torch.cuda.default_generators[0]`: the host's own generator, from which the virtual GPU draws."""

    def __new__(cls) -> DefaultGenerator:
        made = super().__new__(cls, DEVICE)
        assert isinstance(made, DefaultGenerator)
        return made

    def get_state(self) -> torch.Tensor:
        return self._of_gpu.read(torch.default_generator)

    def set_state(self, state: torch.Tensor) -> Generator:
        self._of_gpu.write(torch.default_generator, state)
        return self

    def manual_seed(self, seed: int) -> Generator:
        torch.default_generator.manual_seed(seed)
        return self

    def seed(self) -> int:
        return torch.default_generator.seed()

    def initial_seed(self) -> int:
        return torch.default_generator.initial_seed()
