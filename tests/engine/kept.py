"""Topics whose results the history's tests store: 'flash' and 'masks' differ only in their names."""

from __future__ import annotations

from dataclasses import dataclass

from core.contracts.archive import Array
from core.contracts.params import Params, number, switch
from core.contracts.result import Result
from core.contracts.text import tr
from core.contracts.topic import Topic


class KeptParams(Params):
    seq_len: int = number(512, minimum=1, maximum=1 << 20, label=tr("Length"), help=tr("Tokens."))
    causal: bool = switch(True, label=tr("Causal"), help=tr("Masked."))


@dataclass(frozen=True)
class Moved:
    tensor: str
    read_bytes: int
    share: float


@dataclass(frozen=True, kw_only=True)
class KeptResult(Result):
    topic: str = "flash"
    params: KeptParams
    noise: Array | None = None
    traffic: tuple[Moved, ...] = ()


TOPIC = Topic(
    id="flash",
    title=tr("Flash"),
    question=tr("What is kept?"),
    params=KeptParams,
    plan=lambda params: params,
    experiment="nowhere:run",
    claims=(),
    result=KeptResult,
)
TOPICS = {"flash": "tests.engine.kept", "masks": "tests.engine.kept"}
