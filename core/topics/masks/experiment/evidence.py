"""The evidence for the claims, measured on the device: masked weights, leaks of the future and of pads, symmetry."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from core.contracts.text import Text, tr
from core.engine.steps import ProgressCallback
from core.masks import All, Causal, Documents, Layout, Mask, Not, PaddedQueries, Padding, Side
from core.masks.presets import PRESETS
from core.masks.symmetry import symmetry
from core.topics.masks.experiment.implementations import dense_plus_mask, flex_runner, sdpa_bool_mask
from core.topics.masks.experiment.problem import Problem, problem_of, weights_of
from core.topics.masks.experiment.tracing import trace_block_sparse
from core.topics.masks.params import MasksParams
from core.topics.masks.plan import Plan, plan
from core.topics.masks.result import Transposed

_LENGTH = 48
_REAL = (48, 31, 17)
_ROWS_AT_ONCE = 512
_MORE_QUERIES, _FEWER_KEYS = 48, 17


@dataclass(frozen=True)
class MaskedWeights:
    """Softmax weights at hidden cells of rows that see a key: the largest, and the number of cells."""

    largest: float
    cells: int


def masked_weights(problem: Problem, progress: ProgressCallback) -> MaskedWeights:
    """Over all heads, in the precision of the problem, as plain PyTorch computes them; a few rows at a time."""
    largest, cells = 0.0, 0
    query_len = problem.q.shape[2]
    for first in range(0, query_len, _ROWS_AT_ONCE):
        progress(first, query_len, tr("weights of hidden cells"))
        rows = slice(first, first + _ROWS_AT_ONCE)
        dense = problem.dense[:, :, rows]
        scores = (problem.q[:, :, rows] @ problem.k.mT) * problem.scale
        hidden = (~dense & dense.any(-1, keepdim=True)).expand(scores.shape)
        weights = weights_of(scores, dense)[hidden]
        cells += weights.numel()
        largest = max(largest, float(weights.max())) if weights.numel() else largest
    return MaskedWeights(largest, cells)


@dataclass(frozen=True)
class Leak:
    """The largest change of the outputs that must not change, with the mask and without."""

    masked: float
    unmasked: float


def future_leak(params: MasksParams, device: str) -> Leak:
    """How much the outputs up to the middle change when all later tokens are replaced, under `causal` and `all`."""
    middle = _LENGTH // 2

    def change(mask: Mask) -> float:
        problem = _small(mask, (Layout.of(_LENGTH),), params, device)
        other = _small(mask, (Layout.of(_LENGTH),), params, device, seed=params.seed + 1)
        for original, replaced in ((problem.q, other.q), (problem.k, other.k), (problem.v, other.v)):
            replaced[:, :, :middle] = original[:, :, :middle]
        return _largest(dense_plus_mask(problem)[:, :, :middle] - dense_plus_mask(other)[:, :, :middle])

    return Leak(change(Causal()), change(All()))


def future_gradient(params: MasksParams, device: str) -> float:
    """The largest gradient of outputs up to the middle with respect to any later key or value, under causal."""
    middle = _LENGTH // 2
    problem = _small(Causal(), (Layout.of(_LENGTH),), params, device)
    with torch.enable_grad():
        k, v = (tensor.detach().requires_grad_() for tensor in (problem.k, problem.v))
        scores = (problem.q @ k.mT) * problem.scale
        out = torch.softmax(scores.masked_fill(~problem.dense, float("-inf")), dim=-1) @ v
        out[:, :, :middle].float().square().sum().backward()  # type: ignore[no-untyped-call]
    assert k.grad is not None
    assert v.grad is not None
    return max(_largest(grad[:, :, middle:]) for grad in (k.grad, v.grad))


def padding_leak(params: MasksParams, device: str) -> Leak:
    """How much the outputs of real tokens change when the pads are replaced, under `~padding` and `all`."""
    layouts = _padded_layouts()
    real = _real_rows(device)

    def change(mask: Mask) -> float:
        problem = _small(mask, layouts, params, device)
        other = _small(mask, layouts, params, device, seed=params.seed + 1)
        for original, replaced in ((problem.k, other.k), (problem.v, other.v)):
            replaced.copy_(torch.where(real, original, replaced))
        other.q.copy_(problem.q)
        difference = dense_plus_mask(problem) - dense_plus_mask(other)
        return _largest(torch.where(real, difference, torch.zeros_like(difference)))

    return Leak(change(Not(Padding())), change(All()))


def alignment_error(params: MasksParams, device: str) -> float:
    """The largest difference between sequences in one padded batch and the same sequences computed alone."""
    problem = _small(Not(Padding()), _padded_layouts(), params, device)
    together = dense_plus_mask(problem)
    largest = 0.0
    for row, length in enumerate(_REAL):
        q, k, v = (tensor[row : row + 1, :, :length] for tensor in (problem.q, problem.k, problem.v))
        alone = torch.softmax((q @ k.mT) * problem.scale, dim=-1) @ v
        largest = max(largest, _largest(together[row : row + 1, :, :length] - alone))
    return largest


def transposed(planned: Plan) -> tuple[Transposed, ...]:
    """Compares masks with their transposes: this run's, every square preset and some without a direction."""
    plans = [("this mask", planned)] + [(preset.id, plan(MasksParams(preset=preset.id))) for preset in PRESETS]
    named = [
        (name, square.mask, square.layout)
        for name, square in plans
        if square.layout.query_len == square.layout.key_len and not square.is_cross
    ]
    packed, padded = plan(MasksParams(preset="packed-documents")).layout, plan(MasksParams(preset="t5-encoder")).layout
    named += [
        ("bidirectional", All(), Layout.of(_LENGTH)),
        ("packed encoder", Documents(), packed),
        ("pads hidden both ways", ~Padding() & ~PaddedQueries(), padded),
    ]
    return tuple(_transposed(name, mask, layout) for name, mask, layout in named)


def _transposed(name: str, mask: Mask, layout: Layout) -> Transposed:
    compared = symmetry(mask, layout)
    return Transposed(name, str(mask), compared.cells, compared.differing, compared.is_symmetric)


def undirected_symmetry() -> dict[str, int]:
    """Cells that differ from the transpose, for masks without a direction and with pads at the end."""
    layout = _padded_layouts()[-1]
    masks = {"all": All(), "padding": ~Padding(), "padding_both": ~Padding() & ~PaddedQueries()}
    return {name: symmetry(mask, layout).differing for name, mask in masks.items()}


@dataclass(frozen=True)
class FullyMaskedRows:
    """How many rows are fully masked, and in how many of them each implementation gives NaN or zeros."""

    rows: int
    nan_rows: dict[str, int]
    zero_rows: dict[str, int]


def fully_masked_rows(params: MasksParams, device: str) -> FullyMaskedRows:
    """Under causal with 48 queries and 17 keys, where the first 31 rows are fully masked."""
    problem = _small(Causal(), (Layout.of(_MORE_QUERIES, _FEWER_KEYS),), params, device, heads=1)
    hidden = ~problem.sees.expand(problem.q.shape[:-1])
    outputs = {"naive": dense_plus_mask(problem), "sdpa": sdpa_bool_mask(problem), "flex": flex_runner(problem)[0]()}
    sparse = trace_block_sparse(problem, lambda done, total, phase: None)
    if not isinstance(sparse, Text):
        outputs["sparse"] = sparse.out
    return FullyMaskedRows(
        int(hidden.sum()),
        {name: _nan_rows(out[hidden]) for name, out in outputs.items()},
        {name: int((out[hidden] == 0).all(-1).sum()) for name, out in outputs.items()},
    )


def _nan_rows(rows: torch.Tensor) -> int:
    return int(rows.isnan().any(-1).sum())


def _small(
    mask: Mask,
    layouts: tuple[Layout, ...],
    params: MasksParams,
    device: str,
    seed: int | None = None,
    heads: int = 4,
) -> Problem:
    return problem_of(
        mask,
        layouts,
        heads=min(params.heads, heads),
        head_dim=params.head_dim,
        dtype=params.dtype,
        seed=params.seed if seed is None else seed,
        blocks=(params.block_q, params.block_kv),
        device=device,
    )


def _padded_layouts() -> tuple[Layout, ...]:
    return tuple(Layout.self_attention(Side.of(_LENGTH, real=length)) for length in _REAL)


def _real_rows(device: str) -> torch.Tensor:
    """bool [batch, 1, length, 1]."""
    lengths = torch.tensor(_REAL, device=device)
    return (torch.arange(_LENGTH, device=device) < lengths[:, None])[:, None, :, None]


def _largest(difference: torch.Tensor) -> float:
    return float(difference.detach().abs().max())
