"""A topic: one question, its parameters, its model, its experiment and its claims."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from core.claims import Claim
from core.events import Partial, Progress
from core.params import Params
from core.result import Result
from core.text import Text

ExperimentRun = Generator[Progress | Partial, None, Result]
"""What an experiment is: it yields while it works, each yield is a point where cancel is honoured."""

Experiment = Callable[[Any, str], ExperimentRun]
"""`run(params, device)`, device being 'cpu' or 'cuda'. Called in a worker only."""


def accept(params: Params) -> None:
    """The default check: whatever the params themselves allow can run."""


@dataclass(frozen=True)
class Topic:
    """The declaration that every topic package exports as `TOPIC`.

    `plan` is the pure model: params to what is drawn before, and beside, any run.
    `check` raises InvalidParams for a run that cannot succeed on this host (predicted memory, time).
    `experiment` is 'module:function', a string because only a worker may import that module.
    """

    id: str
    title: Text
    question: Text
    params: type[Params]
    plan: Callable[[Any], Any]
    experiment: str
    claims: tuple[Claim, ...]
    check: Callable[[Any], None] = accept

    def load_experiment(self) -> Experiment:
        """Import the experiment. Worker side only: this is where torch comes in."""
        module, function = self.experiment.split(":")
        experiment: Experiment = getattr(importlib.import_module(module), function)
        return experiment
