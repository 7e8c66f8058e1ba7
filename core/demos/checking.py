"""Whether a demo fits the pages of this version: everything that a step names has to exist."""

from __future__ import annotations

from core.contracts.errors import TilescopeError, UnknownName
from core.contracts.text import listed, quoted, tr
from core.demos.demo import Demo, Step, nth_step
from core.demos.pictures import NAMEABLE, Nameable


def check_demo(demo: Demo) -> None:
    """Raise TilescopeError, with one sentence that names the step, for what does not exist."""
    for number, step in enumerate(demo.steps, start=1):
        try:
            _check_step(step)
        except TilescopeError as error:
            raise TilescopeError(nth_step(number, error.text)) from error


def _check_step(step: Step) -> None:
    place = step.place
    nameable = NAMEABLE.get(place.page, Nameable((), ()))
    place.check(nameable.cards)
    for kind, value in place.select.items():
        if kind not in nameable.kinds:
            raise UnknownName(
                tr(
                    "Nothing on the page {page} is selected as {name}. What can be selected is {known}.",
                    page=place.page,
                    name=quoted(kind),
                    known=listed(nameable.kinds),
                )
            )
        views = nameable.views.get(kind)
        if views is not None and value not in views:
            raise UnknownName(
                tr(
                    "There is no {kind} {name} on the page {page}: what it can be is {known}.",
                    kind=kind,
                    name=quoted(str(value)),
                    page=place.page,
                    known=listed(views),
                )
            )
