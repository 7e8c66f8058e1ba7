"""What the engine asks a worker to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class RunRequest:
    """One run as JSON values: it travels to workers, and from a worker to the process of a user's code.

    `package` exports the topic, `params` are the values of its parameters. `device` is what the caller asked for, or
    where a worker resolved it, 'cpu' or 'cuda'. `language` is that of the caller: results hold texts of all languages,
    but a file that a run writes has one. `is_live`: nobody asked for this run, so it is the topic's live experiment.
    """

    id: str
    topic: str
    package: str
    params: Mapping[str, Any]
    device: str
    language: str
    is_live: bool = False

    def as_json(self) -> dict[str, Any]:
        """The fields, as the keyword arguments of another one."""
        return asdict(self)
