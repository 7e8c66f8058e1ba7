"""A topic whose experiments misbehave, for the engine's tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from pydantic import model_validator

from core.contracts.archive import Array
from core.contracts.errors import InvalidParams
from core.contracts.params import Params, choice, number
from core.contracts.result import Result
from core.contracts.text import tr
from core.contracts.topic import Topic

ACTS = (
    "finish",
    "partials",
    "flood",
    "wait",
    "hang",
    "hold-gil",
    "segfault",
    "exit",
    "raise",
    "refuse",
    "blame",
    "allocate",
    "out-of-memory",
    "leave",
    "tensor",
    "tensor-result",
    "rubbish",
    "rubbish-result",
    "objects",
    "print",
    "modules",
    "step",
    "break-cuda",
    "use-cuda",
)


class TroubleParams(Params):
    act: str = choice("finish", *ACTS, label=tr("Act"), help=tr("What the experiment does."))
    count: int = number(3, minimum=0, maximum=1_000_000, label=tr("Count"), help=tr("How often it does it."))
    folder: str = ""

    @model_validator(mode="after")
    def _seven_is_impossible(self) -> Self:
        if self.count == 7:
            raise InvalidParams(tr("count = 7 cannot be: pick another."), "count")
        return self


@dataclass(frozen=True, kw_only=True)
class TroubleResult(Result):
    """`numbers` by name, and how many are `done`; `modules` are the ones that the worker has imported."""

    topic: str = "trouble"
    params: TroubleParams
    numbers: Mapping[str, Array] = field(default_factory=dict)
    done: int = 0
    modules: tuple[str, ...] = ()


def _check(params: TroubleParams) -> None:
    if params.count == 13:
        raise InvalidParams(tr("count = 13 does not fit into memory: pick another."), "count")


TOPIC = Topic(
    id="trouble",
    title=tr("Trouble"),
    question=tr("What does the engine do about it?"),
    params=TroubleParams,
    plan=lambda params: params,
    experiment="tests.engine.trouble.experiment:run",
    live_experiment="tests.engine.trouble.experiment:run_live",
    claims=(),
    result=TroubleResult,
    backend=lambda params, device: "python",
    check=_check,
)
