"""A file finds a CUDA device that is not there: tensors on it, their moves, and results of PyTorch's operations."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from core.contracts.errors import MissingRequirement, TilescopeError
from core.hardware.gpus import gpu
from core.interpreter import intercept
from core.interpreter.virtual_gpu import virtual_gpu
from tests.interpreter import traced_kernels as kernels

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a real one")
CUDA = torch.device("cuda", 0)


@pytest.fixture
def _gpu() -> Iterator[None]:
    with virtual_gpu(gpu("h100-sxm")):
        yield


@pytest.fixture
def _trace() -> Iterator[None]:
    with intercept(gpu=gpu("h100-sxm"), faults="record"):
        yield


in_a_trace = pytest.mark.usefixtures("_trace")
on_a_virtual_gpu = pytest.mark.usefixtures("_gpu")


@on_a_virtual_gpu
@pytest.mark.parametrize("device", ["cuda", "cuda:0", torch.device("cuda"), torch.device("cuda:0"), 0])
def test_that_every_way_to_name_the_device_leads_to_it(device: Any) -> None:
    moved = (
        torch.zeros(3, device=device),
        torch.tensor([1, 2, 3], device=device),
        torch.as_tensor(np.ones(3), device=device),
        torch.randn(3, device=device, generator=torch.Generator(device="cuda").manual_seed(1)),
        torch.ones(3).to(device),
        torch.ones(3).to(device=device, dtype=torch.float16, non_blocking=True),
        torch.ones(3).cuda(device),
        torch.ones(3).cuda(),
        torch.ones(3).to(torch.zeros(1, device=device)),
        nn.Linear(2, 3, device=device).weight,
        nn.Linear(2, 3).to(device).weight,
        nn.Linear(2, 3).cuda().weight,
        torch.ones(3).new_zeros(3, device=device),
        torch.empty_like(torch.ones(3), device=device).fill_(2),
    )
    for tensor in moved:
        assert (tensor.is_cuda, tensor.is_cpu, tensor.device, tensor.get_device()) == (True, False, CUDA, 0)
        assert tensor.type().startswith("torch.cuda.")
        back = tensor.cpu()
        assert (back.is_cuda, back.device.type, back.get_device()) == (False, "cpu", -1)
        assert back.tolist() == tensor.tolist()
    assert moved[5].dtype == torch.float16
    assert not torch.zeros(3).is_cuda


@on_a_virtual_gpu
def test_that_the_default_device_can_be_the_gpu() -> None:
    with torch.device("cuda"):
        assert all(x.is_cuda for x in (torch.ones(2), torch.tensor(1), nn.Linear(2, 2).weight))
    assert not torch.ones(2).is_cuda
    torch.set_default_device("cuda")
    assert torch.get_default_device() == CUDA
    assert all(x.is_cuda for x in (torch.ones(2), torch.tensor(1), nn.Linear(2, 2).weight))
    assert not torch.ones(2, device="cpu").is_cuda


def test_that_everything_is_put_back() -> None:
    kept = [dict(vars(owner)) for owner in (torch, torch.cuda, torch.accelerator, torch.Tensor, torch._C)]
    with virtual_gpu(gpu("a100-80gb")):
        torch.set_default_device("cuda")
    assert [dict(vars(o)) for o in (torch, torch.cuda, torch.accelerator, torch.Tensor, torch._C)] == kept
    assert not torch.ones(1).is_cuda
    assert torch.get_default_device().type == "cpu"
    assert not torch.cuda.is_available()


RESULTS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "arithmetic": lambda x: x + 1,
    "in place": lambda x: x.clone().mul_(2),
    "view": lambda x: x[1:].t(),
    "dtype": lambda x: x.half().float(),
    "index": lambda x: x[torch.tensor([1, 0])],
    "mask": lambda x: x[x > 0],
    "like": torch.zeros_like,
    "new": lambda x: x.new_ones(3),
    "choice": lambda x: torch.where(x > 0, 1.0, 0.0),
    "part of a list": lambda x: torch.cat([x, x]).chunk(2)[1],
    "several results": lambda x: x.max(0).indices,
    "one-hot": lambda x: functional.one_hot(x.argmax(1), 5),
    "attention": lambda x: functional.scaled_dot_product_attention(x, x, x),
    "scalar": lambda x: x.sum(),
    "sparse": lambda x: x.to_sparse(),
    "vmap": lambda x: torch.vmap(lambda row: row * 2)(x),
    "deep copy": copy.deepcopy,
    "detached": lambda x: x.detach(),
    "inference mode": lambda x: torch.inference_mode()(lambda: x.double())(),
}


@on_a_virtual_gpu
@pytest.mark.parametrize("operation", RESULTS.values(), ids=RESULTS.keys())
def test_that_results_are_on_the_gpu_and_those_of_the_cpu(operation: Callable[[torch.Tensor], torch.Tensor]) -> None:
    x = torch.randn(4, 5)
    on_gpu, expected = operation(x.cuda()), operation(x)
    assert on_gpu.is_cuda
    assert not expected.is_cuda
    assert torch.equal(on_gpu.to_dense().cpu(), expected.to_dense())


@on_a_virtual_gpu
def test_that_what_is_copied_to_the_host_stays_there() -> None:
    x, host = torch.ones(3, device="cuda"), torch.zeros(3)
    assert not host.copy_(x).is_cuda
    assert not torch.zeros_like(x, device="cpu").is_cuda
    assert not x.new_zeros(3, device="cpu").is_cuda
    assert x.to("cuda") is x
    assert x.to(torch.float32) is x
    assert x.to("cpu").data_ptr() != x.data_ptr()
    assert x.cpu().numpy().tolist() == x.tolist() == [1, 1, 1]
    with pytest.raises(TypeError, match=r"cuda:0 device type tensor to numpy"):
        x.numpy()
    with pytest.raises(TypeError, match=r"cuda:0 device type tensor to numpy"):
        np.asarray(x)
    assert "device='cuda:0'" in repr(x)


@in_a_trace
def test_that_gradients_are_on_the_gpu_where_a_trace_watches_pytorch_too() -> None:
    x = torch.randn(4, 8, device="cuda", requires_grad=True)
    functional.gelu(x).sum().backward()
    assert x.grad is not None
    assert x.grad.is_cuda


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@in_a_trace
def test_that_products_of_16_bits_are_summed_in_float32(dtype: torch.dtype) -> None:
    a, b = (torch.randn(8, 512, 512, device="cuda", dtype=dtype) for _ in range(2))
    images, filters = torch.randn(2, 3, 8, 8).to("cuda", dtype), torch.randn(4, 3, 3, 3).to("cuda", dtype)
    for found, exact in (
        (a[0] @ b[0], a[0].double() @ b[0].double()),
        (a @ b, a.double() @ b.double()),
        (torch.addmm(a[1], a[0], b[0]), torch.addmm(a[1].double(), a[0].double(), b[0].double())),
        (torch.conv2d(images, filters), torch.conv2d(images.double(), filters.double())),
    ):
        assert (found.dtype, found.device) == (dtype, CUDA)
        torch.testing.assert_close(found.double(), exact, rtol=torch.finfo(dtype).eps, atol=1e-3)


@on_a_virtual_gpu
def test_that_gradients_are_where_their_tensors_are_and_equal_those_of_the_cpu() -> None:
    def gradients(device: str) -> list[torch.Tensor]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 2)).to(device)
        x = torch.randn(3, 4, requires_grad=True)
        loss = functional.cross_entropy(model(x.to(device).half().float()), torch.zeros(3, device=device).long())
        loss.backward()
        assert x.grad is not None
        assert x.grad.device.type == "cpu"
        found = [parameter.grad for parameter in model.parameters()]
        assert {g.device.type for g in found if g is not None} == {device}
        return [x.grad, *(g.cpu() for g in found if g is not None)]

    for one, other in zip(gradients("cuda"), gradients("cpu"), strict=True):
        assert torch.equal(one, other)


@on_a_virtual_gpu
def test_that_pinned_memory_is_of_the_host() -> None:
    pinned = torch.ones(3).pin_memory()
    assert pinned.is_pinned()
    assert not pinned.is_cuda
    assert not torch.empty(3, pin_memory=True).is_cuda
    assert pinned.to("cuda", non_blocking=True).is_cuda


@on_a_virtual_gpu
def test_that_seeds_give_the_same_numbers_again() -> None:
    def numbers() -> list[float]:
        generator = torch.Generator(device="cuda")
        assert generator.device == CUDA
        assert isinstance(generator, torch.Generator)
        torch.cuda.manual_seed_all(3)
        return [
            *torch.rand(4, device="cuda", generator=generator.manual_seed(7)).tolist(),
            *torch.rand(4, device="cuda").tolist(),
        ]

    assert numbers() == numbers()
    assert len(set(numbers())) == 8
    with torch.random.fork_rng():
        state = torch.cuda.get_rng_state()
        one = torch.rand(2, device="cuda")
        torch.cuda.set_rng_state(state)
        assert torch.equal(torch.rand(2, device="cuda"), one)


@on_a_virtual_gpu
def test_that_a_second_gpu_is_refused_in_a_sentence() -> None:
    for wrong in (
        lambda: torch.zeros(1, device="cuda:1"),
        lambda: torch.zeros(1).cuda(2),
        lambda: torch.cuda.set_device(1),
        lambda: torch.cuda.device("cuda:3"),
    ):
        with pytest.raises(MissingRequirement, match=r"cuda:\d does not exist: Tilescope stands in for one GPU"):
            wrong()


def test_that_a_launch_takes_tensors_of_the_gpu() -> None:
    with intercept(gpu=gpu("h100-sxm")) as tracer:
        x = torch.arange(16.0, device="cuda")
        out = torch.empty_like(x)
        kernels.add_kernel[(1,)](x, x, out, 16, BLOCK=16)
        assert out.is_cuda
        assert out.tolist() == (2 * x).tolist()
    assert [buffer.name for buffer in tracer.launches[0].buffers] == ["x_ptr", "y_ptr", "o_ptr"]


def test_that_a_default_device_of_the_file_does_not_reach_the_interpreter() -> None:
    with intercept(gpu=gpu("h100-sxm")), torch.device("cuda"):
        x = torch.arange(16.0)
        kernels.add_kernel[(1,)](x, x, out := torch.empty(16), 16, BLOCK=16)
        assert out.is_cuda
        assert out.tolist() == [2.0 * i for i in range(16)]


def test_that_addresses_only_notices_what_the_host_reads_from_the_gpu() -> None:
    with intercept(gpu=gpu("h100-sxm"), addresses_only=True) as tracer:
        x = torch.arange(16.0, device="cuda")
        kernels.add_kernel[(1,)](x, x, out := torch.empty_like(x), 16, BLOCK=16)
        with pytest.raises(TilescopeError, match="The host reads what"):
            (out + 1).cpu().sum().item()
    assert tracer.needs_data is not None


@on_a_virtual_gpu
def test_that_the_product_of_cublas_is_that_of_float64() -> None:
    library = pytest.importorskip("triton._C.libtriton")
    a, b = torch.randn(5, 7, device="cuda").half(), torch.randn(3, 7, device="cuda").half()
    c = torch.empty(5, 3, device="cuda", dtype=torch.float16)
    product = library.nvidia.cublas.CublasLt(torch.empty(16, device="cuda", dtype=torch.uint8))
    product.matmul(a, b, c)
    torch.testing.assert_close(c.double(), a.double() @ b.double().T, rtol=1e-3, atol=1e-3)
    assert c.is_cuda
    with pytest.raises(MissingRequirement, match=r"CublasLt\.block_scaled_matmul_mxfp8 needs a real GPU"):
        product.block_scaled_matmul_mxfp8(a, b, c)


@on_a_virtual_gpu
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_that_gradients_of_norms_are_summed_in_float32_as_on_a_gpu(dtype: torch.dtype) -> None:
    x = torch.randn(2000, 8, device="cuda", dtype=dtype)
    weight = torch.ones(8, device="cuda", dtype=dtype, requires_grad=True)
    bias = torch.zeros(8, device="cuda", dtype=dtype, requires_grad=True)
    gradient = torch.randn(2000, 8, device="cuda", dtype=dtype)
    functional.layer_norm(x, (8,), weight, bias).backward(gradient)
    assert bias.grad is not None
    assert weight.grad is not None
    assert bias.grad.is_cuda
    normalized = functional.layer_norm(x.double(), (8,))
    torch.testing.assert_close(
        weight.grad.double(), (normalized * gradient.double()).sum(0), rtol=torch.finfo(dtype).eps, atol=1e-3
    )
    torch.testing.assert_close(bias.grad.double(), gradient.double().sum(0), rtol=torch.finfo(dtype).eps, atol=1e-3)


@pytest.mark.usefixtures("_gpu")
def test_that_what_a_tensor_makes_of_numbers_is_where_it_is() -> None:
    x = torch.arange(4, device="cuda")
    for made in (x.new_tensor([1, 2]), x.new_tensor(range(3)), x.new_zeros(3), x.unsqueeze(-1).new_tensor(5)):
        assert made.is_cuda
    assert (x.unsqueeze(-1) * 2 + x.new_tensor(range(2))).is_cuda
    assert not x.new_tensor([1], device="cpu").is_cuda
    assert not torch.arange(4).new_tensor([1]).is_cuda
