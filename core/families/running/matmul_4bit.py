"""Products with 4-bit weights on a device."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch

from core.families.axes import Case
from core.families.running.problem import DTYPES, Outputs, Problem, generator, normal, random_matrix
from core.families.running.stored_weights import checked_rows, first_rows, stored
from kernels.quantization.api import Impl, MatmulPath, choose_path, dequantize, matmul
from kernels.quantization.reference import reference_dequantize

_PATHS = {
    "triton": None,
    "triton-gemv": MatmulPath.GEMV,
    "triton-fused": MatmulPath.FUSED,
    "triton-dequantize": MatmulPath.DEQUANTIZE,
}


def problem(case: Case, seed: int, device: torch.device) -> Problem:
    """x [x_rows, columns] times the transpose of the stored weights [rows, columns]. All outputs of the first weight
    rows are checked; allowed is three times the error of PyTorch's product of the same restored weights in bf16."""
    quantized = stored(random_matrix(case, seed, device), case)
    x = normal((int(case["x_rows"]), int(case["columns"])), generator(seed + 1, device), DTYPES[str(case["dtype"])])
    restored = dequantize(quantized, impl=Impl.TRITON if x.is_cuda else Impl.TORCH)
    rows = checked_rows(quantized)
    few = first_rows(quantized, rows)

    def by(run: Callable[[], torch.Tensor]) -> Outputs:
        return (run(),)

    runs: dict[str, Callable[[], torch.Tensor]] = {
        name: partial(matmul, x, quantized, path=path) for name, path in _PATHS.items()
    }
    runs["torch"] = partial(matmul, x, quantized, impl=Impl.TORCH)
    runs["bitsandbytes"] = partial(matmul, x, quantized, impl=Impl.BITSANDBYTES)
    runs["bf16-weights"] = lambda: _product(x, restored)
    return Problem(
        runs={name: partial(by, run) for name, run in runs.items()},
        exact=lambda: (x.double() @ reference_dequantize(few).T,),
        plain=lambda: (_product(x, restored[:rows]),),
        part=lambda outputs: (outputs[0][:, :rows],),
        partly_traced=frozenset(
            name
            for name, path in _PATHS.items()
            if (path or choose_path(x.shape[0], quantized)) is MatmulPath.DEQUANTIZE
        ),
    )


def _product(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return (x.to(weight.dtype) @ weight.T).to(x.dtype)
