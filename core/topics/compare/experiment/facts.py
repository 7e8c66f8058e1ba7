"""Where and from what a run comes: what a recording says of it besides its numbers."""

from __future__ import annotations

from datetime import UTC, datetime

import torch

from core.hardware.gpus import Gpu, gpu, gpu_named
from core.hardware.host import cpu_name, host_facts
from core.hardware.nvml import Nvml
from core.recordings.run import Device, FamilyRun
from core.topics.compare.plan import Plan
from core.versions import commit, versions
from kernels.launching import device_target


def run_of(planned: Plan, device: torch.device, file_sha256: str) -> FamilyRun:
    """The run without its ceilings and points."""
    assert planned.family is not None
    return FamilyRun(
        family=planned.family.id,
        device=device_facts(device),
        baseline=planned.family.baseline,
        file="" if planned.source is None else planned.source.path.name,
        file_sha256=file_sha256,
        recorded_at=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=commit(),
        versions=versions(*planned.family.packages),
        seed=planned.params.seed,
        gpu=model_gpu(planned, device).id,
        swept=tuple(axis.name for axis, _ in planned.swept),
    )


def device_facts(device: torch.device) -> Device:
    """The CPU or GPU as it calls itself."""
    host = host_facts()
    if device.type != "cuda":
        return Device("cpu", cpu_name(), cores=host.cores, memory_bytes=host.total_memory_bytes)
    properties = torch.cuda.get_device_properties(device)
    return Device(
        "cuda",
        properties.name,
        target=device_target(device) or "",
        driver=Nvml(f"GPU-{properties.uuid}").driver(),
        cores=host.cores,
        memory_bytes=int(properties.total_memory),
    )


def model_gpu(planned: Plan, device: torch.device) -> Gpu:
    """The GPU that kernels are compiled and modelled for: the one that is here, if it is known, else the chosen one."""
    here = gpu_named(torch.cuda.get_device_name(device)) if device.type == "cuda" else None
    return here or gpu(planned.params.gpu)
