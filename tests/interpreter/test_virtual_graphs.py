"""CUDA graphs, threads and saved files on the virtual GPU."""

from __future__ import annotations

import io
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from core.hardware.gpus import gpu
from core.interpreter import NeedsData, Tracer, intercept
from tests.interpreter import traced_kernels as kernels

pytest.importorskip("triton")
pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a real one")
CUDA = torch.device("cuda", 0)


@pytest.fixture
def tracer() -> Iterator[Tracer]:
    with intercept(gpu=gpu("h100-sxm"), faults="record") as tracer:
        yield tracer


def _double(x: torch.Tensor) -> torch.Tensor:
    result = torch.empty_like(x)
    kernels.add_kernel[(1,)](x, x, result, 64, BLOCK=64)
    return result


def test_that_a_graph_does_nothing_before_its_first_replay_and_everything_again_at_each(tracer: Tracer) -> None:
    x, count, graph = torch.ones(64, device="cuda"), torch.zeros(1, device="cuda"), torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        assert torch.cuda.is_current_stream_capturing()
        count += 1
        y = _double(x + 1)[:32].view(4, 8).sum(1)
    assert not torch.cuda.is_current_stream_capturing()
    assert (count.item(), len(tracer.launches)) == (0, 0)
    for value in (1, 2, 3):
        x.fill_(value)
        graph.replay()
        assert count.item() == value
        assert y.tolist() == [16 * (value + 1)] * 4
    assert len(tracer.launches) == 3
    assert {launch.launched_at.rpartition(":")[0] for launch in tracer.launches} == {__file__}


def test_that_a_captured_training_step_trains_as_one_that_is_not(tracer: Tracer) -> None:
    def step(model: nn.Module, optimizer: torch.optim.Optimizer, x: torch.Tensor) -> None:
        optimizer.zero_grad(set_to_none=False)
        model(x).square().mean().backward()
        optimizer.step()

    weights = []
    for captured in (False, True):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1)).cuda()
        optimizer, x = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), torch.ones(2, 4, device="cuda")
        step(model, optimizer, x)
        graph = torch.cuda.CUDAGraph()
        if captured:
            with torch.cuda.graph(graph):
                step(model, optimizer, x)
        for _ in range(3):
            graph.replay() if captured else step(model, optimizer, x)
        weights.append(torch.cat([parameter.detach().flatten() for parameter in model.parameters()]))
    assert torch.equal(*weights)


def test_that_graphed_callables_compute_what_their_functions_do(tracer: Tracer) -> None:
    model, x = nn.Linear(3, 2).cuda(), torch.randn(4, 3, device="cuda", requires_grad=True)
    expected = model(x)
    (gradient,) = torch.autograd.grad(expected.sum(), x)
    graphed = torch.cuda.make_graphed_callables(model, (torch.zeros(4, 3, device="cuda", requires_grad=True),))
    assert torch.equal(graphed(x), expected)
    graphed(x).sum().backward()
    assert torch.equal(x.grad, gradient)


def test_that_threads_see_the_gpu_and_their_launches_are_traced(tracer: Tracer) -> None:
    def work(value: int) -> tuple[torch.device, float]:
        result = _double(torch.full((64,), float(value), device="cuda"))
        return result.device, result.sum().item()

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(work, range(6))) == [(CUDA, 128.0 * value) for value in range(6)]
    assert len(tracer.launches) == 6
    assert all(buffer.made_at.startswith(__file__) for launch in tracer.launches for buffer in launch.buffers)


def test_that_what_a_thread_reads_needs_data() -> None:
    caught: list[BaseException] = []

    def work() -> None:
        try:
            (_double(torch.ones(64)) + 1).sum().item()
        except NeedsData as error:
            caught.append(error)

    with intercept(addresses_only=True):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert len(caught) == 1


def test_that_saved_tensors_are_where_they_were_and_map_location_decides(tracer: Tracer) -> None:
    def saved(value: Any, **options: Any) -> Any:
        file = io.BytesIO()
        torch.save(value, file)
        file.seek(0)
        return torch.load(file, **options)

    host, device = torch.arange(3.0), torch.arange(3.0, device="cuda")
    both = saved({"host": host, "device": device, "where": torch.device("cuda")})
    assert (both["host"].device.type, both["device"].device, both["where"].type) == ("cpu", CUDA, "cuda")
    for target in ("cuda", "cuda:0", torch.device("cuda"), lambda storage, _: storage.cuda()):
        assert saved(host, map_location=target).is_cuda
    assert not saved(device, map_location="cpu").is_cuda
    assert pickle.loads(pickle.dumps(device)).is_cuda
    assert torch.equal(saved(device, map_location="cpu"), host)


def test_that_a_number_names_the_gpu_and_devices_stay_devices(tracer: Tracer) -> None:
    assert torch.device(0) == torch.device("cuda", 0) == CUDA
    assert isinstance(CUDA, torch.device)
    assert pickle.loads(pickle.dumps(CUDA)) == CUDA

    @torch.library.custom_op("tilescope_test::filled", mutates_args=())
    def filled(value: float, device: torch.device) -> torch.Tensor:
        return torch.full((2,), value, device=device)

    assert filled(3.0, torch.device(0)).is_cuda


def test_that_pinned_memory_is_that_of_loaders_and_functions(tracer: Tracer) -> None:
    batches = list(DataLoader(TensorDataset(torch.ones(4, 2)), batch_size=2, pin_memory=True))
    assert all(batch.is_pinned() for (batch,) in batches)
    pinned = torch.ones(3, pin_memory=True)
    assert pinned[1:].is_pinned()
    assert pinned.to("cuda", non_blocking=True).is_cuda
    assert not torch.ones(3).is_pinned()
