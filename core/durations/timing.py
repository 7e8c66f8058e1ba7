"""How long a run of this machine took."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.contracts.errors import InvalidParams

if TYPE_CHECKING:
    from core.contracts.params import Params
    from core.contracts.topic import Topic
    from core.engine.history import RunTiming


@dataclass(frozen=True)
class Timing:
    """`seconds` is the time of the experiment itself where the worker was warm, else at most that.

    `on_gpu`: runs on a GPU say nothing about runs on the CPU. `is_live`: the topic's live experiment ran.
    """

    params: Params
    seconds: float
    on_gpu: bool = False
    is_warm: bool = True
    is_live: bool = False


def timings_of(
    topic: Topic, runs: Iterable[RunTiming], is_here: Callable[[Mapping[str, str]], bool] | None = None
) -> Iterator[Timing]:
    """The runs of this machine whose parameters are still valid, in their order. `is_here` says whether an environment
    is that of this machine."""
    from core.hardware.host import ran_here

    is_here = is_here or ran_here
    for run in runs:
        if is_here(run.environment):
            with suppress(InvalidParams):
                params = topic.params.parse(run.params)
                on_gpu = run.environment.get("device", "").startswith("cuda")
                yield Timing(params, run.seconds, on_gpu, run.is_warm, run.is_live)
