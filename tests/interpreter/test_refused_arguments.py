"""Arguments that Triton or the interpreter cannot take: one sentence that names the argument."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch

from core.contracts.errors import TilescopeError
from core.interpreter import intercept
from tests.interpreter import traced_kernels as kernels

DTYPES = sorted({value for value in vars(torch).values() if isinstance(value, torch.dtype)}, key=str)


def launch(x: object) -> None:
    kernels.add_kernel[(1,)](x, torch.ones(16), torch.ones(16), 16, BLOCK=16)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_that_every_type_of_torch_is_traced_or_refused_in_one_sentence(dtype: torch.dtype) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # quantized and complex32 tensors
        try:
            x = torch.empty(64, dtype=dtype)
        except (RuntimeError, NotImplementedError):
            pytest.skip("torch makes no tensor of it")
    sentence = ""
    with intercept() as tracer:
        try:
            launch(x)
        except TilescopeError as error:
            sentence = error.sentence
    assert bool(sentence) != bool(tracer.launches)
    assert "\n" not in sentence
    assert "KeyError" not in sentence
    if "Triton has no type" in sentence:
        assert f"x_ptr of add_kernel, which is {dtype}" in sentence


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_that_complex_numbers_are_named(dtype: torch.dtype) -> None:
    with intercept(), pytest.raises(TilescopeError, match=f"^Triton has no type for tensor x_ptr .* is {dtype}: "):
        launch(torch.zeros(16, dtype=dtype))


NOT_DENSE: dict[str, Callable[[], torch.Tensor]] = {
    "sparse_coo": lambda: torch.eye(4).to_sparse(),
    "sparse_csr": lambda: torch.eye(4).to_sparse_csr(),
    "nested": lambda: torch.nested.nested_tensor([torch.zeros(3), torch.zeros(2)]),
}


@pytest.mark.parametrize("layout", NOT_DENSE)
def test_that_a_tensor_that_is_not_dense_is_named(layout: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tensor = NOT_DENSE[layout]()
    with (
        intercept(),
        pytest.raises(TilescopeError, match=rf"^Tensor x_ptr of add_kernel is not dense \(it is {layout}"),
    ):
        launch(tensor)


@pytest.mark.parametrize("value", ["text", [1], object(), 1j, 1 << 70], ids=type)
def test_that_an_argument_of_another_kind_is_one_sentence(value: object) -> None:
    with intercept(), pytest.raises(TilescopeError, match="add_kernel was launched with") as caught:
        launch(value)
    assert "\n" not in caught.value.sentence


@pytest.mark.parametrize("shape", [(0,), (0, 5), (3, 0)])
def test_that_an_access_of_an_empty_tensor_says_that_it_is_empty(shape: tuple[int, ...]) -> None:
    with intercept(), pytest.raises(TilescopeError, match=r"program \(0, 0, 0\) accesses x_ptr, which is an empty"):
        launch(torch.zeros(shape))
    with intercept(faults="record") as tracer:
        launch(torch.zeros(shape))
    assert ["empty tensor" in str(fault.sentence) for fault in tracer.launches[0].faults] == [True]
