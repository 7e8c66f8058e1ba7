"""Operations along the rows of a matrix: softmax and layer norm, by the kernels of the shipped examples."""

from __future__ import annotations

from core.contracts.text import tr, verbatim
from core.families import shared_axes
from core.families.axes import Axis, Case
from core.families.family import ELEMENT_BYTES, Contender, Cost, Family, Preset

ROWS = Axis("rows", tr("Rows"), tr("Rows of the matrix."), 512, 1, 1 << 20)
COLUMNS = Axis("columns", tr("Columns"), tr("Columns of the matrix: the row is reduced."), 1024, 1, 65536)
AXES = (ROWS, COLUMNS, shared_axes.dtype("fp32"))
QUICK = Preset({}, ("columns", (256, 1000, 4096)))
FULL = Preset({"rows": 16384}, ("columns", (1024, 4096, 16384)))


def _in_and_out(case: Case) -> Cost:
    """The matrix read once and written once. A few operations per element are no reason to count FLOPs."""
    elements, dtype = int(case["rows"]) * int(case["columns"]), str(case["dtype"])
    return Cost(0.0, 2.0 * elements * ELEMENT_BYTES[dtype], dtype, 60.0 * elements)


SOFTMAX = Family(
    id="softmax",
    label=tr("Softmax"),
    summary=tr("Each row becomes exponentials that sum to one."),
    axes=AXES,
    contenders=(
        Contender("triton", tr("Triton, example softmax.py"), "triton"),
        Contender("torch", verbatim("torch.softmax")),
        Contender("torch-steps", tr("PyTorch, step by step")),
        Contender("torch-compile", verbatim("torch.compile")),
    ),
    baseline="torch",
    quick=QUICK,
    full=FULL,
    cost=_in_and_out,
    problem="core.families.running.rows:softmax",
)

NORM = Family(
    id="layer-norm",
    label=tr("Layer norm"),
    summary=tr("Each row gets mean 0 and variance 1, then a weight and a bias per column."),
    axes=AXES,
    contenders=(
        Contender("triton", tr("Triton, example layer_norm.py"), "triton"),
        Contender("torch", verbatim("torch.layer_norm")),
        Contender("torch-steps", tr("PyTorch, step by step")),
        Contender("torch-compile", verbatim("torch.compile")),
    ),
    baseline="torch",
    quick=QUICK,
    full=FULL,
    cost=_in_and_out,
    problem="core.families.running.rows:layer_norm",
)
