"""Facts about this machine, found in milliseconds, without torch, and without ever raising."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

_TIMEOUT_S = 3.0
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class HostFacts:
    """`cores` counts the cores that this process may use; `available_memory_bytes` respects a container's limit."""

    cpu_name: str
    cores: int
    total_memory_bytes: int
    available_memory_bytes: int
    gpu_names: tuple[str, ...]


def host_facts() -> HostFacts:
    """The current facts: memory is read at each call, CPU and GPUs once per process."""
    memory = psutil.virtual_memory()
    limit, used = _container_memory()
    return HostFacts(
        cpu_name=cpu_name(),
        cores=_cores(),
        total_memory_bytes=min(memory.total, limit),
        available_memory_bytes=max(0, min(memory.available, limit - used)),
        gpu_names=nvidia_gpu_names(),
    )


@cache
def cpu_name() -> str:
    """The name of the processor or, where it is unknown, the architecture."""
    name = _macos_cpu_name() if platform.system() == "Darwin" else _linux_cpu_name()
    return name or platform.processor() or platform.machine() or "CPU"


@cache
def nvidia_gpu_names() -> tuple[str, ...]:
    """Names of the NVIDIA GPUs that the driver's nvidia-smi lists; empty without a driver, or if it does not answer."""
    return tuple(lines_of("nvidia-smi", "--query-gpu=name", "--format=csv,noheader"))


def ran_here(environment: Mapping[str, str]) -> bool:
    """Whether a run's device is one of this machine: what ran on a server is not of here."""
    device = environment.get("device", "")
    if device.startswith("cuda"):
        return device in (f"cuda ({name})" for name in nvidia_gpu_names())
    return device == f"cpu ({cpu_name()})"


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _linux_cpu_name() -> str:
    for line in _read(Path("/proc/cpuinfo")).splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return ""


def _macos_cpu_name() -> str:
    return next(iter(lines_of("sysctl", "-n", "machdep.cpu.brand_string")), "")


def _container_memory() -> tuple[int, int]:
    """(limit, used) of this control group (version 2), in bytes; used excludes page cache that can be dropped."""
    limit, used = _read(_CGROUP / "memory.max").strip(), _read(_CGROUP / "memory.current").strip()
    if not (limit.isdigit() and used.isdigit()):
        return sys.maxsize, 0
    droppable = 0
    for line in _read(_CGROUP / "memory.stat").splitlines():
        name, _, value = line.partition(" ")
        if name == "inactive_file" and value.isdigit():
            droppable = int(value)
    return int(limit), max(0, int(used) - droppable)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def lines_of(program: str, *arguments: str) -> list[str]:
    """What a program prints, without empty lines; [] where it is not there, fails, or does not answer."""
    executable = shutil.which(program)
    if executable is None:
        return []
    try:
        completed = subprocess.run(
            [executable, *arguments], capture_output=True, text=True, timeout=_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return []
    return [line.strip() for line in completed.stdout.splitlines() if line.strip()]
