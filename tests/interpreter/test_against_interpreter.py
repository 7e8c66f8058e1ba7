"""Value by value and address by address against Triton's interpreter, in float32."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import torch

from core.interpreter import Launch, intercept
from tests.interpreter.traced_cases import CASES

SPLIT_BY_TRITON = ("atomics",)
"""Triton makes two masked integer atomics of a maximum of floats, so the sequence of accesses differs."""


def addresses(launches: Sequence[Launch], tensors: Sequence[torch.Tensor]) -> np.ndarray:
    """Rows (program, sequence, kind, tensor, byte) of a trace, as the interpreter's run writes them."""
    rows = [np.empty((0, 5), dtype=np.int64)]
    sequence: dict[int, int] = {}
    for launch in launches:
        for access in sorted(launch.accesses, key=lambda a: a.order):
            buffer = launch.buffers[access.buffer]
            for index, tensor in enumerate(tensors):
                away = buffer.data_ptr - tensor.data_ptr()
                if not 0 <= away < tensor.untyped_storage().nbytes():
                    continue
                for program, offsets, active in zip(access.programs, access.offsets(), access.active(), strict=True):
                    touched = np.sort(offsets[active] * buffer.element_bytes + away).reshape(-1)
                    if len(touched):
                        position = sequence.get(int(program), 0)
                        sequence[int(program)] = position + 1
                        kind = ("load", "store", "atomic").index(access.kind)
                        rows.append(np.stack(np.broadcast_arrays(program, position, kind, index, touched), axis=1))
    return np.concatenate(rows)


def ordered(rows: np.ndarray) -> np.ndarray:
    """By program, sequence, kind, tensor and byte."""
    return rows[np.lexsort(rows.T[::-1])]


@pytest.mark.parametrize("case", CASES)
def test_that_values_and_addresses_are_those_of_the_interpreter(
    case: str, interpreted: Mapping[str, np.ndarray]
) -> None:
    with intercept() as tracer:
        tensors = CASES[case]()
    for name, tensor in tensors.items():
        expected = interpreted[f"{case}/out/{name}"]
        np.testing.assert_allclose(tensor.numpy(), expected, rtol=3e-6, atol=3e-6, err_msg=f"{case}: {name}")
    expected_rows = interpreted[f"{case}/accesses"]
    rows = addresses(tracer.launches, list(tensors.values()))
    if case in SPLIT_BY_TRITON:
        expected_rows[:, 1] = rows[:, 1] = 0
    np.testing.assert_array_equal(ordered(rows), ordered(expected_rows))


@pytest.mark.parametrize(
    "case", ["flash", "ragged_sum", "branch", "collatz", "matmul", "transpose", "early_return", "call", "atomics"]
)
def test_that_chunks_of_lanes_change_nothing(case: str) -> None:
    case = "triton_flash-causal-37x53-1" if case == "flash" else case
    with intercept() as whole:
        tensors = CASES[case]()
    with intercept(memory_budget_bytes=1) as chunked:
        again = CASES[case]()
    for name, tensor in tensors.items():
        torch.testing.assert_close(again[name], tensor, rtol=1e-6, atol=1e-6, equal_nan=True)
    assert len(chunked.launches[0].accesses) > len(whole.launches[0].accesses)
    np.testing.assert_array_equal(
        ordered(addresses(chunked.launches, list(again.values()))),
        ordered(addresses(whole.launches, list(tensors.values()))),
    )
