"""Writes what the installed Triton prints for some kernels: python -m tests.interpreter.write_fixtures

Run it once with each version of Triton; the files go to tests/fixtures/ttir/VERSION.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import torch
import triton

from core.interpreter import intercept
from tests.interpreter import coverage_cases as coverage
from tests.interpreter import extra_kernels

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures" / "ttir"


def scaled_dot() -> None:
    a, b = torch.zeros(32, 64).to(torch.float8_e4m3fn), torch.zeros(32, 32, dtype=torch.uint8)
    scales = torch.full((32, 2), 127, dtype=torch.uint8)
    extra_kernels.scaled_dot_kernel[(1,)](
        a, scales, b, scales, torch.empty(32, 32), A="e4m3", B="e2m1", B_PACK=2, SIZE=32, K=64
    )


def libdevice() -> None:
    ints, bits = torch.ones(8, dtype=torch.int32), torch.empty(5, 8, dtype=torch.int32)
    extra_kernels.libdevice_kernel[(1,)](torch.ones(8), ints, torch.empty(5, 8), bits, BLOCK=8)


def assembly() -> None:
    extra_kernels.assembly_kernel[(1,)](torch.ones(16), torch.empty(16), TEXT="add.f32 $0, $1, $2;", BLOCK=16)


def diagnostics() -> None:
    extra_kernels.assert_kernel[(1,)](torch.zeros(16), torch.empty(16), BLOCK=16, debug=True)


def conversions() -> None:
    extra_kernels.convert_kernel[(1,)](torch.zeros(16), torch.empty(16).bfloat16(), ROUNDING="rtz", BLOCK=16)


WRITTEN: tuple[Callable[[], object], ...] = (
    assembly, conversions, coverage.atomics, coverage.bits, coverage.call, coverage.combine, coverage.early_return,
    coverage.host_descriptor, coverage.lock, coverage.tiles, coverage.tuples, coverage.while_, diagnostics, libdevice,
    scaled_dot,
)  # fmt: skip


def main() -> None:
    folder = FIXTURES / triton.__version__
    folder.mkdir(parents=True, exist_ok=True)
    for case in WRITTEN:
        with intercept() as tracer:
            case()
        text = tracer.launches[0].ttir.replace(f"{ROOT}/tests/interpreter", "/src")
        text = re.sub(r'"[^"]*/triton/language/', '"/lib/triton/language/', text)
        (folder / f"{case.__name__.rstrip('_')}.ttir").write_text(text)


if __name__ == "__main__":
    main()
