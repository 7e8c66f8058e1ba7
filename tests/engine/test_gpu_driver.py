"""Whether there may be a GPU is known without torch, and never wrongly denied."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import pytest
import torch

from core.engine import gpu_driver, worker
from core.engine.gpu_driver import may_have_gpu


def test_that_a_gpu_that_torch_finds_is_never_denied() -> None:
    assert may_have_gpu() or not torch.cuda.is_available()


def test_that_a_driver_of_either_vendor_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(gpu_driver, "_ROCM_DEVICE", tmp_path / "kfd")
    monkeypatch.setattr(gpu_driver, "_CUDA_DRIVERS", {"linux": "libno-such-driver.so.1"})
    assert not may_have_gpu()
    (tmp_path / "kfd").touch()
    assert may_have_gpu(), "ROCm"
    (tmp_path / "kfd").unlink()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: name)
    assert may_have_gpu(), "CUDA"


def test_that_auto_needs_no_torch_where_no_driver_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "may_have_gpu", lambda: False)
    monkeypatch.setitem(sys.modules, "torch", None)  # its import would fail
    assert worker.resolve_device("auto") == ("cpu", "cpu")
