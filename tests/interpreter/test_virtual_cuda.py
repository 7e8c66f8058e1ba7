"""What `torch.cuda`, `torch.accelerator` and Triton's driver say of the virtual GPU, and what they refuse."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch

from core.contracts.errors import MissingRequirement
from core.contracts.text import Text
from core.hardware.gpus import GPU_IDS, gpu
from core.interpreter import intercept
from core.interpreter.virtual_gpu import virtual_gpu

triton = pytest.importorskip("triton")
pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a real one")


@pytest.fixture
def notices() -> Iterator[list[Text]]:
    """A virtual GPU, and what it tells."""
    told: list[Text] = []
    with virtual_gpu(gpu("h100-sxm"), told.append):
        yield told


@pytest.mark.parametrize("gpu_id", GPU_IDS)
def test_that_queries_are_answered_with_the_facts_of_the_gpu(gpu_id: str) -> None:
    known = gpu(gpu_id)
    with intercept(gpu=known) as tracer:
        driver = triton.runtime.driver.active
        properties = torch.cuda.get_device_properties("cuda")
        assert (torch.cuda.is_available(), torch.cuda.device_count(), torch.cuda.current_device()) == (True, 1, 0)
        assert properties.name == torch.cuda.get_device_name(0) == known.name
        assert (properties.major, properties.minor) == torch.cuda.get_device_capability()
        assert properties.multi_processor_count == known.sms
        assert properties.total_memory == known.memory_gb * 1e9 == torch.cuda.mem_get_info()[1]
        assert properties.shared_memory_per_block_optin == known.shared_memory_per_block_kb * 1024
        assert properties.L2_cache_size == known.l2_mb * 2**20
        target = driver.get_current_target()
        assert driver.get_active_torch_device() == torch.device("cuda", 0)
        assert driver.get_device_interface() is torch.cuda
        assert driver.utils.get_device_properties(0)["multiprocessor_count"] == known.sms
        assert target.warp_size == properties.warp_size == driver.utils.get_device_properties(0)["warpSize"]
        if known.vendor == "nvidia":
            assert f"sm_{target.arch}" == known.target
            assert f"sm_{properties.major}{properties.minor}" == known.target
            assert (target.backend, bool(torch.version.cuda), torch.version.hip) == ("cuda", True, None)
        else:
            assert target.arch == properties.gcnArchName == known.target
            assert (target.backend, torch.version.cuda, bool(torch.version.hip)) == ("hip", None, True)
    (notice,) = tracer.notices
    assert f"virtual {known.name} in host memory" in str(notice)


def test_that_the_accelerator_is_the_gpu(notices: list[Text]) -> None:
    assert torch.accelerator.is_available()
    assert torch.accelerator.current_accelerator() == torch.device("cuda")
    assert (torch.accelerator.device_count(), torch.accelerator.current_device_index()) == (1, 0)
    torch.accelerator.synchronize()
    with torch.accelerator.device_index(0):
        assert torch.accelerator.current_stream() == torch.cuda.default_stream()
    assert torch.get_device_module("cuda") is torch.cuda
    assert notices == []


def test_that_contexts_of_devices_and_streams_nest(notices: list[Text]) -> None:
    x = torch.zeros(2, device="cuda")
    stream = torch.cuda.Stream(priority=-1)
    with torch.cuda.device(x.device.index), torch.cuda.device_of(x), torch.cuda.device("cuda"):
        assert torch.cuda.current_stream() == torch.cuda.default_stream() != stream
        with torch.cuda.stream(stream):
            assert torch.cuda.current_stream() == stream
            with torch.cuda.stream(None):
                assert torch.cuda.current_stream(x.device) == stream
        assert torch.cuda.current_stream().cuda_stream == 0
    with torch.cuda.device(torch.zeros(2).device.index):  # None: a tensor of the host
        x.record_stream(stream)
        stream.wait_stream(torch.cuda.current_stream())
        stream.synchronize()
    assert stream.query()


def test_that_events_know_no_time_and_say_so(notices: list[Text]) -> None:
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    with pytest.raises(RuntimeError, match="must be recorded"):
        start.elapsed_time(end)
    end.record(torch.cuda.current_stream())
    end.synchronize()
    torch.cuda.current_stream().wait_event(end)
    torch.cuda.synchronize()
    assert end.query()
    assert math.isnan(start.elapsed_time(end))
    assert "elapsed_time measured nothing" in str(notices[-1])


def test_that_memory_is_that_of_the_tensors_on_the_gpu(notices: list[Text]) -> None:
    before, total = torch.cuda.memory_allocated(), torch.cuda.mem_get_info()[1]
    torch.cuda.reset_peak_memory_stats()
    x = torch.zeros(1000, device="cuda")
    y = x.view(10, 100)[2:]
    host = torch.zeros(5000)
    assert torch.cuda.memory_allocated() - before == 4000
    assert torch.cuda.mem_get_info() == (total - before - 4000, total)
    z = host.cuda()
    del x, z
    assert torch.cuda.memory_allocated() - before == 4000, "a view keeps its memory"
    assert torch.cuda.max_memory_allocated() - before == 24000
    assert torch.cuda.memory_stats()["allocated_bytes.all.current"] == torch.cuda.memory_allocated()
    del y
    torch.cuda.empty_cache()
    assert torch.cuda.memory_allocated() == before


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_that_autocast_casts(notices: list[Text], dtype: torch.dtype) -> None:
    a = torch.randn(4, 4, device="cuda")
    with torch.amp.autocast("cuda", dtype=dtype):
        assert torch.is_autocast_enabled("cuda")
        assert torch.get_autocast_dtype("cuda") == dtype
        assert (a @ a).dtype == dtype
        with torch.autocast("cuda", enabled=False):
            assert (a @ a).dtype == torch.float32
        assert (a @ a).dtype == dtype
    assert (a @ a).dtype == torch.float32
    assert not torch.is_autocast_enabled("cpu")


def test_that_custom_functions_cast_their_inputs(notices: list[Text]) -> None:
    seen = []

    class Double(torch.autograd.Function):
        @staticmethod
        @torch.amp.custom_fwd(device_type="cuda", cast_inputs=torch.float16)
        def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
            seen.append((x.dtype, torch.is_autocast_enabled("cuda"), x.is_cuda))
            return x * 2

        @staticmethod
        @torch.amp.custom_bwd(device_type="cuda")
        def backward(ctx: object, gradient: torch.Tensor) -> torch.Tensor:
            seen.append((gradient.dtype, torch.is_autocast_enabled("cuda"), gradient.is_cuda))
            return gradient * 2

    x = torch.ones(3, device="cuda", requires_grad=True)
    with torch.autocast("cuda"):
        Double.apply(x).float().sum().backward()  # type: ignore[no-untyped-call]
    assert seen == [(torch.float16, False, True)] * 2
    assert x.grad is not None
    assert x.grad.tolist() == [2, 2, 2]


def test_that_a_scaler_scales_what_is_on_the_gpu(notices: list[Text]) -> None:
    weight = torch.ones(3, device="cuda", requires_grad=True)
    scaled = torch.amp.GradScaler("cuda", init_scale=8.0).scale(weight.sum())
    assert scaled.is_cuda
    assert scaled.item() == 24


def test_that_compiled_functions_run_as_they_are_written(notices: list[Text]) -> None:
    @torch.compile(dynamic=True)
    def double(x: torch.Tensor) -> torch.Tensor:
        return x * 2

    assert notices == []
    assert double(torch.ones(2, device="cuda")).tolist() == [2, 2]
    assert torch.compile(torch.nn.ReLU())(torch.ones(2, device="cuda")).is_cuda
    assert "torch.compile was not applied" in str(notices[0])


def test_that_what_needs_a_gpu_is_refused_in_a_sentence_with_its_name(notices: list[Text]) -> None:
    for name in ("utilization", "cudart", "power_draw"):
        with pytest.raises(MissingRequirement, match=rf"^torch\.cuda\.{name} needs a real GPU, which the virtual one"):
            getattr(torch.cuda, name)()
    with pytest.raises(MissingRequirement, match=r"torch\.cuda\.CUDAGraph\.raw_cuda_graph needs a real GPU"):
        torch.cuda.CUDAGraph().raw_cuda_graph()
    with pytest.raises(MissingRequirement, match=r"get_device_properties\(\)\.uuid needs a real GPU"):
        _ = torch.cuda.get_device_properties(0).uuid
    assert not hasattr(torch.cuda.get_device_properties(0), "uuid")
    assert not torch.cuda.is_current_stream_capturing()
    assert (torch.cuda.CUDAGraph | torch.cuda.Stream | torch.cuda.Event | None) is not None, "types in annotations"
    with torch.cuda.nvtx.range("nothing"):
        torch.cuda.nvtx.mark("nothing")
