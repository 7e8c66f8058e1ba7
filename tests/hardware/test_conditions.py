"""The process held to cores, the garbage collector, and NVML through a library that is made here."""

import ctypes
import gc
import os
import threading
from typing import Any

import pytest

from core.hardware import conditions
from core.hardware.conditions import GpuClocks, held_to_cores, without_collections
from core.hardware.nvml import Nvml, Reading, summary

needs_affinity = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no such calls")


@needs_affinity
def test_that_every_thread_is_held_and_released() -> None:
    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2:
        pytest.skip("there is one core only")
    asked, release = threading.Event(), threading.Event()
    seen: list[set[int]] = []

    def other() -> None:
        asked.wait()
        seen.append(os.sched_getaffinity(0))
        release.set()

    thread = threading.Thread(target=other)
    thread.start()
    with held_to_cores(1) as cores:
        asked.set()
        release.wait()
        assert os.sched_getaffinity(0) == set(cores)
    thread.join()

    assert len(cores) == 1
    assert seen == [set(cores)]
    assert os.sched_getaffinity(0) == allowed


@needs_affinity
def test_that_nobody_is_held_where_all_cores_are_used_anyway() -> None:
    with held_to_cores(len(os.sched_getaffinity(0))) as cores:
        assert cores == ()


@needs_affinity
def test_that_physical_cores_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[tuple[int, ...]] = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda task: {0, 1, 2, 3, 4, 5})
    monkeypatch.setattr(conditions, "_siblings", lambda core: f"{core // 2}")  # 0 and 1 share a core, and so on
    monkeypatch.setattr(conditions, "_hold", lambda cores: held.append(cores) or {})

    for count in (2, 4):
        with held_to_cores(count):
            pass

    assert held == [(0, 2), (0, 1, 2, 4)]


def test_that_no_collection_runs_within_the_block_and_the_collector_is_as_before_after_it() -> None:
    with without_collections():
        assert not gc.isenabled()
    assert gc.isenabled()

    gc.disable()
    try:
        with without_collections():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


class FakeLibrary:
    """NVML's functions for one GPU. `values` maps a function to what it writes; one that is missing fails."""

    def __init__(self, **values: int) -> None:
        self.values = values

    def nvmlInit_v2(self) -> int:
        return 0

    def nvmlDeviceGetHandleByUUID(self, uuid: bytes, device: Any) -> int:
        return 0 if uuid == b"GPU-right" else 6

    def nvmlSystemGetDriverVersion(self, text: Any, size: int) -> int:
        text.value = b"570.1"
        return 0

    def __getattr__(self, name: str) -> Any:
        def call(device: Any, *arguments: Any) -> int:
            *which, out = arguments
            value = self.values.get("_".join([name, *map(str, which)]))
            if value is None:
                return 3
            kind = ctypes.c_ulonglong if "Reasons" in name else ctypes.c_uint
            ctypes.cast(out, ctypes.POINTER(kind))[0] = value
            return 0

        return call


def test_that_nvml_is_read_and_what_it_does_not_offer_is_none() -> None:
    library = FakeLibrary(
        nvmlDeviceGetClockInfo_1=1980, nvmlDeviceGetTemperature_0=61, nvmlDeviceGetPowerUsage=350_500,
        nvmlDeviceGetCurrentClocksThrottleReasons=0x4 | 0x1,
    )  # fmt: skip
    gpu = Nvml("GPU-right", library)

    assert gpu.driver() == "570.1"
    assert gpu.read() == Reading(1980, None, 61, 350.5, ("sw_power_cap",))


def test_that_without_the_library_or_the_gpu_there_is_no_reading() -> None:
    assert Nvml("GPU-other", FakeLibrary()).read() is None
    assert Nvml("GPU-other", FakeLibrary()).driver() == ""
    if not os.path.exists("/dev/nvidia0"):
        assert Nvml("GPU-right").read() is None


def test_that_readings_are_summed_up_by_their_extremes() -> None:
    readings = [
        Reading(1980, 3200, 50, 300.0, ()),
        Reading(1700, 3200, 70, None, ("sw_power_cap", "hw_thermal_slowdown")),
    ]

    assert summary(readings) == GpuClocks(1700, 1980, 3200, 50, 70, 300.0, ("sw_power_cap", "hw_thermal_slowdown"))
    assert summary([Reading(None, None, None, None, ())]) == GpuClocks()
    assert summary([]) is None
