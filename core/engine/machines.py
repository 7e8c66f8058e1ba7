"""The name of an added machine in what its workers say: its results name their device wherever they are shown."""

from __future__ import annotations

from dataclasses import replace

from core.contracts.events import Event, Finished, Partial, Started
from core.contracts.result import Result


def on_machine(event: Event, machine: str) -> Event:
    """The event with its device as 'cuda (NVIDIA H200) @ machine'; as it is where there is no name.

    A device of another machine then never passes for one of this one, not even with the same processor.
    """
    if not machine:
        return event
    match event:
        case Started(device=device):
            return replace(event, device=_named(device, machine))
        case Partial(result=result) | Finished(result=result):
            return replace(event, result=_result_of(result, machine))
    return event


def _result_of(result: Result, machine: str) -> Result:
    environment = result.environment
    return replace(result, environment=replace(environment, device=_named(environment.device, machine)))


def _named(device: str, machine: str) -> str:
    return f"{device} @ {machine}"
