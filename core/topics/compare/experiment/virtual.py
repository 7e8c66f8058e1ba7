"""A file of the user's that is to find a GPU where there is none: on a virtual one, and without times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

from core.contracts.text import Text, tr
from core.engine.steps import ProgressCallback
from core.hardware.gpus import Gpu, gpu
from core.interpreter.fake_driver import fake_driver
from core.interpreter.virtual_gpu import virtual_gpu
from core.recordings.run import Point
from core.topics.compare.params import CompareParams
from core.topics.compare.plan import Plan

Work = Callable[[ProgressCallback], Point]


@dataclass
class Surroundings:
    """What the code of a comparison runs in. `gpu` is the virtual one, or None; `device` is what a file is told.

    `notices` is what the file should be told of afterwards.
    """

    device: torch.device
    gpu: Gpu | None = None
    notices: list[Text] = field(default_factory=list)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """PyTorch's modes belong to a thread, so each thread that runs code of the file enters them."""
        if self.gpu is None:
            yield
            return
        with fake_driver(self._notice, self.gpu), virtual_gpu(self.gpu, self._notice):
            yield

    def inside(self, work: Work) -> Work:
        """The work, done in these surroundings."""

        def done(progress: ProgressCallback) -> Point:
            with self.entered():
                return work(progress)

        return done

    def _notice(self, text: Text) -> None:
        if text not in self.notices:
            self.notices.append(text)


def surroundings(planned: Plan, device: torch.device) -> Surroundings:
    """Those of a run on a device."""
    params = planned.params
    if not params.virtual_gpu or planned.source is None or device.type != "cpu":
        return Surroundings(device)
    known = gpu(params.gpu)
    untimed = tr(
        "The file found a virtual {gpu} in host memory. Its code ran on the CPU, so nothing was timed.", gpu=known.name
    )
    return Surroundings(torch.device("cuda", 0), known, [untimed])


def timed(params: CompareParams, found: Surroundings) -> CompareParams:
    """The parameters, without times where the GPU is virtual."""
    return params if found.gpu is None else params.changed(timed=False)
