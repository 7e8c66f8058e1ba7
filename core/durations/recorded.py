"""How long runs took on the machine on which the durations were recorded that come with the program."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.contracts import registry
from core.contracts.errors import InvalidParams, UnknownName
from core.contracts.params import Params, Scalar
from core.files import read_regular

RECORDED = Path(__file__).resolve().parents[2] / "resources/questions/recorded/durations.toml"
_MAX_BYTES = 1 << 20


class RecordedRun(BaseModel):
    """How long a run took there, from its submission; one that `is_live`, in a worker that had run the page before."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    page: str
    set: dict[str, Scalar] = Field(default_factory=dict)
    seconds: float = Field(gt=0)
    is_live: bool = False

    def params(self) -> Params | None:
        """The parameters of the run; None where they are no longer valid."""
        try:
            return registry.topic(self.page).params.parse(self.set)
        except (InvalidParams, UnknownName):
            return None


class RecordedRuns(BaseModel):
    """Runs of one machine. They decide in which order runs are made and which begin by themselves, nothing else."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    machine: str = ""
    date: str = ""
    runs: tuple[RecordedRun, ...] = ()


@cache
def recorded_runs(path: Path = RECORDED) -> RecordedRuns:
    """What comes with the program; nothing if the file is missing or damaged, because it is only a prediction."""
    try:
        return RecordedRuns.model_validate(tomllib.loads(read_regular(path, _MAX_BYTES).decode("utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError):
        return RecordedRuns()
