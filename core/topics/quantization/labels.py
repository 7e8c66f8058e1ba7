"""The names of formats, distributions and models, as the user reads them."""

from __future__ import annotations

from collections.abc import Mapping

from core.contracts.text import Text, tr, tr_in, verbatim
from kernels.quantization.formats import FORMATS, FormatId

FORMAT_LABELS: Mapping[str, Text] = {
    **{name.value: verbatim(format_.label) for name, format_ in FORMATS.items()},
    FormatId.INT4_AFFINE.value: tr("INT4 affine"),
}
"""The names of the formats, by id."""

DISTRIBUTION_LABELS: Mapping[str, Text] = {
    "normal": tr_in("distribution", "normal"),
    "student-t": tr_in("distribution", "Student's t"),
    "laplace": tr_in("distribution", "Laplace"),
    "uniform": tr_in("distribution", "uniform"),
}
"""The names of the distributions, by id."""

_OPERATION_LABELS: Mapping[str, Text] = {
    "error": tr("error of quantizing"),
    "dequantize": tr("dequantize"),
    "gemv": verbatim("GEMV"),
    "matmul": tr("matrix product"),
}

DRAWN_TENSOR = "weights"
"""The name of the tensor that is drawn from a distribution."""

SMALL_MODEL = "small model"
"""The id of the small model, which comes with the program."""


def operation_label(operation: str) -> Text:
    """The name of an operation whose implementations are compared."""
    return _OPERATION_LABELS[operation]


def model_label(model: str) -> Text:
    """The name of a model whose loss was measured: the small model, or a folder of the user."""
    return tr("small model") if model == SMALL_MODEL else verbatim(model)


def source_label(source: str) -> Text:
    """The name of a tensor, or of the distribution that weights were drawn from."""
    if source == DRAWN_TENSOR:
        return tr("weights")
    return DISTRIBUTION_LABELS.get(source) or verbatim(source)
