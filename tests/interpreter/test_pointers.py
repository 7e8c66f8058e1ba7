"""Pointers from numbers, into several tensors and of another width.

Values and addresses against Triton's interpreter are in test_against_interpreter.py."""

from __future__ import annotations

import pytest
import torch

from core.contracts.errors import TilescopeError
from core.interpreter import intercept
from core.trace.record import Launch
from core.trace.tables import tables
from tests.interpreter import pointer_kernels as kernels
from tests.interpreter.access_counts import access_counts
from tests.interpreter.pointer_cases import POINTERS, addresses


def traced_bytes(launch: Launch) -> dict[str, tuple[int, int, int]]:
    """Bytes read, written and distinct, by tensor."""
    return {row.tensor: (row.read_bytes, row.written_bytes, row.unique_bytes) for row in tables([launch]).tensors}


def test_that_tensors_behind_a_table_are_named_by_their_place_in_it() -> None:
    with intercept() as tracer:
        POINTERS["table"]()
    assert traced_bytes(tracer.launches[0]) == {
        "table_ptr": (32, 0, 32),
        "sizes_ptr": (16, 0, 16),
        "o_ptr": (0, 256, 256),
        **{f"table_ptr[{index}]": (4 * size, 4 * size, 4 * size) for index, size in enumerate((16, 9, 1, 13))},
    }


def test_that_a_tensor_that_is_an_argument_too_is_that_argument() -> None:
    o = torch.zeros(16)
    with intercept() as tracer:
        kernels.grouped_kernel[(1,)](addresses([o]), o, 1, BLOCK=16)
    assert traced_bytes(tracer.launches[0])["o_ptr"] == (64, 64, 64)


@pytest.mark.parametrize("case", POINTERS)
def test_that_addresses_alone_are_the_same(case: str) -> None:
    counts = []
    for addresses_only in (False, True):
        with intercept(addresses_only=addresses_only) as tracer:
            POINTERS[case]()
        counts.append(access_counts(tracer.launches[0]))
    assert counts[0] == counts[1]


def test_that_bytes_of_other_widths_are_exact() -> None:
    x = torch.randn(68, generator=torch.Generator().manual_seed(0)).to(torch.float16)
    o, n = torch.zeros(64, dtype=torch.float16), torch.arange(16, dtype=torch.int32) * 2**24 + 5
    with intercept() as tracer:
        kernels.wide_kernel[(2,)](x[4:], o, n, BLOCK=8)
    assert torch.equal(o, x[4:])
    assert n.tolist() == list(range(16))
    launch = tracer.launches[0]
    assert traced_bytes(launch) == {"x_ptr": (128, 0, 128), "o_ptr": (0, 128, 128), "n_ptr": (16, 64, 64)}
    assert [(buffer.dtype, buffer.shape) for buffer in launch.buffers] == [
        ("float16", (64,)),
        ("float16", (64,)),
        ("uint8", (16, 4)),
    ]


def test_that_an_address_in_no_tensor_is_a_fault_with_the_address() -> None:
    table, o = torch.tensor([64, 4096], dtype=torch.int64), torch.zeros(2, 16)
    sizes = torch.tensor([4, 0], dtype=torch.int32)
    with intercept(faults="record") as tracer:
        kernels.table_kernel[(2,)](table, sizes, o, BLOCK=16)
    first, second = tracer.launches[0].faults
    assert (first.access, first.count, second.access) == ("load", 4, "store")
    assert "program (0, 0, 0) accesses address 0x40, which lies in no tensor." in str(first.sentence)
    assert not o[0, :4].any()
    assert bool((o[1] == -2).all())


def test_that_an_access_beyond_a_tensor_of_a_table_is_a_fault_of_that_tensor() -> None:
    parts, sizes = [torch.zeros(8), torch.zeros(8)], torch.tensor([8, 9], dtype=torch.int32)
    with pytest.raises(TilescopeError, match=r"program \(1, 0, 0\) reaches index 8 of table_ptr\[1\]"), intercept():
        kernels.table_kernel[(2,)](addresses(parts), sizes, torch.zeros(2, 16), BLOCK=16)


def test_that_a_pointer_into_an_element_is_one_sentence() -> None:
    with (
        pytest.raises(TilescopeError, match=r"pointer to elements of 4 bytes from an address that is no multiple of 4"),
        intercept(),
    ):
        kernels.misaligned_kernel[(1,)](torch.zeros(16, dtype=torch.int8))
