"""What a worker says of itself: its machine, its GPUs, its versions, and how busy it is."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated

import psutil
from pydantic import BaseModel, ConfigDict, Field

from core.hardware.gpu_load import gpu_loads
from core.hardware.host import host_facts
from core.versions import versions

_Name = Annotated[str, Field(max_length=200)]
_Amount = Annotated[int, Field(ge=0, lt=1 << 60)]


class GpuFacts(BaseModel):
    """See `core.hardware.gpu_load.GpuLoad`."""

    model_config = ConfigDict(frozen=True, strict=True)
    name: _Name
    total_memory_bytes: _Amount | None
    used_memory_bytes: _Amount | None
    utilization: Annotated[float, Field(ge=0, le=1)] | None


class WorkerFacts(BaseModel):
    """It comes from another machine, so everything has a limit. `load` is the average of the last minute per core, 1
    for a machine that is just busy; `runs` is how many this worker is at, for whomever."""

    model_config = ConfigDict(frozen=True, strict=True)
    host: _Name
    cpu_name: _Name
    cores: _Amount
    total_memory_bytes: _Amount
    available_memory_bytes: _Amount
    load: Annotated[float, Field(ge=0, lt=1e6)]
    runs: _Amount
    gpus: Annotated[list[GpuFacts], Field(max_length=64)]
    versions: Annotated[Mapping[_Name, _Name], Field(max_length=64)]


def facts_of_this_process(runs: int) -> WorkerFacts:
    """Takes up to a few seconds where a driver of GPUs is asked. Imports nothing heavy."""
    host = host_facts()
    return WorkerFacts(
        host=socket.gethostname(),
        cpu_name=host.cpu_name,
        cores=host.cores,
        total_memory_bytes=host.total_memory_bytes,
        available_memory_bytes=host.available_memory_bytes,
        load=psutil.getloadavg()[0] / max(1, host.cores),
        runs=runs,
        gpus=[GpuFacts(**asdict(gpu)) for gpu in gpu_loads(os.environ.get("CUDA_VISIBLE_DEVICES"))],
        versions=versions(),
    )
