"""Runs the command line in this process, with one worker for all tests, since importing torch takes long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

import main
from core.commands import bench, check, run, trace, verify
from core.engine import Engine


@dataclass(frozen=True)
class Outcome:
    """The exit code and the output of a command."""

    returncode: int
    stdout: str
    stderr: str


Command = Callable[..., Outcome]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """`command("run", "masks")` runs that command line in this process. A run starts a worker: see `one_engine`."""

    def call(*arguments: str) -> Outcome:
        capsys.readouterr()
        returncode = main.main(arguments)
        return Outcome(returncode, *capsys.readouterr())

    return call


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    engine = Engine(warm_up=False)
    engine.start()
    yield engine
    engine.close()


@pytest.fixture
def one_engine(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """All commands share one worker, where each would start its own."""

    @contextmanager
    def shared(device: str, wanted_first: object = ()) -> Iterator[tuple[Engine, str]]:
        yield engine, device

    for module in (bench, check, run, trace, verify):
        monkeypatch.setattr(module, "engine_for", shared)
