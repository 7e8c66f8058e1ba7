"""Demos of the toy page."""

from __future__ import annotations

from typing import Any

from core.contracts.place import Place
from core.contracts.written import Written
from core.demos import Demo, Step


def step(caption: str = "Look.", seconds: float = 6.0, *, card: str = "", alone: bool = False, **facts: Any) -> Step:
    """A step on the toy page; `set_` and `select` as in a Place, `run` is False unless it is given."""
    place = Place("toy", facts.pop("set_", {}), card, facts.pop("select", {}))
    return Step(place, Written(caption), facts.pop("run", False), alone, seconds)


def demo(*steps: Step) -> Demo:
    return Demo("own", Written("My demo", others=(("zh", "我的演示"),)), steps)
