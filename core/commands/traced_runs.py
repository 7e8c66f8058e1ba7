"""Runs of kernel-lab from the command line: what `trace` and `check` share. The topic is imported when it is
first needed: a command starts its worker before that."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from core.commands.session import run_once
from core.contracts.errors import InvalidParams
from core.contracts.params import Params
from core.contracts.text import tr
from core.contracts.topic import Topic
from core.engine import Engine
from core.paths import expanded

if TYPE_CHECKING:
    from core.topics.kernel_lab.result import KernelLabResult

TOPIC_ID = "kernel-lab"
FAULTS_FOUND = 1


def params_of(topic: Topic, target: str, given: dict[str, object]) -> Params:
    """The parameters of a run, with the file and the function that the target means."""
    file, _, function = target.rpartition("::") if "::" in target else (target, "", "")
    params = topic.params.parse({"file": file, "function": function, **given})
    planned = topic.plan(params)
    topic.check(params)
    return params.changed(file=str(planned.path), function=planned.function)


def traced(
    engine: Engine, device: str, topic: Topic, params: Params, *, whole: bool = False, with_stack: bool = False
) -> KernelLabResult:
    """The result of a run. It has all numbers; the trace itself only if `whole`."""
    from core.topics.kernel_lab.result import KernelLabResult

    result = run_once(engine, topic, params, device, partial=not whole, with_stack=with_stack)
    assert isinstance(result, KernelLabResult)
    return result


def place_of(path: Path) -> Path:
    """The path of a file that will be written. Raises InvalidParams where that cannot be."""
    path = expanded(path)
    if path.is_dir():
        raise InvalidParams(tr("{path} is a folder: name a file to write.", path=str(path)))
    if not path.parent.is_dir():
        raise InvalidParams(
            tr("{path} cannot be written, because its folder does not exist: make it first.", path=str(path))
        )
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise InvalidParams(tr("{path} cannot be written (permission denied): choose another place.", path=str(path)))
    return path
