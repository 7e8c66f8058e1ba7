"""Kernels that `torch.compile` wrote, inside a trace: `CachingAutotuner.run` becomes a launch like any other.

Inductor compiles its kernels for a GPU, in other processes, and times their configurations. Here the kernel is loaded
in this process, and its first configuration runs, or the wanted one. Inductor's own code makes the configurations and
the grid. Nothing of `torch._inductor` is imported unless the user's code does so.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from core.contracts.text import Text, tr
from core.interpreter.autotuning import Tuning
from core.interpreter.virtual_gpu.patching import replaced

_Patch = Callable[[ModuleType], AbstractContextManager[None]]

_WIDE = ("i64", "fp64")
"""Types of scalars that inductor states and that Triton's launcher would narrow, judging by the value."""


@contextmanager
def inductor_launches(tuning: Tuning, notify: Callable[[Text], None]) -> Iterator[None]:
    """Inside the block, kernels of `torch._inductor.runtime.triton_heuristics` run through `JITFunction.run`.

    `notify` is told of what measured nothing.
    """
    patches: dict[str, _Patch] = {
        "torch._inductor.runtime.triton_heuristics": lambda module: replaced(
            module.CachingAutotuner, {"run": _run(module, tuning)}
        ),
        "torch._inductor.runtime.triton_helpers": lambda module: replaced(
            module,
            {"set_driver_to_gpu": lambda: None},  # generated code calls it, and a trace has its own driver
        ),
        "torch._inductor.async_compile": lambda module: replaced(module.AsyncCompile, {"triton": _load}),
        "torch._inductor.utils": lambda module: replaced(module, {"print_performance": _run_once(notify)}),
    }
    with ExitStack() as stack:
        for name in patches.keys() & sys.modules.keys():
            stack.enter_context(patches[name](sys.modules[name]))
        finder = _AsImported({name: _entering(stack, patch) for name, patch in patches.items()})
        sys.meta_path.insert(0, finder)
        stack.callback(sys.meta_path.remove, finder)
        yield


def _entering(stack: ExitStack, patch: _Patch) -> Callable[[ModuleType], None]:
    return lambda module: stack.enter_context(patch(module))


class _AsImported(MetaPathFinder):
    """Finds modules as Python does, and hands each that it was told of to a function once it is imported."""

    def __init__(self, then: dict[str, Callable[[ModuleType], None]]) -> None:
        self._then = then

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in self._then:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return spec
        execute, then = spec.loader.exec_module, self._then[name]

        def exec_module(module: ModuleType) -> None:
            execute(module)
            then(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _run_once(notify: Callable[[Text], None]) -> Callable[..., float]:
    """In place of `print_performance`, which the benchmark at the end of inductor's files calls."""

    def print_performance(model: Callable[..., Any], example_inputs: Sequence[Any] = (), **options: Any) -> float:
        notify(
            tr(
                "print_performance of torch._inductor ran its function once and measured nothing: a trace has no GPU "
                "time, so it returns NaN."
            )
        )
        model(*example_inputs)
        return math.nan

    return print_performance


def _load(compiler: Any, kernel_name: str, source_code: str, device_str: str = "cuda") -> Any:
    """In place of `AsyncCompile.triton`: the kernel, not compiled, as for Triton's interpreter."""
    from torch._inductor.codecache import PyCodeCache

    return getattr(PyCodeCache.load(source_code), kernel_name)


def _run(heuristics: ModuleType, tuning: Tuning) -> Callable[..., Any]:
    """In place of `CachingAutotuner.run`, whose grid is an expression in the sizes and the configuration."""

    def run(self: Any, *args: Any, stream: Any = None, benchmark_run: bool = False, **kwargs: Any) -> Any:
        _state_types(self.fn, self.triton_meta["signature"])
        with tuning.choosing(self.fn.__name__, self.configs) as config:
            constants = {
                name: value
                for name, value in {**self.triton_meta.get("constants", {}), **config.kwargs}.items()
                if name in config.kwargs or _is_constant(self.fn, name)
            }
            extra = self.inductor_meta.get("extra_launcher_args", ())
            names = [*(name for name in self.fn.arg_names if name not in constants), *extra]
            if len(args) > len(names):
                raise TypeError(f"{self.fn.__name__} takes {len(names)} positional arguments, got {len(args)}")
            named = {**dict(zip(names, args, strict=False)), **kwargs}
            grid = heuristics.GridExpr.from_meta(self.inductor_meta, config).eval_slow(named)
            passed = {name: value for name, value in named.items() if name not in extra}
            options = {"num_warps": config.num_warps, "num_stages": config.num_stages}
            self.fn.run(**passed, **{**options, **constants}, grid=grid, warmup=False)

    return run


def _is_constant(function: Any, name: str) -> bool:
    return any(parameter.name == name and parameter.is_constexpr for parameter in function.params)


def _state_types(function: Any, signature: dict[str, str]) -> None:
    """Annotate the wide scalars of a kernel, before Triton makes what binds its arguments."""
    for parameter in function.params:
        if signature.get(parameter.name) in _WIDE and not parameter.annotation:
            parameter._param = parameter._param.replace(annotation=signature[parameter.name])
            for cached in ("annotation", "annotation_type"):
                vars(parameter).pop(cached, None)
