"""Pointer arguments that have data_ptr() and dtype, and are no tensors."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from core.contracts.errors import TilescopeError
from core.interpreter import intercept
from core.sanitizer import findings
from tests.interpreter import traced_kernels as kernels
from tests.interpreter.pointer_kernels import reverse_kernel


class Pointer:
    """All that Triton asks for."""

    def __init__(self, tensor: torch.Tensor, skipped: int = 0) -> None:
        self.dtype = tensor.dtype
        self._address = tensor.data_ptr() + skipped * tensor.element_size()

    def data_ptr(self) -> int:
        return self._address


class Holder(Pointer):
    """Holds its tensor, in a list, and is a slice of it with a shape of its own."""

    def __init__(self, tensor: torch.Tensor, skipped: int, length: int) -> None:
        super().__init__(tensor, skipped)
        self.parts, self.shape = [tensor], (length,)

    def stride(self) -> tuple[int, ...]:
        return (1,)


def add(x: Any, o: Any, length: int) -> Any:
    with intercept() as tracer:
        kernels.add_kernel[(-(-length // 16),)](x, x, o, length, BLOCK=16)
    return tracer.launches[0]


def test_that_a_pointer_into_a_living_tensor_reads_and_writes_it() -> None:
    x, o = torch.arange(40.0), torch.zeros(40)
    launch = add(Pointer(x), Pointer(o, skipped=4), 32)
    assert torch.equal(o[4:36], 2 * x[:32])
    assert not o[36:].any()
    assert [buffer.shape for buffer in launch.buffers] == [(), (), ()], "only the storage is known"
    assert [buffer.size_bytes for buffer in launch.buffers] == [160, 160, 144]


def test_that_an_object_without_a_layout_may_be_walked_backwards() -> None:
    x, o = torch.arange(16.0), torch.zeros(16)
    with intercept(faults="record") as tracer:
        reverse_kernel[(1,)](Pointer(x, skipped=15), o, BLOCK=16)
    assert torch.equal(o, x.flip(0))
    assert findings(tracer.launches[0]) == ()


def test_that_an_object_with_a_shape_is_that_slice_of_what_it_holds() -> None:
    x, o = torch.arange(40.0), torch.zeros(40)
    launch = add(Holder(x, 8, 16), Holder(o, 0, 16), 16)
    assert torch.equal(o[:16], 2 * x[8:24])
    assert [buffer.size_bytes for buffer in launch.buffers] == [64, 64, 64]


def test_that_accesses_beyond_the_memory_are_faults() -> None:
    x, o = torch.arange(16.0), torch.zeros(64)
    with pytest.raises(TilescopeError, match="Illegal load in add_kernel"):
        add(Pointer(x), Pointer(o), 20)


def test_that_an_address_of_no_tensor_is_one_sentence() -> None:
    pointer = Pointer(torch.zeros(4))
    pointer._address = 64
    with pytest.raises(TilescopeError, match=r"an object of type Pointer, whose data_ptr\(\) lies in no tensor"):
        add(pointer, torch.zeros(16), 4)
