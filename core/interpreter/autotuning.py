"""Triton's Autotuner inside a trace: it prunes and calls its hooks as ever, but no configuration is timed.

Triton's own code chooses among the configurations that pruning leaves. Only what times one of them is replaced: the
hooks run as if it had been launched, and the first configuration that compiles wins. So subclasses with a `run` of
their own and a cache of their own work too, as long as they time with `_bench`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from core.contracts.text import EMPTY, Text
from core.interpreter.config_results import Result, Results
from core.interpreter.frontend import CompilationRejected
from core.interpreter.trial import Outputs, difference
from core.trace.record import Fault, Launch

_MOST_WRAPPERS = 32
"""Heuristics and Autotuners around one kernel, at most. A guard against a wrapper that holds itself."""


@dataclass(frozen=True)
class TunedKernel:
    """An autotuned kernel and its configurations as text, in order: number 1 is the first."""

    function: str
    configs: tuple[str, ...]


@dataclass(frozen=True)
class ConfigTrial:
    """A configuration of an autotuned kernel, tried on the arguments of a launch. `number` counts from 1.

    `kept` says that pruning left it. `launch` is None if Triton cannot compile it; `problem` says why. `registers` and
    `spills` are those of a thread, compiled for the target; None if that failed. `difference` is the largest absolute
    difference of what it wrote from what the first configuration wrote that ran; None without data.
    """

    function: str
    number: int
    config: str
    kept: bool
    launch: Launch | None = None
    registers: int | None = None
    spills: int | None = None
    difference: float | None = None
    problem: Text = EMPTY


Try = Callable[[Callable[[], Any]], tuple[Launch, tuple[int | None, int | None], Outputs]]
"""Executes a launch whose results are taken back: its trace, registers and spills, and what it wrote."""


class Tuning:
    """What the autotuners of one trace chose, and the name of the configuration of a launch.

    `wanted` is the number of the configuration that each autotuner has to choose, if it has that many; 0 leaves the
    choice to it. With `try_launch`, all configurations are tried, and `trials` are what came out.
    """

    def __init__(self, wanted: int = 0, try_launch: Try | None = None) -> None:
        self.wanted = wanted
        self.kernels: dict[str, TunedKernel] = {}
        self.trials: list[ConfigTrial] = []
        self._try_launch = try_launch
        self._first: tuple[Any, Outputs] | None = None
        self._kept: tuple[Any, list[Any]] | None = None
        self._results: tuple[Any, Results] | None = None
        self._chosen: tuple[Any, Any] | None = None
        self._caches: dict[int, tuple[dict[Any, Any], dict[Any, Any]]] = {}
        self._launchers: list[Any] = []
        self._choice = ""
        self.one_at_a_time = threading.RLock()
        """Held while a kernel is tuned and launched, whatever thread does it."""

    @contextmanager
    def launching(self, kernel: Any) -> Iterator[None]:
        """Inside the block, `kernel[grid](...)` runs: a kernel, or what wraps it."""
        with self.one_at_a_time:
            self._launchers.append(kernel)
            for autotuner in _autotuners(kernel):
                self._keep_cache(autotuner)
                self.kernels[_name(autotuner)] = TunedKernel(_name(autotuner), tuple(map(text_of, autotuner.configs)))
            try:
                yield
            finally:
                self._launchers.pop()

    @contextmanager
    def choosing(self, function: str, configs: list[Any]) -> Iterator[Any]:
        """The configuration that a kernel runs inside the block which no Autotuner of Triton's tunes: the wanted one or
        the first."""
        self.kernels[function] = TunedKernel(function, tuple(map(text_of, configs)))
        config = configs[self.wanted - 1 if 0 < self.wanted <= len(configs) else 0]
        self._choice = text_of(config)
        try:
            yield config
        finally:
            self._choice = ""

    def pruned(self, autotuner: Any, prune: Callable[[], list[Any]]) -> list[Any]:
        """The configurations among which an autotuner chooses."""
        forced = self._forced(autotuner)
        if self._try_launch is None:
            return prune() if forced is None else [forced]
        kept = prune()
        self._kept = autotuner.nargs, [forced] if forced is not None else kept
        return list(autotuner.configs)

    def bench(self, autotuner: Any, args: tuple[Any, ...], config: Any, meta: dict[str, Any]) -> list[float]:
        """Times of a configuration, as `Autotuner._bench` returns them: 0, or infinite if it does not compile.

        After the first that compiles, the others of the same tuning are not compiled, since they cannot win.
        """
        if conflicts := meta.keys() & config.kwargs.keys():
            raise ValueError(f"Conflicting meta-parameters: {', '.join(conflicts)}.")
        named, forced = autotuner.nargs, self._forced(autotuner)
        if forced is not None and config is not forced and self._try_launch is None:
            return [float("inf")] * 3
        if self._try_launch is None and self._chosen is not None and self._chosen[0] is named:
            return [0.0] * 3
        current = {**meta, **config.all_kwargs()}
        full = {**named, **current}
        if config.pre_hook is not None:
            config.pre_hook(full)
        autotuner.pre_hook(full)
        try:
            if self._try_launch is None:
                autotuner.fn.run(*args, **{**current, "warmup": True})
            else:
                self._try(autotuner, config, lambda: autotuner.fn.run(*args, **current))
        except CompilationRejected as error:
            autotuner.post_hook(full, exception=error)
            return [float("inf")] * 3
        autotuner.post_hook(full, exception=None)
        self._chosen = named, config
        return [0.0 if self._is_kept(autotuner, config) else 1.0] * 3

    def _forced(self, autotuner: Any) -> Any | None:
        return autotuner.configs[self.wanted - 1] if 0 < self.wanted <= len(autotuner.configs) else None

    def _is_kept(self, autotuner: Any, config: Any) -> bool:
        named, kept = self._kept or (None, [])
        return named is not autotuner.nargs or any(each is config for each in kept)

    def _try(self, autotuner: Any, config: Any, launch: Callable[[], Any]) -> None:
        assert self._try_launch is not None
        number = next(i for i, each in enumerate(autotuner.configs, 1) if each is config)
        trial = ConfigTrial(_name(autotuner), number, text_of(config), self._is_kept(autotuner, config))
        try:
            traced, (registers, spills), outputs = self._try_launch(launch)
        except CompilationRejected as error:
            self.trials.append(replace(trial, problem=error.text))
            raise
        if self._first is None or self._first[0] is not autotuner.nargs:
            self._first = autotuner.nargs, outputs
        apart = difference(outputs, self._first[1])
        if trial.kept:
            self._compare(autotuner, Result(number, trial.config, traced, outputs))
        self.trials.append(replace(trial, launch=traced, registers=registers, spills=spills, difference=apart))

    def _compare(self, autotuner: Any, result: Result) -> None:
        if self._results is None or self._results[0] is not autotuner.nargs:
            self._results = autotuner.nargs, Results(result)
        else:
            self._results[1].add(result)

    def compared(self, function: str) -> tuple[Fault, ...]:
        """What the configurations that were just tried of a kernel make differently; once."""
        known, self._results = self._results, None
        return known[1].findings() if known is not None and known[1].first.launch.function == function else ()

    def autotuners(self) -> list[Any]:
        """The Autotuners around the kernel that is running, from the outside."""
        return list(_autotuners(self._launchers[-1] if self._launchers else None))

    def config_of(self, kwargs: dict[str, Any]) -> str:
        """The configuration of the launch that is running, from its keyword arguments; empty without an Autotuner."""
        if self._choice:
            return self._choice
        for autotuner in self.autotuners():
            best = getattr(autotuner, "best_config", None)
            for config in [*([best] if best is not None else []), *autotuner.configs]:
                chosen = config.all_kwargs()
                if all(name in kwargs and kwargs[name] == value for name, value in chosen.items()):
                    return text_of(config)
        return ""

    def _keep_cache(self, autotuner: Any) -> None:
        cache = getattr(autotuner, "cache", None)
        if isinstance(cache, dict):
            self._caches.setdefault(id(cache), (cache, dict(cache)))

    def forget(self) -> None:
        """Put the autotuners' caches back: what a trace chose was not measured."""
        for cache, kept in self._caches.values():
            cache.clear()
            cache.update(kept)


def text_of(config: Any) -> str:
    """A configuration as text, such as 'BLOCK=64, num_warps=4, ...'."""
    return ", ".join(f"{name}={value}" for name, value in config.all_kwargs().items())


def _name(autotuner: Any) -> str:
    return str(autotuner.base_fn.__name__)


def _autotuners(wrapper: Any) -> Iterator[Any]:
    """The Autotuners around a kernel, from the outside."""
    from triton.runtime.autotuner import Autotuner

    for _ in range(_MOST_WRAPPERS):
        if wrapper is None:
            return
        if isinstance(wrapper, Autotuner):
            yield wrapper
        wrapper = getattr(wrapper, "fn", None)


@contextmanager
def untimed(tuning: Tuning) -> Iterator[None]:
    """Inside the block, autotuners choose through `tuning`, and nothing is written to Triton's cache of timings."""
    from triton.runtime.autotuner import Autotuner
    from triton.runtime.jit import KernelInterface

    names = ("_bench", "check_disk_cache", "prune_configs")
    kept = {name: Autotuner.__dict__[name] for name in names if name in Autotuner.__dict__}
    subscript = KernelInterface.__getitem__

    def bench(self: Any, *args: Any, config: Any, **meta: Any) -> list[float]:
        return tuning.bench(self, args, config, meta)

    def prune_configs(self: Any, kwargs: dict[str, Any], *args: Any, **more: Any) -> list[Any]:
        return tuning.pruned(self, lambda: kept["prune_configs"](self, kwargs, *args, **more))

    def no_disk_cache(self: Any, tuning_key: Any, configs: Any, bench_fn: Any) -> bool:
        bench_fn()
        return False

    def launcher(self: Any, grid: Any) -> Any:
        def launch(*args: Any, **kwargs: Any) -> Any:
            with tuning.launching(self):
                return self.run(*args, grid=grid, warmup=False, **kwargs)

        return launch

    replaced = {"_bench": bench, "check_disk_cache": no_disk_cache, "prune_configs": prune_configs}
    try:
        for name in kept:
            setattr(Autotuner, name, replaced[name])
        KernelInterface.__getitem__ = launcher
        yield
    finally:
        KernelInterface.__getitem__ = subscript
        for name, method in kept.items():
            setattr(Autotuner, name, method)
        tuning.forget()
