"""kernel-lab lists the configurations of autotuned kernels, runs the one that is asked for, and compares them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.contracts.errors import InvalidParams
from core.contracts.topic import ExperimentRun
from core.topics.kernel_lab.experiment import run
from core.topics.kernel_lab.params import KernelLabParams
from core.topics.kernel_lab.result import KernelLabResult

SOURCE = """
import torch, triton
import triton.language as tl

@triton.autotune([triton.Config({"BLOCK": size}) for size in (16, 64, 48)], key=[])
@triton.jit
def copy(x, o, n, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(o + offsets, tl.load(x + offsets, mask=offsets < n), mask=offsets < n)

def main():
    x, o = torch.ones(100), torch.zeros(100)
    copy[lambda meta: (triton.cdiv(100, meta["BLOCK"]),)](x, o, 100)
"""


def _results(steps: ExperimentRun) -> Iterator[Any]:
    yield (yield from steps)


@pytest.fixture
def traced(tmp_path: Path) -> Any:
    (tmp_path / "tuned.py").write_text(SOURCE)

    def trace(**params: Any) -> KernelLabResult:
        *_, result = _results(run(KernelLabParams(file=str(tmp_path / "tuned.py"), **params), "cpu"))
        return result

    return trace


def test_that_the_configurations_are_listed_and_one_can_be_chosen(traced: Any) -> None:
    for config, chosen in ((0, 1), (2, 2)):
        result = traced(config=config)
        assert [row.number for row in result.configs if row.chosen] == [chosen]
        assert [row.config.split(",")[0] for row in result.configs] == ["BLOCK=16", "BLOCK=64", "BLOCK=48"]
        assert not any(row.was_tried for row in result.configs)


def test_that_all_configurations_are_compared(traced: Any) -> None:
    first, second, third = traced(try_configs=True).configs
    assert [(row.read_bytes, row.written_bytes, row.unique_bytes) for row in (first, second)] == [(400, 400, 800)] * 2
    assert (second.difference, second.spills, second.product_flops) == (0.0, 0, 0)
    assert (third.read_bytes, third.difference) == (None, None)
    assert "power of 2" in str(third.problem)


def test_that_a_configuration_that_no_kernel_has_is_one_sentence_with_those_that_it_has(traced: Any) -> None:
    with pytest.raises(InvalidParams, match=r"No kernel has configuration 4. copy has 3: 1 BLOCK=16"):
        traced(config=4)
