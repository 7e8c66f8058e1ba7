"""Files that call Triton's driver before they launch."""

from __future__ import annotations

import pytest
import torch

from core.contracts.errors import MissingRequirement
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
    with intercept(), pytest.raises(MissingRequirement, match="asked for utils, which needs a GPU"):
        _ = triton.runtime.driver.active.utils
