"""Predicts how long a run takes here, from the runs that are most like it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

from core.contracts import registry
from core.durations.live import FIRST_LIVE_WITHIN_S, LIVE_WITHIN_S
from core.durations.recorded import RecordedRuns, recorded_runs
from core.durations.timing import Timing

if TYPE_CHECKING:
    from core.contracts.params import Params
    from core.contracts.topic import Topic

_OTHER_MACHINE, _COLD = 0.5, 1.0
"""How much further away evidence is: in doublings of the size, like the distance of another size."""


@dataclass(frozen=True)
class Prediction:
    """`seconds`, and `is_close`: whether it comes from a run with these parameters, or with another size of them.

    `first_seconds` is how long this run took at most as the first of its page in a worker; None if that is not known.
    """

    seconds: float
    is_close: bool
    first_seconds: float | None = None

    def is_live(self, *, worker_is_warm: bool = True) -> bool:
        """Whether the run is short enough to begin by itself. A guess from other runs of the page is not enough.

        `worker_is_warm`: the worker has run the page before.
        """
        first = None if worker_is_warm else self.first_seconds
        return self.is_close and self.seconds < LIVE_WITHIN_S and (first is None or first < FIRST_LIVE_WITHIN_S)


@dataclass(frozen=True)
class _Evidence:
    timing: Timing
    cost: float | None
    handicap: float
    is_here: bool


class Predictor:
    """Of all runs that are known, the one that is most like the one asked about counts; the newest of equals.

    A topic's `cost` says how runs of other sizes compare: seconds grow as a + b * cost, with a and b fitted to all runs
    of the page. Durations of the recording are multiplied by how much slower this machine has been. A first run of a
    worker, which compiles kernels besides, counts only where nothing better is known.
    """

    def __init__(self, recorded: RecordedRuns | None = None) -> None:
        self._here: dict[str, list[Timing]] = {}
        self._runs = (recorded_runs() if recorded is None else recorded).runs
        self._recorded: dict[str, list[Timing]] = {}
        self._costs: dict[tuple[str, Params], float] = {}

    @property
    def recorded_pages(self) -> set[str]:
        """The pages whose runs tell how fast this machine is."""
        return {run.page for run in self._runs if run.page in registry.TOPICS}

    def learn(self, page: str, timings: Iterable[Timing]) -> None:
        """Runs of this machine, the newest first. They replace what was known of the page."""
        self._here[page] = list(timings)

    def add(self, page: str, timing: Timing) -> None:
        """The newest run of this machine."""
        self._here.setdefault(page, []).insert(0, timing)

    def predict(
        self, topic: Topic, params: Params, *, on_gpu: bool = False, is_live: bool = False
    ) -> Prediction | None:
        """How long the run will take in a worker that is ready; None where nothing is known of the page.

        `is_live` asks about the topic's live experiment.
        """
        is_other_kind = is_live and bool(topic.live_experiment)
        evidence = [
            item
            for item in self._evidence(topic)
            if item.timing.on_gpu == on_gpu and (item.timing.is_live == is_live or not topic.live_experiment)
        ]
        same = [item for item in evidence if params.needs_same_run_as(item.timing.params)]
        candidates = [(item.handicap, item.timing.seconds) for item in same]
        if topic.cost is not None:
            candidates += _scaled([item for item in evidence if item not in same], topic.cost(params))
        if candidates:
            _, seconds = min(candidates, key=lambda candidate: candidate[0])
            return Prediction(seconds, True, next((it.timing.seconds for it in same if not it.timing.is_warm), None))
        here = [item.timing.seconds for item in evidence if item.is_here]
        if not here or is_other_kind:
            return None
        return Prediction(median(here), is_close=False)

    def _evidence(self, topic: Topic) -> list[_Evidence]:
        """Runs of the page: those of this machine, the newest first, then recorded ones in seconds of this machine."""

        def cost(params: Params) -> float | None:
            if topic.cost is None:
                return None
            if (topic.id, params) not in self._costs:
                self._costs[topic.id, params] = topic.cost(params)
            return self._costs[topic.id, params]

        slower = self._slower()
        here = [
            _Evidence(timing, cost(timing.params), 0.0 if timing.is_warm else _COLD, is_here=True)
            for timing in self._here.get(topic.id, ())
        ]
        recorded = [
            _Evidence(replace(timing, seconds=timing.seconds * slower), cost(timing.params), _OTHER_MACHINE, False)
            for timing in self._recorded_of(topic.id)
        ]
        return here + recorded

    def _recorded_of(self, page: str) -> list[Timing]:
        """Read when the page is first asked about: parameters need their topic, and to import all takes a second."""
        if page not in self._recorded:
            runs = [(run, run.params()) for run in self._runs if run.page == page]
            self._recorded[page] = [
                Timing(params, run.seconds, is_warm=run.is_live, is_live=run.is_live)
                for run, params in runs
                if params is not None
            ]
        return self._recorded[page]

    def _slower(self) -> float:
        """How many times as long runs take here as where they were recorded; 1 where no run can tell. A first run of a
        worker tells it only beside another first run."""
        ratios = [
            made.seconds / timing.seconds
            for page, runs_here in self._here.items()
            for timing in self._recorded_of(page)
            for made in runs_here
            if made.params == timing.params and made.is_live == timing.is_live and made.is_warm == timing.is_warm
            if not made.on_gpu
        ]
        return median(ratios) if ratios else 1.0


def _scaled(evidence: Sequence[_Evidence], cost: float) -> list[tuple[float, float]]:
    """(distance, seconds) of each run, as if it had the cost."""
    known = [(item, item.cost) for item in evidence if item.cost is not None and item.cost > 0]
    if not known or cost <= 0:
        return []
    fixed, per_cost = _line([(of_run, item.timing.seconds) for item, of_run in known])
    return [
        (
            item.handicap + abs(math.log2(cost / of_run)),
            item.timing.seconds * (fixed + per_cost * cost) / (fixed + per_cost * of_run),
        )
        for item, of_run in known
    ]


def _line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """a, b >= 0 of seconds = a + b * cost, by least squares of the relative errors.

    One cost alone cannot tell what part of the time is fixed: then all of it grows with the cost.
    """
    x, y = sum(cost / s for cost, s in points), sum(1 / s for _, s in points)
    xx, yy = sum((cost / s) ** 2 for cost, s in points), sum(1 / s**2 for _, s in points)
    xy = sum(cost / s**2 for cost, s in points)
    determinant = xx * yy - xy * xy
    if determinant <= 1e-9 * xx * yy:
        return 0.0, x / xx
    fixed, per_cost = (y * xx - x * xy) / determinant, (x * yy - y * xy) / determinant
    if fixed < 0:
        return 0.0, x / xx
    if per_cost < 0:
        return y / yy, 0.0
    return fixed, per_cost
