"""Libraries that only report: where they are not installed, a traced file finds a silent stand-in.

`tabulate` prints its rows, `matplotlib` draws nothing, and Triton's profiler (proton) profiles nothing.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from core.contracts.text import Text, tr
from core.interpreter.virtual_gpu.patching import replaced

_PLOTTING = ("matplotlib", "matplotlib.pyplot")
_PROFILER = "triton.profiler"
_CONTROLS = ("start", "activate", "deactivate", "finalize")


@contextmanager
def silent_reports(source: str, notify: Callable[[Text], None]) -> Iterator[None]:
    """Inside the block, what the text of a file names of these libraries can be imported and called."""
    with ExitStack() as stack:
        modules: dict[str, ModuleType] = {}
        if "tabulate" in source and not _is_installed("tabulate"):
            modules["tabulate"] = _module("tabulate", tabulate=_table)
        if "matplotlib" in source and not _is_installed("matplotlib"):
            modules.update({name: _module(name, __getattr__=lambda name: _Silent()) for name in _PLOTTING})
        if _PROFILER in source:
            modules[f"{_PROFILER}.viewer"] = _module(f"{_PROFILER}.viewer", __getattr__=lambda name: _Silent())
            stack.enter_context(_unprofiled(notify))
        stack.enter_context(_importable(modules))
        yield


def _is_installed(name: str) -> bool:
    return name in sys.modules or importlib.util.find_spec(name) is not None


def _module(name: str, **values: Any) -> ModuleType:
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None)
    module.__path__ = []
    vars(module).update(values)
    return module


@contextmanager
def _importable(modules: dict[str, ModuleType]) -> Iterator[None]:
    kept = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name, module in kept.items():
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module


class _Silent:
    """Whatever is asked of it is silent too."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self

    def __iter__(self) -> Iterator[Any]:
        """`figure, axes = plt.subplots()`."""
        return iter((self, self))


def _table(rows: Iterable[Iterable[Any]], headers: Any = (), **options: Any) -> str:
    """`tabulate.tabulate`, without lines and alignment."""
    first = [headers] if isinstance(headers, list | tuple) and headers else []
    return "\n".join("\t".join(map(str, row)) for row in [*first, *rows])


@contextmanager
def _unprofiled(notify: Callable[[Text], None]) -> Iterator[None]:
    """Inside the block, Triton's profiler starts no session, so its scopes do nothing."""
    profiler = importlib.import_module(_PROFILER)

    def control(*args: Any, **kwargs: Any) -> int:
        notify(tr("Triton's profiler measured nothing: a trace has no GPU time."))
        return 0

    with replaced(profiler, dict.fromkeys(_CONTROLS, control)):
        yield
