"""Autotuners inside a trace: pruning, hooks, subclasses and heuristics, as in Triton's own code, but untimed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import triton
from triton.runtime.autotuner import Autotuner

from core.contracts.errors import TilescopeError
from core.interpreter import intercept
from tests.interpreter import traced_kernels as kernels

SIZES = (16, 32, 64, 128)


def configs(*sizes: int, **options: Any) -> list[triton.Config]:
    return [triton.Config({"BLOCK": size}, **options) for size in sizes or SIZES]


def chosen(tuned: Any, launches: int = 1, **kwargs: Any) -> list[str]:
    """The blocks of the launches of a tuned addition. Each launch adds 100 numbers correctly."""
    x = torch.arange(100.0)
    with intercept() as tracer:
        for _ in range(launches):
            o = torch.full((100,), torch.nan)
            tuned[lambda meta: (triton.cdiv(100, meta["BLOCK"]),)](x, x, o, 100, **kwargs)
            torch.testing.assert_close(o, 2 * x)
    return [launch.config.split(",")[0].removeprefix("BLOCK=") for launch in tracer.launches]


def tuned(**options: Any) -> Any:
    return triton.autotune(options.pop("configs", configs()), key=["length"], **options)(kernels.add_kernel)


def test_that_early_pruning_sees_the_arguments_and_decides() -> None:
    seen: list[tuple[int, Any]] = []

    def prune(candidates: list[Any], named: dict[str, Any], **kwargs: Any) -> list[Any]:
        seen.append((named["length"], kwargs["grid"]))
        return [config for config in candidates if config.kwargs["BLOCK"] > 32]

    assert chosen(tuned(prune_configs_by={"early_config_prune": prune})) == ["64"]
    assert seen[0][0] == 100


@pytest.mark.parametrize("top_k", [1, 2, 0.5])
def test_that_a_model_of_the_time_orders_the_configurations(top_k: float) -> None:
    def slow_when_small(BLOCK: int, length: int, **kwargs: Any) -> float:
        return abs(BLOCK - 64) + 0.01 * length

    assert chosen(tuned(prune_configs_by={"perf_model": slow_when_small, "top_k": top_k})) == ["64"]


def test_that_pruning_everything_is_tritons_error() -> None:
    with pytest.raises(Exception, match="No valid autotuner configs after pruning"):
        chosen(tuned(prune_configs_by={"early_config_prune": lambda candidates, named, **kwargs: []}))


def test_that_hooks_run_in_tritons_order_and_once_for_each_key() -> None:
    calls: list[str] = []

    def before(kwargs: dict[str, Any], reset_only: bool = False) -> None:
        calls.append(f"before {kwargs['BLOCK']}{' reset' if reset_only else ''}")

    def after(kwargs: dict[str, Any], exception: Exception | None) -> None:
        calls.append(f"after {kwargs['BLOCK']} {exception}")

    with_hook = configs(pre_hook=lambda kwargs: calls.append(f"config {kwargs['BLOCK']}"))
    tuner = tuned(configs=with_hook, pre_hook=before, post_hook=after)
    assert chosen(tuner, launches=2) == ["16", "16"]
    assert calls == ["config 16", "before 16", "after 16 None", "before 16 reset", "config 16", "config 16"]
    assert tuner.cache == {}


def test_that_tensors_are_reset_and_restored_as_options_ask() -> None:
    @triton.autotune(configs(), key=["length"], reset_to_zero=["o_ptr"], restore_value=["x_ptr"])
    @triton.jit
    def accumulate(x_ptr, o_ptr, length, BLOCK: triton.language.constexpr):
        i = triton.language.program_id(0) * BLOCK + triton.language.arange(0, BLOCK)
        x = triton.language.load(x_ptr + i, i < length)
        triton.language.atomic_add(o_ptr + i, x, i < length)
        triton.language.store(x_ptr + i, x + 1, i < length)

    x, o = torch.ones(50), torch.full((50,), 7.0)
    with intercept():
        accumulate[lambda meta: (triton.cdiv(50, meta["BLOCK"]),)](x, o, 50)
    assert bool((o == 1).all())
    assert bool((x == 2).all())


def test_that_a_rejected_configuration_is_told_to_the_hook_and_passed_over() -> None:
    failures: list[str] = []

    def after(kwargs: dict[str, Any], exception: Exception | None) -> None:
        if exception is not None:
            failures.append(f"{kwargs['BLOCK']} {type(exception).__name__}")

    assert chosen(tuned(configs=configs(24, 32, 64), post_hook=after)) == ["32"]
    assert failures == ["24 CompilationRejected"]
    with pytest.raises(TilescopeError, match="Triton cannot compile add_kernel"):
        chosen(tuned(configs=configs(24, 40)))


class LastFirst(Autotuner):
    """Tunes by itself: its own cache, its own order, and no call of Autotuner.run."""

    def run(self, *args: Any, **kwargs: Any) -> Any:
        self.nargs = dict(zip(self.arg_names, args, strict=False))
        timings = {c: self._bench(*args, config=c, **kwargs) for c in reversed(self.prune_configs(kwargs))}
        best = min(timings, key=lambda config: timings[config])
        return self.fn.run(*args, **kwargs, **best.all_kwargs())


class Halved(Autotuner):
    """Changes the arguments and leaves the rest to Triton."""

    def run(self, *args: Any, **kwargs: Any) -> Any:
        self.configs = self.configs[len(self.configs) // 2 :]
        return super().run(*args, **kwargs)


@pytest.mark.parametrize(("kind", "expected"), [(LastFirst, "128"), (Halved, "64")])
def test_that_a_subclass_tunes_with_its_own_run(kind: type[Autotuner], expected: str) -> None:
    kernel = kernels.add_kernel
    assert chosen(kind(kernel, kernel.arg_names, configs(), ["length"], None, None)) == [expected]


def test_that_heuristics_and_autotuners_nest_either_way() -> None:
    choice = {"BLOCK": lambda arguments: 2 * arguments["length"].bit_length() + 18}  # 32 for 100
    warps = [triton.Config({}, num_warps=warps) for warps in (2, 4)]
    inside = triton.autotune(warps, key=["length"])(triton.heuristics(choice)(kernels.add_kernel))
    outside = triton.heuristics(choice)(triton.autotune(warps, key=["length"])(kernels.add_kernel))
    x = torch.arange(100.0)
    for kernel in (inside, outside):
        o = torch.full((100,), torch.nan)
        with intercept() as tracer:
            kernel[lambda meta: (triton.cdiv(100, meta["BLOCK"]),)](x, x, o, 100)
        torch.testing.assert_close(o, 2 * x)
        assert [launch.accesses[0].shape for launch in tracer.launches] == [(32,)]
        assert tracer.launches[0].config.startswith("num_warps=2")


def test_that_everything_is_put_back() -> None:
    bench, subscript = Autotuner._bench, Autotuner.__getitem__
    chosen(tuned())
    assert (Autotuner._bench, Autotuner.__getitem__) == (bench, subscript)
