"""Runs one stage after the other and shows its curves while they grow. Workers only."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from core.contracts.errors import RunFailed
from core.contracts.events import Partial, Progress
from core.contracts.text import EMPTY, Text, tr
from core.topics.training.curves import Curves
from core.topics.training.experiment.board import Board
from core.topics.training.experiment.setting import continued
from core.topics.training.folders import checkpoint_step
from core.topics.training.result import MAX_SAMPLES, HeldModel, SampledAnswer, SeedRun, StageRun
from core.topics.training.stage_ids import STAGE_LABELS
from core.topics.training.stages.checkpoints import CHECKPOINT, LOG
from core.topics.training.stages.records import Record

Events = Generator[Progress | Partial, None, Any]
Make = Callable[[Path | None], Generator[Record, None, Any]]
TRAINED_ROLES: Mapping[str, tuple[str, ...]] = {"reward": ("reward",), "ppo": ("policy", "value")}
"""The roles that a stage trains; 'policy' in all others."""


@dataclass
class StageTrack:
    """The records of one stage as they come."""

    stage: str
    steps: int
    folder: Path | None
    rows: list[tuple[int, Mapping[str, float]]] = field(default_factory=list)
    samples: list[SampledAnswer] = field(default_factory=list)
    resumed_from: int = 0
    seconds: float = 0.0

    def add(self, record: Record, seconds: float) -> None:
        if not self.rows and self.folder is not None and not (self.folder / CHECKPOINT).exists():
            self.resumed_from = 0  # it was that of another version, and was deleted
        if record.step > self.resumed_from:
            self.seconds += seconds
        self.rows.append((record.step, record.metrics))
        if record.sample is not None and self._is_shown(record.step):
            self.samples.append(SampledAnswer(record.step, record.sample))

    def run(self, finished: bool = False, models: tuple[HeldModel, ...] = (), error: Text = EMPTY) -> StageRun:
        return StageRun(
            stage=self.stage,
            steps=self.steps,
            curves=Curves.of(self.rows),
            samples=tuple(self.samples),
            models=models,
            resumed_from=self.resumed_from,
            seconds=self.seconds,
            finished=finished,
            error=error,
            log="" if self.folder is None else str(self.folder / LOG),
        )

    def _is_shown(self, step: int) -> bool:
        every = -(-self.steps // MAX_SAMPLES)
        return step % every == 0 or step in (1, self.steps)


def run_stage(
    board: Board, seed_run: SeedRun, stage: str, steps: int, step_s: float, make: Make, folder: Path | None
) -> Generator[Progress | Partial, None, tuple[SeedRun, Any]]:
    """Run a stage to its end. Returns the seed's stages with it, and what the stage returned: None if it stopped early.

    A NaN loss or a full disk stops the stage and becomes a message; its curves stay.
    """
    track = StageTrack(stage, steps, folder, resumed_from=checkpoint_step(folder / CHECKPOINT) if folder else 0)
    records: Generator[Record, None, Any] = continued(make, folder, board.params)
    value, error = None, EMPTY
    label = STAGE_LABELS[stage]
    while True:
        before = perf_counter()
        try:
            record = next(records)
        except StopIteration as end:
            value = end.value
            break
        except RunFailed as failure:
            error = failure.text
            break
        track.add(record, perf_counter() - before)
        board.saw_curve()
        text = tr("{stage}, step {step} of {steps}", stage=label, step=record.step, steps=steps)
        yield board.progress(record.step * step_s, text)
        if board.is_due():
            board.show(_with_stage(seed_run, track.run()))
            yield Partial(board.result)
    if error:
        board.warn(tr("{stage} stopped: {reason}", stage=label, reason=error))
    board.done += steps * step_s
    seed_run = _with_stage(seed_run, track.run(value is not None, _held(stage, value), error))
    board.show(seed_run)
    yield Partial(board.result)
    return seed_run, value


def _with_stage(seed_run: SeedRun, run: StageRun) -> SeedRun:
    return SeedRun(seed_run.seed, {**seed_run.stages, run.stage: run})


def _held(stage: str, value: Any) -> tuple[HeldModel, ...]:
    """The models that a stage held, with the parameters that it counted."""
    trained = TRAINED_ROLES.get(stage, ("policy",))
    parameters: Mapping[str, int] = getattr(value, "parameters", {})
    return tuple(HeldModel(role, role in trained, count) for role, count in parameters.items())
