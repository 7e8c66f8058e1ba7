"""Promises about tiles and arguments: those that make a GPU reach other places are found, harmless ones are silent."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from core.contracts.errors import InternalError, TilescopeError
from core.contracts.text import verbatim
from core.interpreter import intercept
from core.interpreter import tracer as tracer_module
from core.interpreter.specialised import broken_promises
from core.sanitizer import kinds
from core.trace.record import Fault
from tests.sanitizer import hint_kernels as kernels


def found(name: str, *args: Any, addresses_only: bool = False) -> list[Fault]:
    with intercept(faults="record", addresses_only=addresses_only) as tracer:
        getattr(kernels, name)(*args)
    return [fault for launch in tracer.launches for fault in launch.faults]


@pytest.mark.parametrize(
    ("name", "args", "line", "words"),
    [
        ("copy", (322, 960), "j = i % n", "the address of element [68] of the tile is 8 bytes after a multiple of 16"),
        ("copy", (324, 960, True, torch.float16), "j = i % n", "the address of element [72] of the tile is 8 bytes"),
        ("store_shifted", (3, 16), "i + shift", "but in program (0, 0, 0) the address of element [0]"),
        ("store_strided", (2,), "i * step", "element [1] of the tile then reaches index 1 of o in program"),
        ("store_steps", (98, 4), "i < n", "that of element [98] of the tile is another one"),
        ("gather", (4,), "i // 4", "reads index 1 of x in program (0, 0, 0), not index 0: it reaches element [1]"),
    ],
)
def test_that_a_promise_that_makes_a_gpu_reach_another_place_is_found(
    name: str, args: tuple[Any, ...], line: str, words: str
) -> None:
    (fault,) = found(name, *args)
    assert (fault.kind, fault.severity) == (kinds.BROKEN_HINT, "fault")
    assert words in str(fault.sentence)
    with open(kernels.__file__) as source:
        assert line in source.read().splitlines()[fault.line - 1]


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("copy", (320, 960)),
        ("copy", (322, 960, False)),
        ("copy", (328, 960, True, torch.float16)),
        ("store_shifted", (3, 1)),
        ("store_shifted", (4, 16)),
        ("store_strided", (1,)),
        ("store_steps", (96, 4)),
        ("gather", (1,)),
        ("multiply", (77, 72, 40)),
        ("multiply", (77, 75, 40)),
        ("multiply", (64, 80, 32)),
    ],
)
def test_that_promises_that_hold_or_change_no_result_are_silent(name: str, args: tuple[Any, ...]) -> None:
    assert found(name, *args) == []


def test_that_addresses_alone_show_a_store_that_goes_elsewhere_but_not_what_comes_of_a_load() -> None:
    assert [fault.kind for fault in found("store_strided", 2, addresses_only=True)] == [kinds.BROKEN_HINT]
    assert found("gather", 4, addresses_only=True) == []


@pytest.mark.parametrize(
    ("launches", "words"),
    [
        ([(0, 1, 32), (4, 1, 48)], []),
        ([(1, 1, 32)], ["address of x that is a multiple of 16 bytes", "one that is 4 bytes after"]),
        ([(0, 3, 32)], ["compiled for step = 1, but is launched with 3"]),
        ([(0, 1, 33)], ["takes n of scaled for a multiple of 16, but it is 33"]),
    ],
)
def test_that_a_compiled_kernel_is_launched_with_what_it_was_compiled_for(
    launches: list[tuple[int, int, int]], words: list[str]
) -> None:
    faults = [fault for fault in found("compiled", launches) if fault.kind == kinds.BROKEN_HINT]
    text = " ".join(str(fault.sentence) for fault in faults)
    assert all(each in text for each in words)
    assert bool(faults) == bool(words)


def test_that_a_broken_promise_is_kept_where_looking_further_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any) -> None:
        raise TilescopeError(verbatim("stopped"))

    monkeypatch.setattr(tracer_module, "look_at", stop)
    with pytest.raises(TilescopeError), intercept(faults="record") as tracer:
        kernels.compiled([(0, 1, 33)])
    assert [fault.kind for fault in tracer.launches[0].faults] == [kinds.BROKEN_HINT]


def test_that_an_error_while_promises_are_checked_is_no_fault_of_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracer_module, "broken_promises", lambda: ())
    with pytest.raises(InternalError), intercept(faults="record") as tracer:
        kernels.compiled([(0, 1, 32)])
    assert len(tracer.launches) == 1


@pytest.mark.parametrize(
    ("begin", "strides", "words"),
    [
        (0, (8, 1), ""),
        (4, (8, 1), ""),
        (1, (8, 1), "begins 4 bytes after a multiple of 16 bytes"),
        (0, (6, 1), "has the strides [6, 1]"),
        (0, (8, 2), "has the strides [8, 2]"),
    ],
)
def test_that_a_descriptor_is_what_tma_needs(begin: int, strides: tuple[int, int], words: str) -> None:
    descriptor = SimpleNamespace(base=torch.zeros(128)[begin:], strides=strides, block_shape=[4, 4])
    kernel: Any = SimpleNamespace(
        name="kernel", file="kernel.py", first_line=1, plan=SimpleNamespace(function=SimpleNamespace(divisors=()))
    )
    faults = broken_promises(kernel, {"x": descriptor}, [], {})
    assert len(faults) == bool(words)
    assert all(words in str(fault.sentence) for fault in faults)
