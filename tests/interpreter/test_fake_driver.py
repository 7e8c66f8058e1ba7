"""Files that call Triton's driver before they launch."""

from __future__ import annotations

import pytest
import torch

from core.contracts.errors import MissingRequirement
from core.hardware.gpus import gpus
from core.interpreter import intercept

triton = pytest.importorskip("triton")

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="Triton's own driver is there")


@without_gpu
def test_that_the_device_of_tensors_is_the_cpu_inside_a_trace_and_unknown_after_it() -> None:
    driver = triton.runtime.driver
    with intercept():
        assert driver.active.get_active_torch_device() == torch.device("cpu")
        assert driver.active.get_current_target().backend == "cuda"
    with pytest.raises(RuntimeError, match="0 active drivers"):
        _ = driver.active


@without_gpu
def test_that_what_only_a_gpu_knows_is_refused_in_a_sentence() -> None:
    with intercept(), pytest.raises(MissingRequirement, match=r"active\.utils\.load_binary needs a real GPU"):
        _ = triton.runtime.driver.active.utils.load_binary
    with intercept(), pytest.raises(MissingRequirement, match=r"mem_bus_width.* needs a real GPU"):
        _ = triton.runtime.driver.active.utils.get_device_properties(0)["mem_bus_width"]


@without_gpu
def test_that_properties_are_those_of_a_gpu_of_the_target_and_the_trace_says_which() -> None:
    with intercept() as tracer:
        driver = triton.runtime.driver.active
        properties = driver.utils.get_device_properties(driver.get_current_device())
        assert driver.get_current_stream(driver.get_current_device()) == 0
        assert driver.utils.get_device_properties(None) == properties
        target = f"sm_{driver.get_current_target().arch}"
    (notice,) = map(str, tracer.notices)
    known = next(known for known in gpus().values() if known.name in notice)
    assert known.target == target
    assert properties["multiprocessor_count"] == known.sms
    assert properties["max_shared_mem"] == known.shared_memory_per_block_bytes
    assert (properties["warpSize"], properties["max_num_regs"]) == (32, 65536)
