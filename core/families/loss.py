"""Cross-entropy of a language model, forward and backward: from logits, or straight from hidden states."""

from __future__ import annotations

from core.contracts.text import tr, verbatim
from core.families import shared_axes
from core.families.axes import Axis, Case
from core.families.family import ELEMENT_BYTES, Contender, Cost, Family, Preset

TOKENS = Axis("tokens", tr("Tokens"), tr("Tokens of the batch, one row of logits each."), 256, 1, 1 << 20)
VOCABULARY = Axis("vocabulary", tr("Vocabulary"), tr("Entries of the vocabulary: columns of the logits."), 8000, 2)
WIDTH = Axis("width", tr("Width"), tr("Width of the hidden states."), 64, 16, 65536)
IGNORED = Axis(
    "ignored",
    tr("Tokens without a target"),
    tr("Percent of the tokens that have no target, such as those of a prompt."),
    0,
    0,
    99,
)
_LABEL_BYTES = 8
_COMPILED = tr("torch.compile, logits in float32")
_COPIES = tr(
    "It writes the gradient in place of the logits: its time includes a copy of them, its traced bytes do not."
)


def _logits(case: Case) -> int:
    return int(case["tokens"]) * int(case["vocabulary"])


def cost(case: Case) -> Cost:
    """Logits read and their gradient written once each, with the labels. A few operations per element are no reason to
    count FLOPs."""
    dtype = str(case["dtype"])
    moved_bytes = 2.0 * _logits(case) * ELEMENT_BYTES[dtype] + int(case["tokens"]) * _LABEL_BYTES
    return Cost(0.0, moved_bytes, dtype, 60.0 * _logits(case) + moved_bytes)


def linear_cost(case: Case) -> Cost:
    """One product forward and two backward; hidden states, weight and the gradients of both once each, with the
    labels. The logits need not move at all."""
    tokens, vocabulary, width = int(case["tokens"]), int(case["vocabulary"]), int(case["width"])
    dtype = str(case["dtype"])
    parameters = (tokens + vocabulary) * width
    moved_bytes = 2.0 * parameters * ELEMENT_BYTES[dtype] + tokens * _LABEL_BYTES
    return Cost(6.0 * _logits(case) * width, moved_bytes, dtype, 60.0 * _logits(case) + 60.0 * parameters)


CROSS_ENTROPY = Family(
    id="cross-entropy",
    label=tr("Cross-entropy"),
    summary=tr("The loss of a batch of tokens, and its gradient for the logits."),
    axes=(TOKENS, VOCABULARY, IGNORED, shared_axes.dtype()),
    contenders=(
        Contender("triton", tr("Triton, one launch each way"), "triton"),
        Contender("triton-one-launch", tr("Triton, loss and gradient in one launch"), "triton"),
        Contender("triton-unfused", tr("Triton, one kernel per operator"), "triton"),
        Contender("torch", verbatim("torch.cross_entropy")),
        Contender("torch-float32", tr("PyTorch, logits in float32")),
        Contender("torch-compile", _COMPILED),
        Contender("liger", verbatim("Liger-Kernel"), "triton", note=_COPIES),
    ),
    baseline="torch",
    unfused="triton-unfused",
    quick=Preset({"dtype": "fp32"}, ("vocabulary", (1000, 8000, 32000))),
    full=Preset({"tokens": 4096}, ("vocabulary", (32000, 128256))),
    cost=cost,
    problem="core.families.running.loss:cross_entropy",
    packages=("liger-kernel",),
)

LINEAR_CROSS_ENTROPY = Family(
    id="linear-cross-entropy",
    label=tr("Linear cross-entropy"),
    summary=tr("The loss straight from hidden states and the weight of the output layer, and the gradients of both."),
    axes=(TOKENS, VOCABULARY, WIDTH, IGNORED, shared_axes.dtype()),
    contenders=(
        Contender("triton", tr("Triton, path by width"), "triton"),
        Contender("triton-on-chip", tr("Triton, logits stay on chip"), "triton"),
        Contender("triton-chunked", tr("Triton, gradient in chunks"), "triton"),
        Contender("triton-unfused", tr("Triton, one kernel per operator"), "triton"),
        Contender("torch", tr("PyTorch, product and loss")),
        Contender("torch-float32", tr("PyTorch, logits in float32")),
        Contender("torch-compile", _COMPILED),
        Contender("liger", verbatim("Liger-Kernel"), "triton"),
    ),
    baseline="torch",
    unfused="triton-unfused",
    quick=Preset({"tokens": 128, "dtype": "fp32"}, ("vocabulary", (500, 1000, 2000))),
    full=Preset({"tokens": 4096, "width": 4096}, ("vocabulary", (32000, 128256))),
    cost=linear_cost,
    problem="core.families.running.loss:linear_cross_entropy",
    packages=("liger-kernel",),
)
