"""The GPUs of this machine and how busy they are, from nvidia-smi: importing torch takes seconds."""

from __future__ import annotations

from dataclasses import dataclass

from core.hardware.host import lines_of

_FIELDS = "name,memory.total,memory.used,utilization.gpu"


@dataclass(frozen=True)
class GpuLoad:
    """`utilization` is from 0 to 1. None is what the driver does not tell, as for a slice of a GPU (MIG)."""

    name: str
    total_memory_bytes: int | None
    used_memory_bytes: int | None
    utilization: float | None


def gpu_loads(visible: str | None = None) -> tuple[GpuLoad, ...]:
    """The GPUs that a process may use whose CUDA_VISIBLE_DEVICES is `visible`, None where it is not set; empty without
    a driver, or if it does not answer. Takes up to a few seconds."""
    if visible is not None and not visible.strip():
        return ()
    chosen = () if visible is None else (f"--id={visible.replace(' ', '')}",)
    lines = lines_of("nvidia-smi", *chosen, f"--query-gpu={_FIELDS}", "--format=csv,noheader,nounits")
    return tuple(load for line in lines if (load := parsed_load(line)) is not None)


def parsed_load(line: str) -> GpuLoad | None:
    """One line of nvidia-smi, in MiB and percent; None for anything else."""
    name, *values = (part.strip() for part in line.rsplit(",", 3))
    if len(values) != 3:
        return None
    total_mib, used_mib, percent = (int(value) if value.isdigit() else None for value in values)
    return GpuLoad(
        name,
        None if total_mib is None else total_mib << 20,
        None if used_mib is None else used_mib << 20,
        None if percent is None else percent / 100,
    )
