"""Whether this machine may have a GPU that torch can use, found out without torch."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from pathlib import Path

_CUDA_DRIVERS = {"linux": "libcuda.so.1", "win32": "nvcuda.dll"}
_ROCM_DEVICE = Path("/dev/kfd")


def may_have_gpu() -> bool:
    """False where no driver of a GPU is installed, so that `torch.cuda.is_available()` is False as well. Loads the
    library of the driver and starts nothing: a process may still be forked."""
    driver = _CUDA_DRIVERS.get(sys.platform)
    if driver is not None:
        with suppress(OSError):
            ctypes.CDLL(driver)
            return True
    return _ROCM_DEVICE.exists()
