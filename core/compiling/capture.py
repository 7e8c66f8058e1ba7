"""Records the Triton launches that some code makes, without running any of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from core.interpreter import frontend
from core.interpreter.autotuning import Tuning, untimed
from core.interpreter.fake_driver import fake_driver


@dataclass(frozen=True, eq=False)
class CapturedLaunch:
    """One `kernel[grid](...)`: the JITFunction and its arguments, options of the launch among them."""

    function: Any
    arguments: tuple[Any, ...]
    options: Mapping[str, Any]


@contextmanager
def captured_launches() -> Iterator[list[CapturedLaunch]]:
    """Inside the block, launches are appended to the list and not run: their outputs keep whatever they held.

    An autotuned kernel is captured in the first configuration that pruning leaves. Raises MissingRequirement without
    Triton.
    """
    parts = frontend.triton()
    jit_function = parts.jit.JITFunction
    kept = jit_function.run
    launches: list[CapturedLaunch] = []

    def run(self: Any, *args: Any, grid: Any, warmup: bool, **kwargs: Any) -> None:
        if not warmup:
            launches.append(CapturedLaunch(self, args, kwargs))

    jit_function.run = run
    try:
        with fake_driver(parts.target), untimed(Tuning()):
            yield launches
    finally:
        jit_function.run = kept
