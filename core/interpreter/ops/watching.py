"""Captures loop-carried values by the name of their Python variable."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import torch

from core.interpreter.frame import Frame
from core.interpreter.ir import SHADOW, Operation
from core.interpreter.values import to_torch


def carried_names(operation: Operation) -> list[str]:
    """The Python variable of each loop-carried value of an scf.for, '' if MLIR does not name it.

    Triton prints block arguments with their variable as a prefix ('%m_i_25'). If it prints '%arg12' instead, the loop's
    own location nests the names, last carried value first.
    """
    arguments = [value for value in operation.regions[0].arguments[1:] if value.name != SHADOW]
    nested = operation.location.names[::-1]
    names = []
    for index, argument in enumerate(arguments):
        if re.fullmatch(r"arg\d+|\d+", argument.name):
            names.append(nested[index] if len(nested) == len(arguments) else "")
        else:
            names.append(argument.name)
    return names


def _matches(printed: str, watched: str) -> bool:
    """MLIR makes a repeated name unique with a numeric suffix."""
    return printed == watched or re.fullmatch(re.escape(watched) + r"_\d+", printed) is not None


def watcher(operation: Operation) -> Callable[[Frame, list[Any]], None] | None:
    """A function that records the values yielded by each iteration of this loop; None if none of them is named."""
    names = carried_names(operation)
    types = [argument.type for argument in operation.regions[0].arguments[1:]]
    if not any(names):
        return None

    def observe(frame: Frame, yielded: list[Any]) -> None:
        recorder = frame.run.watcher
        for watched in recorder.names:
            index = next((i for i, name in enumerate(names) if _matches(name, watched)), None)
            if index is None or types[index].pointer:
                continue
            lanes = recorder.select(frame.programs)
            if len(lanes):
                tile = to_torch(yielded[index], types[index])
                tile = tile.expand(frame.count, *types[index].dims)
                chosen = tile if len(lanes) == frame.count else tile[torch.from_numpy(lanes).to(tile.device)]
                values = chosen.to(torch.float32, copy=True).cpu().numpy()
                recorder.add(watched, frame.programs[lanes], values)

    return observe
