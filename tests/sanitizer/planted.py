"""The generated pairs: a correct kernel at a size, and the same text with one planted fault."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template

from core.contracts.events import Partial
from core.topics.kernel_lab import TOPIC
from core.topics.kernel_lab.params import KernelLabParams
from core.topics.kernel_lab.result import KernelLabResult
from core.trace.tables import FaultRow
from tests.sanitizer.base_kernels import BASES, HEAD, Base, Plant
from tests.sanitizer.config_pairs import CONFIGS
from tests.sanitizer.hint_pairs import HINT_BASES, WIDE_BASES
from tests.sanitizer.number_pairs import NUMBER_PAIRS
from tests.sanitizer.progress_pairs import PROGRESS
from tests.sanitizer.stride_pairs import STRIDE_BASES


@dataclass(frozen=True)
class Pair:
    """A planted fault, and its correct twin, as texts of files."""

    base: str
    size: str
    plant: Plant
    faulty: str
    correct: str


def pairs() -> Iterator[Pair]:
    """All pairs, in a fixed order."""
    for base in (*BASES, *PROGRESS, *CONFIGS, *STRIDE_BASES, *WIDE_BASES, *HINT_BASES, *NUMBER_PAIRS):
        for size in base.sizes:
            shown = ", ".join(f"{name}={value}" for name, value in size.items())
            for plant in base.plants:
                yield Pair(base.name, shown, plant, _filled(planted(base, plant), size), _filled(base.text, size))


def planted(base: Base, plant: Plant) -> str:
    """The text with the edit, which has to fit one place."""
    assert base.text.count(plant.old) == 1, (base.name, plant)
    return base.text.replace(plant.old, plant.new)


def findings_of(text: str, folder: Path) -> tuple[FaultRow, ...]:
    """What the kernel-lab page finds in a file of that text, whose `main` it runs; with all configurations of an
    autotuned kernel."""
    path = folder / "planted_kernel.py"
    path.write_text(text)
    params = KernelLabParams(file=str(path), function="main", try_configs="triton.autotune" in text)
    for event in TOPIC.load_experiment()(params, "cpu"):
        if isinstance(event, Partial):
            assert isinstance(event.result, KernelLabResult)
            return event.result.faults
    raise AssertionError("the run had no result")


def _filled(text: str, size: dict[str, int]) -> str:
    return HEAD + Template(text).substitute({name: str(value) for name, value in size.items()})
