"""What `make bench-gpu` compares, and what the kernels are to reach on an H200, as ratios within one run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from core.families.axes import case_text
from core.recordings.run import FamilyRun, Outcome, Point
from core.topics.compare.params import FULL, CompareParams


@dataclass(frozen=True)
class Goal:
    """`contender` is to be `ratio` times as fast as `rival`, another contender, at every point; or, where `of_ceiling`,
    to move the bytes of the formula at that share of the rate which the ceiling `rival` reached in the same run."""

    contender: str
    rival: str
    ratio: float
    of_ceiling: bool = False

    @property
    def text(self) -> str:
        if self.of_ceiling:
            return f"{self.contender} at {self.ratio:.0%} of the measured {self.rival} bandwidth"
        return f"{self.contender} {self.ratio:g} times as fast as {self.rival}"

    def reached(self, run: FamilyRun, point: Point) -> float | None:
        """The ratio at a point; None where a time or the ceiling is missing."""
        ours = _time_ms(point.outcome(self.contender))
        if ours is None:
            return None
        if not self.of_ceiling:
            theirs = _time_ms(point.outcome(self.rival))
            return None if theirs is None else theirs / ours
        ceiling = run.ceiling(self.rival)
        return None if ceiling is None else point.least_bytes / (ours * 1e-3) / ceiling.per_s


@dataclass(frozen=True)
class Comparison:
    """A family with the values, the sweep and the contenders that are run; '' is what the full size has, and all."""

    family: str
    case: str = ""
    sweep: str = ""
    contenders: str = ""
    goals: tuple[Goal, ...] = ()

    def params(self, *, dry_run: bool) -> CompareParams:
        """Kernels are only traced and compiled in a dry run, and only timed otherwise: `bench` does all of it."""
        return CompareParams.parse(
            {
                "family": self.family,
                "case": self.case,
                "sweep": self.sweep,
                "contenders": self.contenders,
                "size": FULL,
                "checked": not dry_run,
                "timed": not dry_run,
                "traced": dry_run,
                "compiled": dry_run,
                "budget_s": BUDGET_S,
            }
        )


BUDGET_S = 1.0
"""Per point, so that everything fits into ten minutes."""

COMPARISONS = (
    Comparison(
        "attention", "head_dim=128, mask=causal", "seq_len=4096,8192,16384",
        "triton-flash, sdpa-flash, sdpa-cudnn, sdpa-efficient",
        (Goal("triton-flash", "sdpa-flash", 1.4), Goal("triton-flash", "sdpa-cudnn", 0.85)),
    ),
    Comparison(
        "attention-training", "head_dim=128, mask=causal, passes=backward", "seq_len=4096,8192,16384",
        "triton-flash, sdpa-flash, sdpa-cudnn, sdpa-efficient", (Goal("triton-flash", "sdpa-flash", 1.15),),
    ),
    Comparison("decode", goals=(Goal("triton-split-kv", "read", 0.92, of_ceiling=True),)),
    Comparison(
        "dequantize", "format=nf4, rows=16384", "nested_block=0,256",
        goals=(Goal("triton", "copy", 0.95, of_ceiling=True), Goal("triton", "bitsandbytes", 1.3)),
    ),
    Comparison(
        "block-sparse", "seq_len=8192", "mask=causal,window,documents", "block-sparse, flex, sdpa-bool-mask",
        (Goal("block-sparse", "flex", 1.0),),
    ),
    Comparison("lora", "rank=16, tokens=8192", "weight=dense,nf4", goals=(Goal("triton", "peft", 1.3),)),
    Comparison("cross-entropy", goals=(Goal("triton-one-launch", "copy", 0.9, of_ceiling=True),)),
    Comparison("linear-cross-entropy"),
    Comparison("lora-training", "rank=16", "tokens=8192"),
    Comparison("matmul-4bit", "", "x_rows=1,16,512"),
    Comparison("quantize", "", "rows=16384"),
    Comparison("softmax"),
    Comparison("layer-norm"),
)  # fmt: skip
"""Those with goals come first: where time runs out, they are done."""


@dataclass(frozen=True)
class Finding:
    """How far a goal was reached at one point. Without a ratio, `reason` says what is missing."""

    family: str
    case: str
    goal: Goal
    ratio: float | None
    reason: str = ""

    @property
    def verdict(self) -> Literal["met", "missed", "not measured"]:
        if self.ratio is None:
            return "not measured"
        return "met" if self.ratio >= self.goal.ratio else "missed"


def findings(comparison: Comparison, run: FamilyRun) -> Iterator[Finding]:
    """Every goal of the comparison at every point of its run."""
    for goal in comparison.goals:
        for point in run.points:
            ratio = goal.reached(run, point)
            reason = "" if ratio is not None else _reason(goal, point)
            swept = case_text({name: point.case[name] for name in run.swept}) or case_text(point.case)
            yield Finding(run.family, swept, goal, ratio, reason)


def _time_ms(outcome: Outcome | None) -> float | None:
    return None if outcome is None else outcome.time_ms


def _reason(goal: Goal, point: Point) -> str:
    if point.problem:
        return str(point.problem)
    for name in (goal.contender, goal.rival):
        outcome = point.outcome(name)
        if outcome is not None and outcome.time_ms is None:
            return str(outcome.reason) or f"{name} has no time"
    return f"{goal.rival} was not measured"
