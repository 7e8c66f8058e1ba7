"""Products with 4-bit weights: one row of x is a GEMV, more rows a matrix product."""

from __future__ import annotations

from dataclasses import replace

from core.contracts.text import tr, verbatim
from core.families import shared_axes, weights
from core.families.axes import Axis, Case
from core.families.family import ELEMENT_BYTES, Contender, Cost, Family, Preset

X_ROWS = Axis("x_rows", tr("Rows of x"), tr("Tokens that are multiplied at once. 1: a GEMV."), 1, 1, 65536)
FORMAT = replace(weights.FORMAT, choices=("nf4", "fp4-e2m1", "fp4-e3m0", "int4"))


def cost(case: Case) -> Cost:
    """Stored weights, x and the product once each; FLOPs of the product."""
    rows, columns, x_rows = int(case["rows"]), int(case["columns"]), int(case["x_rows"])
    dtype = str(case["dtype"])
    moved_bytes = weights.stored_bytes(case) + ELEMENT_BYTES[dtype] * x_rows * (rows + columns)
    held = 80.0 * weights.weights(case) + 40.0 * x_rows * (rows + columns)
    return Cost(2.0 * x_rows * rows * columns, moved_bytes, "bf16", held)


FAMILY = Family(
    id="matmul-4bit",
    label=tr("Product with 4-bit weights"),
    summary=tr("x Wᵀ with W stored in 4 bits: weights are restored on chip, or before the product."),
    axes=(
        X_ROWS, weights.ROWS, weights.COLUMNS, FORMAT, weights.BLOCK_SIZE, weights.NESTED_BLOCK, shared_axes.dtype(),
    ),
    contenders=(
        Contender("triton", tr("Triton, path by rows"), "triton"),
        Contender("triton-gemv", tr("Triton, GEMV"), "triton"),
        Contender("triton-fused", tr("Triton, fused"), "triton"),
        Contender("triton-dequantize", tr("Triton dequantizes, then PyTorch"), "triton"),
        Contender("torch", tr("PyTorch dequantizes, then multiplies")),
        Contender("bitsandbytes", verbatim("bitsandbytes"), "library"),
        Contender("bf16-weights", tr("PyTorch, weights in bf16"), note=tr("It reads four times the bytes.")),
    ),
    baseline="bitsandbytes",
    quick=Preset({"rows": 256, "columns": 512, "dtype": "fp32"}, ("x_rows", (1, 4, 16))),
    full=Preset({"rows": 16384, "columns": 8192}, ("x_rows", (1, 2, 16, 64, 128, 512, 2048))),
    cost=cost,
    problem="core.families.running.matmul_4bit:problem",
    check=weights.check,
    packages=("bitsandbytes",),
)  # fmt: skip
