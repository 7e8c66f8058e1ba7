"""Quantizing a weight matrix, and dequantizing a stored one: the same bytes move in opposite directions."""

from __future__ import annotations

from dataclasses import replace

from core.contracts.text import tr, verbatim
from core.families import shared_axes, weights
from core.families.axes import Case
from core.families.family import ELEMENT_BYTES, Contender, Cost, Family, Preset


def cost(case: Case) -> Cost:
    """Weights, codes and scales once each. Comparing with levels and one product per weight are no reason to count
    FLOPs."""
    dtype = str(case["dtype"])
    moved_bytes = weights.weights(case) * ELEMENT_BYTES[dtype] + weights.stored_bytes(case)
    return Cost(0.0, moved_bytes, dtype, 80.0 * weights.weights(case))


QUANTIZE = Family(
    id="quantize",
    label=tr("Quantize weights"),
    summary=tr("Blocks of weights share a scale, and each weight is rounded to the nearest level of the format."),
    axes=(
        weights.ROWS, weights.COLUMNS, weights.FORMAT, weights.BLOCK_SIZE, weights.NESTED_BLOCK, shared_axes.dtype(),
    ),
    contenders=(
        Contender("triton", verbatim("Triton"), "triton"),
        Contender("torch", verbatim("PyTorch")),
        Contender("bitsandbytes", verbatim("bitsandbytes"), "library"),
    ),
    baseline="bitsandbytes",
    quick=Preset({"columns": 512}, ("rows", (64, 128, 256, 512))),
    full=Preset({"columns": 8192}, ("rows", (1024, 4096, 16384))),
    cost=cost,
    problem="core.families.running.quantize:problem",
    check=weights.check,
    packages=("bitsandbytes",),
)  # fmt: skip

DEQUANTIZE = replace(
    QUANTIZE,
    id="dequantize",
    label=tr("Dequantize weights"),
    summary=tr("Each code becomes its level times the scale of its block, as a product with stored weights needs it."),
    problem="core.families.running.dequantize:problem",
)
