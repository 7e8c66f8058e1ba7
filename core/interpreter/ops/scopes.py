"""Narrows a frame to some of its lanes for a while, and joins the results of groups of lanes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from core.interpreter.body import Body
from core.interpreter.frame import Frame
from core.interpreter.ir import Value
from core.interpreter.values import Lanes, cut, join, to_predicate
from core.trace.affine import IntArray
from core.trace.mask import BoolArray, Mask


def cut_all(values: Sequence[Any], lanes: Lanes, device: torch.device) -> list[Any]:
    """Cut each value to some of its lanes."""
    indices = None if isinstance(lanes, slice) else torch.from_numpy(lanes).to(device)
    return [cut(value, lanes, indices) for value in values]


class Scope:
    """Narrows the lanes of a frame for a while; `restore` brings back the lanes and the captured values."""

    def __init__(self, frame: Frame, captured: Sequence[int]) -> None:
        self._frame = frame
        self._captured = captured
        self._values = [frame.values[slot] for slot in captured]
        self._programs = frame.programs
        self._count = frame.count

    def select(self, lanes: Lanes) -> None:
        """Continue with a selection of the original lanes."""
        frame = self._frame
        self._assign(cut_all(self._values, lanes, frame.run.device))
        frame.programs = self._programs[lanes]
        frame.count = len(frame.programs)

    def narrow(self, count: int) -> None:
        """Continue with the first `count` of the current lanes."""
        frame = self._frame
        self._assign(cut_all([frame.values[s] for s in self._captured], slice(0, count), frame.run.device))
        frame.narrow(count)

    def restore(self) -> None:
        """Restore the original lanes and values."""
        self._assign(self._values)
        self._frame.programs = self._programs
        self._frame.count = self._count

    def _assign(self, values: Sequence[Any]) -> None:
        for slot, value in zip(self._captured, values, strict=True):
            self._frame.values[slot] = value


class Results:
    """Collects the values of finished lanes, group by group, and joins them in the order of the lanes."""

    def __init__(self, results: Sequence[Value]) -> None:
        self._results = results
        self._groups: list[tuple[IntArray, list[Any]]] = []

    def add(self, lanes: IntArray, values: list[Any]) -> None:
        """Add the `values` of the lanes with these original indices."""
        if len(lanes):
            self._groups.append((lanes, values))

    def assign(self, frame: Frame) -> None:
        """Join the groups into the result slots of a frame that has its original lanes again."""
        order = np.concatenate([lanes for lanes, _ in self._groups])
        ordered = bool((order[1:] > order[:-1]).all())
        joined = [
            join([(len(lanes), values[i]) for lanes, values in self._groups], result.type)
            for i, result in enumerate(self._results)
        ]
        if not ordered:
            joined = cut_all(joined, np.argsort(order), frame.run.device)
        for result, value in zip(self._results, joined, strict=True):
            frame.values[result.slot] = value


def run_with(frame: Frame, body: Body, arguments: Sequence[Any]) -> None:
    """Run a body on its arguments."""
    for slot, value in zip(body.arguments, arguments, strict=True):
        frame.values[slot] = value
    body.run(frame)


def per_lane_bool(value: Any, lanes: int) -> BoolArray:
    """An i1 scalar as one bool per lane."""
    predicate = to_predicate(value)
    if isinstance(predicate, Mask):
        return np.broadcast_to(predicate.array.reshape(-1), (lanes,))
    return np.full(lanes, predicate)
