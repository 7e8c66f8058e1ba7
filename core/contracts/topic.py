"""A topic: one question, its parameters, its model, its experiment and its claims."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any

from core.contracts.claims import Claim
from core.contracts.errors import InvalidParams
from core.contracts.events import Partial, Progress
from core.contracts.params import Params
from core.contracts.result import Message, Result
from core.contracts.text import Text

ExperimentRun = Generator[Progress | Partial, None, Result]
"""A running experiment: it yields while it works, and can be cancelled at each yield."""

Experiment = Callable[[Any, str], ExperimentRun]
"""`run(params, device)`, device being 'cpu' or 'cuda'. Called in a worker only."""


def accept(params: Params) -> None:
    """The default check: all valid parameters can run."""


def triton_kernels(params: Params, device: str) -> str:
    """The default backend: kernels run on a GPU; without one they are executed from their TTIR."""
    return "CUDA" if device == "cuda" else "TTIR interpreter (CPU)"


def succeeded(result: Result) -> int:
    """The default: a run that ended with a result was a success."""
    return 0


def nothing_more(result: Result) -> Mapping[str, Any]:
    """The default: `run --json` prints what it prints of every topic."""
    return {}


def no_remarks(params: Params) -> tuple[Message, ...]:
    """The default: nothing about the parameters needs saying."""
    return ()


def as_resolved(params: Params, device: str) -> str:
    """The default: the device that the worker chose."""
    return device


@dataclass(frozen=True)
class Topic:
    """The declaration that every topic package exports as `TOPIC`.

    `plan` is the pure model: from params to what is drawn before and beside a run.
    `check` raises InvalidParams for a run that cannot succeed on this host (predicted memory, time).
    `experiment` is 'module:function', a string because only a worker may import that module. So is `libraries`, a
    function that imports what the experiment takes seconds to import: an idle worker calls it before the first run.
    `result` is the type that the experiment returns and, partly filled, yields. The worker adds its environment:
    `live_experiment` is the experiment without its slow measurements, for runs that begin by themselves; the default is
    the experiment itself. `cost` gives the work of a run in any unit: with it, the duration of one run predicts that of
    others. Increase `code_version` when the same parameters give another result: the recorded run that comes with the
    program is then stale. `runs_on` gives the device for these params if the worker chose one ('cpu' or 'cuda'),
    `backend` how kernels run there, `packages` the libraries whose versions are named besides the usual ones. A topic
    that `runs_user_code` gets a process of its own for each run. `path_params` name files and folders; a run writes to
    those in `written_params`. `exit_status` is that of `run TOPIC`, so that a script can act on what was found;
    `json_details` adds to what `run TOPIC --json` prints. `remarks` says what is unusual about parameters, as the page
    does: the command line prints them with the messages of a run.
    """

    id: str
    title: Text
    question: Text
    params: type[Params]
    plan: Callable[[Any], Any]
    experiment: str
    claims: tuple[Claim, ...]
    result: type[Result]
    check: Callable[[Any], None] = accept
    live_experiment: str = ""
    cost: Callable[[Any], float] | None = None
    code_version: int = 1
    libraries: str = ""
    runs_on: Callable[[Any, str], str] = as_resolved
    backend: Callable[[Any, str], str] = triton_kernels
    packages: tuple[str, ...] = ()
    runs_user_code: bool = False
    path_params: tuple[str, ...] = ()
    written_params: tuple[str, ...] = ()
    exit_status: Callable[[Any], int] = succeeded
    json_details: Callable[[Any], Mapping[str, Any]] = nothing_more
    remarks: Callable[[Any], tuple[Message, ...]] = no_remarks

    def opens_files(self, params: Params) -> bool:
        """Whether planning or checking these parameters may open files."""
        return any(str(getattr(params, name)).strip() for name in self.path_params)

    def without_files(self, params: Params) -> Params:
        """The parameters as if no file were named; the defaults where they do not go together then."""
        try:
            return params.changed(**dict.fromkeys(self.path_params, ""))
        except InvalidParams:
            return self.params()

    def from_elsewhere(self, params: Params) -> Params:
        """The parameters of a run that was made elsewhere, as a form may offer them here: without places that a run
        would write to, and without paths of a network, which are looked up as soon as they are shown."""
        cleared = [name for name in self.path_params if str(getattr(params, name)).startswith(("\\\\", "//"))]
        try:
            return params.changed(**dict.fromkeys((*self.written_params, *cleared), ""))
        except InvalidParams:
            return self.params()

    def load_experiment(self) -> Experiment:
        """Import the experiment. Worker side only: this is where torch comes in."""
        experiment: Experiment = _named(self.experiment)
        return experiment

    def load_live_experiment(self) -> Experiment:
        """Import what runs when a run begins by itself. Worker side only."""
        experiment: Experiment = _named(self.live_experiment or self.experiment)
        return experiment

    def load_libraries(self) -> None:
        """Import what the experiment takes seconds to import. Worker side only."""
        if self.libraries:
            _named(self.libraries)()


def _named(target: str) -> Any:
    module, function = target.split(":")
    return getattr(importlib.import_module(module), function)
