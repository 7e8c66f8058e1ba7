"""What the families of quantized weights share: their axes, and the bytes that stored weights take."""

from __future__ import annotations

from core.contracts.errors import InvalidParams
from core.contracts.text import tr, verbatim
from core.families.axes import Axis, Case
from kernels.quantization.formats import BLOCK_SIZES, FORMATS, FormatId

ROWS = Axis("rows", tr("Rows"), tr("Rows of the weight: output features."), 1024, 1, 1 << 20)
COLUMNS = Axis("columns", tr("Columns"), tr("Columns of the weight: input features."), 1024, 1, 1 << 20)
FORMAT = Axis(
    "format",
    tr("Format"),
    tr("The format of the stored weights."),
    "nf4",
    choices=tuple(each.value for each in FORMATS),
    choice_labels={each.value: verbatim(known.label) for each, known in FORMATS.items()},
)
BLOCK_SIZE = Axis("block_size", tr("Block size"), tr("Weights that share a scale."), 64, choices=BLOCK_SIZES)
NESTED_BLOCK = Axis(
    "nested_block",
    tr("Nested block"),
    tr("Scales that share a scale under double quantization. 0: scales stay in float32."),
    0,
    choices=(0, *BLOCK_SIZES),
)


def check(case: Case) -> None:
    """Raises InvalidParams for double quantization of a format with a minimum and a step per block."""
    known = FORMATS[FormatId(str(case["format"]))]
    if case["nested_block"] and known.affine:
        raise InvalidParams(
            tr(
                "{format} has a minimum and a step per block, for which double quantization is not defined: use "
                "nested_block 0 or another format.",
                format=known.label,
            ),
            "case",
        )


def weights(case: Case) -> int:
    """The number of weights."""
    return int(case["rows"]) * int(case["columns"])


def stored_bytes(case: Case) -> float:
    """Codes and scales of the weights."""
    known = FORMATS[FormatId(str(case["format"]))]
    return weights(case) * known.bits_per_parameter(int(case["block_size"]), int(case["nested_block"])) / 8
