"""What a look at a device found, in words."""

from __future__ import annotations

from core.contracts.text import EMPTY, Text, listed, tr, tr_in, tr_plural, verbatim
from core.engine.inspection import DeviceReport, WorkerReport
from core.engine.worker_facts import GpuFacts, WorkerFacts
from core.format import quantity


def summary(report: DeviceReport) -> Text:
    """One sentence about all of it; empty for this machine, which is always there."""
    if report.is_here:
        return EMPTY
    time = quantity(report.seconds, "s", 2)
    count = len(report.workers)
    if not count:
        return tr("The scheduler answers, but it has no worker: start one with the last command below.")
    busy = sum(worker.facts is not None and worker.facts.runs > 0 for worker in report.workers)
    if not busy:
        return tr_plural(
            "{count} worker, which is free; it answered in {time}.",
            "{count} workers, all free; they answered in {time}.",
            count=count,
            time=time,
        )
    return tr_plural(
        "{count} worker, which is busy; it answered in {time}.",
        "{count} workers, {busy} of them busy; they answered in {time}.",
        count=count,
        busy=busy,
        time=time,
    )


def title(worker: WorkerReport) -> Text:
    """The machine, and the address of the worker there; of this machine, its name."""
    host = worker.facts.host if worker.facts is not None else ""
    return verbatim("  ·  ".join(part for part in (host, worker.address) if part))


def state(facts: WorkerFacts) -> Text:
    """Whether a run sent there would begin at once."""
    return tr_plural("{count} run goes on", "{count} runs go on", count=facts.runs) if facts.runs else tr("free")


def rows(facts: WorkerFacts) -> list[tuple[Text, Text]]:
    """Name and value of everything that is known of a worker."""
    graphics = [(tr("GPU"), _gpu(gpu)) for gpu in facts.gpus] or [(tr("GPU"), tr("none: “auto” means the CPU here"))]
    cores = tr_plural("{count} core", "{count} cores", count=facts.cores)
    memory = {
        "free": quantity(facts.available_memory_bytes, "bytes"),
        "total": quantity(facts.total_memory_bytes, "bytes"),
    }
    return [
        *graphics,
        (tr("CPU"), tr("{name}, {cores}, load {load:.2g} per core", name=facts.cpu_name, cores=cores, load=facts.load)),
        (tr_in("computer", "Memory"), tr("{free} free of {total}", **memory)),
        (tr("Versions"), listed(f"{name} {version}" for name, version in facts.versions.items())),
    ]


def _gpu(gpu: GpuFacts) -> Text:
    """What the driver does not tell is left out."""
    parts: list[Text] = [verbatim(gpu.name)]
    if gpu.total_memory_bytes is not None and gpu.used_memory_bytes is not None:
        free, total = (
            quantity(size, "bytes") for size in (gpu.total_memory_bytes - gpu.used_memory_bytes, gpu.total_memory_bytes)
        )
        parts.append(tr("{free} free of {total}", free=free, total=total))
    if gpu.utilization is not None:
        parts.append(tr("load {load:.0%}", load=gpu.utilization))
    return listed(parts)
