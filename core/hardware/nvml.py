"""Clocks, temperature and power of an NVIDIA GPU, from the library that comes with its driver. No torch.

The calls take microseconds, so they can be made between samples. Whatever is missing (the library, the GPU, one of the
values) is None: no error of NVML ends a measurement.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from core.hardware.conditions import GpuClocks

_SM, _MEMORY = 1, 2
_TEXT_BYTES = 96
_THROTTLING = {
    0x04: "sw_power_cap",
    0x08: "hw_slowdown",
    0x10: "sync_boost",
    0x20: "sw_thermal_slowdown",
    0x40: "hw_thermal_slowdown",
    0x80: "hw_power_brake_slowdown",
}
"""nvml.h, nvmlClocksThrottleReason*, by the names that nvidia-smi gives them: those that hold a busy GPU below the
clocks that it was set to."""


@dataclass(frozen=True)
class Reading:
    """One moment of a GPU."""

    sm_mhz: int | None
    memory_mhz: int | None
    temperature_c: int | None
    power_w: float | None
    throttled: tuple[str, ...]


class Nvml:
    """One GPU, by the UUID that the driver gives it ('GPU-...')."""

    def __init__(self, uuid: str, library: Any = None) -> None:
        self._library = _library() if library is None else library
        self._device = ctypes.c_void_p()
        self.is_there = self._library is not None and self._open(uuid)

    def driver(self) -> str:
        """The version of the driver; '' where it is unknown."""
        text = ctypes.create_string_buffer(_TEXT_BYTES)
        if not self.is_there or self._library.nvmlSystemGetDriverVersion(text, _TEXT_BYTES) != 0:
            return ""
        return text.value.decode(errors="replace")

    def read(self) -> Reading | None:
        """What NVML says now; None without it."""
        if not self.is_there:
            return None
        power_mw = self._number("nvmlDeviceGetPowerUsage")
        reasons = self._number("nvmlDeviceGetCurrentClocksThrottleReasons", kind=ctypes.c_ulonglong) or 0
        return Reading(
            sm_mhz=self._number("nvmlDeviceGetClockInfo", _SM),
            memory_mhz=self._number("nvmlDeviceGetClockInfo", _MEMORY),
            temperature_c=self._number("nvmlDeviceGetTemperature", 0),
            power_w=None if power_mw is None else power_mw / 1e3,
            throttled=tuple(name for bit, name in _THROTTLING.items() if reasons & bit),
        )

    def _open(self, uuid: str) -> bool:
        if self._library.nvmlInit_v2() != 0:
            return False
        return bool(self._library.nvmlDeviceGetHandleByUUID(uuid.encode(), ctypes.byref(self._device)) == 0)

    def _number(self, function: str, *arguments: int, kind: Any = ctypes.c_uint) -> int | None:
        value = kind()
        call: Callable[..., int] | None = getattr(self._library, function, None)
        if call is None or call(self._device, *arguments, ctypes.byref(value)) != 0:
            return None
        return int(value.value)


def summary(readings: Sequence[Reading]) -> GpuClocks | None:
    """The readings of a measurement together; None where there are none."""
    if not readings:
        return None
    clocks = [reading.sm_mhz for reading in readings if reading.sm_mhz is not None]
    temperatures = [reading.temperature_c for reading in readings if reading.temperature_c is not None]
    powers = [reading.power_w for reading in readings if reading.power_w is not None]
    return GpuClocks(
        lowest_sm_mhz=min(clocks, default=None),
        highest_sm_mhz=max(clocks, default=None),
        memory_mhz=readings[-1].memory_mhz,
        first_temperature_c=temperatures[0] if temperatures else None,
        highest_temperature_c=max(temperatures, default=None),
        highest_power_w=max(powers, default=None),
        throttled=tuple(dict.fromkeys(reason for reading in readings for reason in reading.throttled)),
    )


def _library() -> Any:
    try:
        return ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return None
