"""Operators that a library defines with `torch.library`, and the state of generators, on a virtual GPU."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import triton
import triton.language as tl

from core.hardware.gpus import gpu
from core.interpreter import Tracer, intercept


@triton.jit
def double_kernel(x_ptr, o_ptr, BLOCK: tl.constexpr):
    tl.store(o_ptr + tl.arange(0, BLOCK), 2 * tl.load(x_ptr + tl.arange(0, BLOCK)))


def doubled(x: torch.Tensor) -> torch.Tensor:
    o = torch.empty(16, device=x.device)
    double_kernel[(1,)](x, o, BLOCK=16)
    return o


@pytest.fixture
def tracer() -> Iterator[Tracer]:
    with intercept(gpu=gpu("h100-sxm")) as tracer:
        yield tracer


def assert_doubled(o: torch.Tensor, x: torch.Tensor, tracer: Tracer) -> None:
    assert o.is_cuda
    assert torch.equal(o.cpu(), 2 * x.cpu())
    assert [launch.function for launch in tracer.launches] == ["double_kernel"]


@pytest.mark.parametrize("devices", ["cuda", None])
def test_that_the_body_of_an_operator_finds_the_gpu(tracer: Tracer, devices: str | None) -> None:
    name = f"tilescope_tests::doubled_{devices}"
    operator = torch.library.custom_op(name, doubled, mutates_args=(), device_types=devices)
    x = torch.randn(16, device="cuda")
    assert_doubled(operator(x), x, tracer)


def test_that_an_operator_for_cuda_alone_runs() -> None:
    library = torch.library.Library("tilescope_tests", "FRAGMENT")
    library.define("for_cuda(Tensor x) -> Tensor")
    library.impl("for_cuda", doubled, "CUDA")
    with intercept(gpu=gpu("h100-sxm")) as tracer:
        x = torch.randn(16, device="cuda")
        assert_doubled(torch.ops.tilescope_tests.for_cuda(x), x, tracer)


def test_that_an_operator_has_its_own_gradient(tracer: Tracer) -> None:
    operator = torch.library.custom_op("tilescope_tests::with_gradient", doubled, mutates_args=())
    operator.register_autograd(lambda context, gradient: doubled(gradient))
    x = torch.randn(16, device="cuda").requires_grad_()
    operator(x).backward(torch.ones(16, device="cuda"))
    assert x.grad is not None
    assert torch.equal(x.grad.cpu(), torch.full((16,), 2.0))
    assert len(tracer.launches) == 2


def test_that_a_wrapped_kernel_is_launched(tracer: Tracer) -> None:
    x = torch.randn(16, device="cuda")
    o = torch.empty_like(x)
    torch.library.wrap_triton(double_kernel)[(1,)](x, o, BLOCK=16)
    assert_doubled(o, x, tracer)


@pytest.mark.usefixtures("tracer")
@pytest.mark.parametrize("own", [True, False])
def test_that_the_state_of_a_generator_is_seed_and_offset(own: bool) -> None:
    generator = torch.Generator("cuda") if own else torch.cuda.default_generators[0]
    generator.manual_seed(7)
    state = generator.get_state()
    seed, offset = state.view(torch.int64).tolist()
    assert (seed, state.nbytes) == (7, 16)
    first = torch.randn(4, device="cuda", generator=generator if own else None)
    assert generator.get_state().view(torch.int64).tolist() == [7, offset + 4]
    generator.set_state(state)
    assert torch.equal(torch.randn(4, device="cuda", generator=generator if own else None), first)
    state.view(torch.int64)[1] += 64
    generator.set_state(state)
    assert generator.get_state().view(torch.int64).tolist() == [7, offset + 64]
