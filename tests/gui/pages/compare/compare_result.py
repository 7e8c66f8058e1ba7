"""The result of a run of the compare page, without running anything."""

from __future__ import annotations

from core.contracts.registry import topic
from core.contracts.text import tr
from core.hardware.conditions import Conditions
from core.recordings.run import Band, Ceiling, Device, FamilyRun, Outcome, Point, Traced
from core.topics.compare.params import CompareParams
from core.topics.compare.result import CompareResult

SAMPLES = (1.0, 1.01, 1.02, 0.99, 1.0, 1.03, 1.01, 1.0, 1.02, 1.01)


def outcome(impl: str, factor: float = 1.0, **fields: object) -> Outcome:
    """A contender that was timed and right; `factor` is how many times as long as the others it takes."""
    label = next(each.label for each in topic("compare").plan(CompareParams()).contenders if each.id == impl)
    samples = tuple(factor * sample for sample in SAMPLES)
    known = {
        "runs_on": "cpu", "time_ms": 1.01 * factor, "time_ms_samples": samples, "max_abs_error": 1e-6,
        "rms_error": 1e-7, "allowed_rms_error": 3e-7, "passed": True,
    }  # fmt: skip
    return Outcome(impl, label, **{**known, **fields})  # type: ignore[arg-type]


def emulated(impl: str) -> Outcome:
    """A Triton kernel on a machine without a GPU."""
    return outcome(
        impl, runs_on="emulated", time_ms=None, time_ms_samples=(), kind="triton",
        traced=Traced(1, 8, 1 << 20, 1 << 18, 1 << 20, 1 << 28), modelled=Band("h200", 0.002, 0.003),
    )  # fmt: skip


def point(planned: object, *outcomes: Outcome) -> Point:
    """A point that was run."""
    cost = planned.cost  # type: ignore[attr-defined]
    conditions = Conditions("wall clock", len(SAMPLES), 6, True, threads=2, load_before=0.5, load_after=0.6)
    case = planned.case  # type: ignore[attr-defined]
    return Point(case, cost.flops, cost.least_bytes, cost.dtype, outcomes, conditions)


def family_run(params: CompareParams) -> FamilyRun:
    """Flash twice as fast as three operations at every point but the last, which did not fit into memory."""
    plan = topic("compare").plan(params)
    missing = Outcome("sdpa-cudnn", "PyTorch SDPA, cuDNN", reason=tr("PyTorch sees no GPU on this machine."))
    points = [
        point(planned, emulated("triton-flash"), outcome("sdpa-flash"), outcome("torch-naive", 2.0), missing)
        for planned in plan.points[:-1]
    ]
    last = plan.points[-1]
    points.append(Point(last.case, last.cost.flops, problem=tr("It ran out of memory here."), out_of_memory=True))
    return FamilyRun(
        family="attention",
        device=Device("cpu", "AMD EPYC", cores=2, memory_bytes=8 << 30),
        baseline="sdpa-flash",
        recorded_at="2025-06-01T12:00:00+00:00",
        commit="0123456789ab",
        versions={"torch": "2.13.0", "python": "3.11.9"},
        gpu="h200",
        swept=tuple(axis.name for axis, _ in plan.swept),
        ceilings=(
            Ceiling("copy", tr("copy"), 1e10, 1 << 28, (26.8,) * 5),
            Ceiling("matmul", tr("matrix product, {side} × {side}", side=512), 5e10, 2.0 * 512**3, (5.4,) * 5, "fp32"),
        ),
        points=tuple(points),
    )


def compare_result(params: CompareParams | None = None) -> CompareResult:
    """A run of the quick sweep on a CPU."""
    params = params or CompareParams()
    return CompareResult(params=params, run=family_run(params))
