"""Addresses only, where the host uses what a kernel wrote: it is noticed, and never answered with stale memory."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch

from core.interpreter import NeedsData, intercept
from core.interpreter.host_reads import observed, unobserved
from core.interpreter.unwritten import UnwrittenStores
from tests.interpreter import traced_kernels as kernels


def added() -> torch.Tensor:
    x, o = torch.arange(16.0), torch.zeros(16)
    kernels.add_kernel[(1,)](x, x, o, 16, BLOCK=16)
    return o


READS: dict[str, Callable[[torch.Tensor], Any]] = {
    "item": lambda o: o[3].item(),
    "int": lambda o: int(o[3]),
    "branch": lambda o: bool((o > 3).any()),
    "tolist": lambda o: o.tolist(),
    "numpy": lambda o: o.numpy(),
    "array": lambda o: o.__array__(),
    "through a sum": lambda o: (o.double() + 1).sum().item(),
    "through another tensor": lambda o: torch.zeros(16).copy_(o).max().item(),
    "through a part": lambda o: torch.ones(32).index_copy_(0, torch.arange(16), o)[:16].tolist(),
    "nonzero": lambda o: o.nonzero(),
    "a mask": lambda o: torch.ones(16)[o > 3],
    "unique": lambda o: o.int().unique(),
    "counts": lambda o: torch.repeat_interleave(torch.arange(16), o.long()),
    "equal": lambda o: torch.equal(o, torch.zeros(16)),
    "allclose": lambda o: torch.allclose(o, torch.zeros(16)),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_that_a_number_that_leaves_an_unwritten_tensor_is_noticed(read: Callable[[torch.Tensor], Any]) -> None:
    with (
        pytest.raises(NeedsData, match=r"The host reads what .*traced_kernels\.py:\d+ writes"),
        intercept(addresses_only=True),
    ):
        read(added())


HARMLESS: dict[str, Callable[[torch.Tensor], Any]] = {
    "shape": lambda o: (o.shape, o.numel(), o.data_ptr(), o.stride()),
    "arithmetic": lambda o: torch.softmax(o, 0) @ torch.ones(16),
    "indices": lambda o: o[torch.tensor([1, 2])],
    "another tensor": lambda o: (torch.ones(4).sum().item(), torch.arange(3).tolist()),
    "zeroed": lambda o: o.zero_().tolist(),
    "overwritten": lambda o: o.copy_(torch.ones(16)).sum().item(),
    "a new tensor": lambda o: [torch.zeros(16).add(1).sum().item() for _ in range(20)],
}


@pytest.mark.parametrize("use", HARMLESS.values(), ids=HARMLESS)
def test_that_what_needs_no_value_goes_on(use: Callable[[torch.Tensor], Any]) -> None:
    with intercept(addresses_only=True) as tracer:
        use(added())
        use(added())
    assert len(tracer.launches) == 2
    assert tracer.needs_data is None


def test_that_the_memory_of_a_dropped_tensor_is_not_unwritten_for_the_next() -> None:
    with intercept(addresses_only=True):
        for _ in range(20):
            added()
            assert torch.full((16,), 2.0).sum().item() == 32
            assert torch.tensor([2.0] * 16).tolist() == [2.0] * 16


def test_that_freed_memory_is_not_unwritten_for_whoever_gets_it_next() -> None:
    """Some ways to make a tensor are no operations that could be noticed."""
    unwritten, tensor = UnwrittenStores(), torch.zeros(4)
    address = tensor.data_ptr()
    unwritten.add_storage(tensor, "file.py:1")
    next_owner = torch.frombuffer((ctypes.c_float * 4).from_address(address), dtype=torch.float32)
    assert unwritten.line_of(next_owner) == "file.py:1"
    del tensor
    assert unwritten.line_of(next_owner) == ""  # its values are never touched


def test_that_the_memory_of_an_array_stays_unwritten_when_the_tensor_around_it_is_dropped() -> None:
    unwritten, array = UnwrittenStores(), np.zeros(4)
    unwritten.add_storage(torch.from_numpy(array), "file.py:1")
    assert unwritten.line_of(torch.from_numpy(array)) == "file.py:1"


def test_that_code_that_catches_the_error_launches_nothing_more() -> None:
    with intercept(addresses_only=True) as tracer:
        o = added()
        with pytest.raises(NeedsData):
            o.sum().item()
        with pytest.raises(NeedsData):
            added()
    assert len(tracer.launches) == 1
    assert "full trace" in str(tracer.needs_data.notice if tracer.needs_data else "")


def test_that_a_full_trace_reads_as_ever_and_that_methods_are_put_back() -> None:
    methods = [torch.Tensor.tolist, torch.Tensor.numpy, torch.Tensor.__array__]
    with intercept():
        assert added().tolist() == [2.0 * i for i in range(16)]
    with intercept(addresses_only=True):
        added()
    assert methods == [torch.Tensor.tolist, torch.Tensor.numpy, torch.Tensor.__array__]


def test_that_a_launch_reads_what_the_host_may_not() -> None:
    """Its own values may lie where an unwritten tensor has been."""
    unwritten, tensor = UnwrittenStores(), torch.zeros(4)
    unwritten.add_storage(tensor, "file.py:1")
    with observed(unwritten):
        with unobserved():
            assert tensor.numpy().tolist() == [0.0] * 4
        with pytest.raises(NeedsData):
            tensor.numpy()


def test_that_a_launch_hides_no_read_of_another_thread() -> None:
    unwritten, tensor = UnwrittenStores(), torch.zeros(4)
    unwritten.add_storage(tensor, "file.py:1")
    with observed(unwritten), unobserved(), ThreadPoolExecutor(1) as other:
        reading = other.submit(tensor.numpy)
        with pytest.raises(NeedsData):
            reading.result()
