"""Drives an experiment to its end: checks what it yields, stamps its results, words its errors. Worker side only."""

from __future__ import annotations

import math
import traceback
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any, Protocol

from core.contracts import archive
from core.contracts.errors import CALLER_ERRORS, InternalError, InvalidParams, TilescopeError
from core.contracts.events import Failed, Finished, Partial, Progress
from core.contracts.params import Params
from core.contracts.result import NOT_STAMPED, Environment, Result
from core.contracts.text import tr
from core.contracts.topic import ExperimentRun, Topic
from core.engine import wire
from core.engine.environment import environment_of
from core.out_of_memory import is_out_of_memory
from core.outside import described

_PARTIAL_EVERY_S = 1 / 60


class Listener(Protocol):
    """Where a run's events go, and where it learns that it should stop."""

    def put(self, event: Progress | Partial) -> None: ...

    def check_cancel(self) -> None:
        """Raises what unwinds the run when a cancel was requested."""


def drive(
    topic: Topic, params: Params, device: str, listener: Listener, *, is_live: bool = False, is_warm: bool = False
) -> bytes:
    """Run the experiment on a torch device, 'cpu' or 'cuda'; returns Finished, packed. Raises its errors.

    `is_live` takes the topic's live experiment. `is_warm` says that this process has run the topic before.
    """
    experiment = topic.load_live_experiment() if is_live else topic.load_experiment()
    environment = environment_of(topic, params, device)
    started_s = monotonic()
    result = _drive(experiment(params, device), _Stamp(topic.result, environment), listener)
    return wire.pack(Finished(result, monotonic() - started_s, is_warm))


@dataclass(frozen=True)
class _Stamp:
    """Checks that a result is of the topic's class, and stores the environment in it."""

    kind: type[Result]
    environment: Environment

    def on(self, result: Any) -> Result:
        if not isinstance(result, self.kind):
            raise TypeError(f"an experiment returns a {self.kind.__name__}, not a {type(result).__name__}")
        return result if result.environment is not NOT_STAMPED else replace(result, environment=self.environment)


def _drive(steps: ExperimentRun, stamp: _Stamp, run: Listener) -> Result:
    """Run the generator to its end, and check for a cancel before each step; returns the result, stamped.

    The generator's finally blocks always run. Events are checked here, so that one that cannot be sent ends the run
    with a sentence. Of Partials that arrive faster than a window draws, only the newest is sent.
    """
    newest: Result | None = None
    sent_at = -math.inf
    try:
        while True:
            run.check_cancel()
            try:
                event = next(steps)
            except StopIteration as end:
                _put(newest, stamp, run)
                return stamp.on(end.value)
            match event:
                case Progress():
                    archive.plain(event)  # raises here rather than when the event is packed
                    run.put(event)
                case Partial(newest):
                    if monotonic() - sent_at > _PARTIAL_EVERY_S:
                        _put(newest, stamp, run)
                        newest, sent_at = None, monotonic()
                case _:
                    raise TypeError(f"an experiment yields Progress and Partial, not {type(event).__name__}")
    finally:
        steps.close()


def _put(partial: Result | None, stamp: _Stamp, run: Listener) -> None:
    if partial is not None:
        stamped = stamp.on(partial)
        archive.plain(stamped)
        run.put(Partial(stamped))


def failed(topic_id: str, error: BaseException) -> Failed:
    if isinstance(error, TilescopeError):
        field = error.field if isinstance(error, InvalidParams) else None
        invalid = isinstance(error, CALLER_ERRORS)
        detail = "".join(traceback.format_exception(error.__cause__)) if isinstance(error, InternalError) else ""
        return Failed(error.text, detail, blames=field, invalid_input=invalid, stack=error.stack)
    detail = "".join(traceback.format_exception(error))
    if is_out_of_memory(error):
        return Failed(tr("The run of {topic} ran out of memory: try smaller sizes.", topic=topic_id), detail)
    stopped = tr("The run of {topic} stopped on an error: {error}.", topic=topic_id, error=described(error))
    return Failed(stopped, detail)
