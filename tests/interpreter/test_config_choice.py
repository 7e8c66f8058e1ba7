"""The choice of a configuration for autotuned kernels, and all of them tried side by side."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import triton
import triton.language as tl

from core.interpreter import intercept
from core.interpreter.tracer import Tracer
from tests.interpreter import traced_kernels as kernels


@triton.jit
def halves_kernel(x_ptr, o_ptr, length, BLOCK: tl.constexpr, STAY: tl.constexpr):
    """Adds to what is there. Leaves the second half of the numbers out where STAY is set: a wrong configuration."""
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = offsets < (length // 2 if STAY else length)
    tl.store(
        o_ptr + offsets, tl.load(o_ptr + offsets, mask=inside) + tl.load(x_ptr + offsets, mask=inside), mask=inside
    )


CONFIGS = [
    triton.Config({"BLOCK": 32, "STAY": False}, num_warps=2),
    triton.Config({"BLOCK": 64, "STAY": False}),
    triton.Config({"BLOCK": 48, "STAY": False}),  # no power of two
    triton.Config({"BLOCK": 32, "STAY": True}),
]


def add(tuned: Any, **options: Any) -> tuple[Tracer, torch.Tensor]:
    x, o = torch.arange(100.0), torch.ones(100)
    with intercept(**options) as tracer:
        tuned[lambda meta: (triton.cdiv(100, meta["BLOCK"]),)](x, o, 100)
    return tracer, o


def kept(configs: list[Any], named: dict[str, Any], **_: Any) -> list[Any]:
    return configs[1:]


@pytest.mark.parametrize(("config", "block"), [(0, 64), (1, 32), (2, 64), (9, 64)])
def test_that_a_number_chooses_a_configuration_even_if_pruning_drops_it(config: int, block: int) -> None:
    tuned = triton.autotune(CONFIGS[:2], key=[], prune_configs_by={"early_config_prune": kept})(halves_kernel)
    tracer, o = add(tuned, config=config)
    assert torch.equal(o, torch.arange(100.0) + 1)
    (launch,) = tracer.launches
    assert launch.config.startswith(f"BLOCK={block}, ")
    assert launch.accesses[0].shape == (block,)
    (kernel,) = tracer.tuning.kernels.values()
    assert (kernel.function, len(kernel.configs)) == ("halves_kernel", 2)


def test_that_all_configurations_are_tried_on_the_same_tensors_and_taken_back() -> None:
    tuned = triton.autotune(CONFIGS, key=[], prune_configs_by={"early_config_prune": kept})(halves_kernel)
    tracer, o = add(tuned, try_configs=True)
    assert torch.equal(o, torch.arange(100.0) + 1)
    assert [launch.config.split(",")[0] for launch in tracer.launches] == ["BLOCK=64"]
    first, second, third, wrong = tracer.tuning.trials
    assert [trial.kept for trial in tracer.tuning.trials] == [False, True, True, True]
    assert first.launch is not None
    assert second.launch is not None
    assert (first.launch.grid, second.launch.grid) == ((4, 1, 1), (2, 1, 1))
    assert (first.difference, second.difference, wrong.difference) == (0.0, 0.0, 99.0)
    assert third.launch is None
    assert "power of 2" in str(third.problem)
    assert all((trial.registers or 0) > 0 and trial.spills == 0 for trial in (first, second, wrong))


def test_that_addresses_alone_have_no_difference() -> None:
    tuned = triton.autotune(CONFIGS[:2], key=[])(halves_kernel)
    tracer, _ = add(tuned, try_configs=True, addresses_only=True)
    assert [trial.difference for trial in tracer.tuning.trials] == [None, None]


def test_that_subclasses_that_time_by_themselves_are_forced_and_tried_too() -> None:
    class Tuner(triton.runtime.Autotuner):  # type: ignore[misc]
        def run(self, *args: Any, **kwargs: Any) -> Any:
            self.nargs = dict(zip(self.arg_names, args, strict=False))
            times = {config: self._bench(*args, config=config, **kwargs) for config in self.configs}
            self.best_config = min(times, key=times.__getitem__)
            return self.fn.run(*args, **kwargs, **self.best_config.all_kwargs())

    configs = [triton.Config({"BLOCK": size}) for size in (16, 32, 64)]

    def tuner() -> Any:
        return Tuner(kernels.add_kernel, kernels.add_kernel.arg_names, configs, [], None, None)

    for options, blocks, trials in (({"config": 3}, "64", 0), ({"try_configs": True}, "16", 3)):
        x, o = torch.arange(100.0), torch.full((100,), torch.nan)
        with intercept(**options) as tracer:
            tuner()[lambda meta: (triton.cdiv(100, meta["BLOCK"]),)](x, x, o, 100)
        assert torch.equal(o, 2 * x)
        assert [launch.config.split(",")[0] for launch in tracer.launches] == [f"BLOCK={blocks}"]
        assert len(tracer.tuning.trials) == trials
