"""A demo and its steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.contracts.text import Text, tr

if TYPE_CHECKING:
    from core.contracts.place import Place
    from core.contracts.written import Written

DEFAULT_S = 6.0
LEAST_S, MOST_S = 0.5, 600.0
"""How long a step may be shown, in seconds."""

MAX_STEPS = 200
MAX_CAPTION = 400


@dataclass(frozen=True)
class Step:
    """One state of the window.

    `place` is what is shown, and `caption` says what there is to see. With `alone` the picture of the place fills the
    page. With `run` the page shows a run with these parameters, else what it shows without one. `seconds` is how long
    the step is shown where the demo goes on by itself; waiting for a run is not counted.
    """

    place: Place
    caption: Written
    run: bool = True
    alone: bool = False
    seconds: float = DEFAULT_S


@dataclass(frozen=True)
class Demo:
    """Steps in the order in which they are shown; at least one. `name` is that of the file, without its ending."""

    name: str
    title: Written
    steps: tuple[Step, ...]

    @property
    def seconds(self) -> float:
        """How long the demo takes, without the runs that it waits for."""
        return sum(step.seconds for step in self.steps)


def nth_step(number: int, problem: Text) -> Text:
    """What is wrong with a step, counted from 1."""
    return tr("Step {number}: {problem}", number=number, problem=problem)
