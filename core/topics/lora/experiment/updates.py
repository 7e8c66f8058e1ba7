"""How training changed the matrices: the updates, their singular values and pictures of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from core.contracts.text import tr
from core.engine.steps import ProgressCallback
from core.topics.lora.experiment.allocator import ADAPTER
from core.topics.lora.experiment.runs import Run
from core.topics.lora.result import MAX_PICTURES, PICTURE_SIDE, Factors

MAX_SINGULAR_VALUES = 128
_EXACT_SIDE = 1024
_PHASE = tr("computing singular values of the updates")


@dataclass(frozen=True)
class Updates:
    """`spectra` are the singular values of the updates by run, float32 [matrices, k]. `factors` are pictures of the
    first matrices. `full_norm` is the Frobenius norm of each full update, `energy_in_rank` the share of its square in
    the first target_r singular values, [matrices] each. Both are NaN if that run is missing or stopped early.
    `approximate` is True if matrices were too large for an exact decomposition."""

    spectra: Mapping[str, np.ndarray]
    factors: tuple[Factors, ...]
    full_norm: np.ndarray
    energy_in_rank: np.ndarray
    approximate: bool


def measure_updates(
    runs: Mapping[str, Run], base: Any, names: Sequence[str], rank: int, progress: ProgressCallback
) -> Updates:
    """The updates of the trained `runs` (including LoRA) relative to the weights of `base`, their common start."""
    initial = {name: _out_in(base.get_submodule(name)) for name in names}
    count = min(MAX_SINGULAR_VALUES, *(min(weight.shape) for weight in initial.values()))
    spectra = {run_id: np.zeros((len(names), count), dtype=np.float32) for run_id in runs}
    full_pictures: dict[int, np.ndarray] = {}
    norms = np.full(len(names), np.nan)
    energy = np.full(len(names), np.nan)
    approximate = False
    for done, (run_id, run) in enumerate(runs.items()):
        for index, name in enumerate(names):
            progress(done * len(names) + index, len(runs) * len(names), _PHASE)
            update = update_of(run, name, initial[name])
            approximate |= min(update.shape) > _EXACT_SIDE
            values = _singular_values(update, count)
            spectra[run_id][index] = values
            if run_id == "full" and not run.error:
                norms[index] = float(torch.linalg.matrix_norm(update))
                energy[index] = float((values[:rank] ** 2).sum() / norms[index] ** 2) if norms[index] else np.nan
                if index < MAX_PICTURES:
                    full_pictures[index] = picture(update)
    return Updates(spectra, _factors(runs["lora"], initial, full_pictures), norms, energy, approximate)


def update_of(run: Run, name: str, initial: torch.Tensor) -> torch.Tensor:
    """The change of that matrix in the run, [out, in]."""
    if run.id == "full":
        trained = _out_in(run.model.get_submodule(name))
        return (trained - initial.to(trained.device)).cpu()
    layer = run.model.base_model.model.get_submodule(name)
    with torch.no_grad():
        update: torch.Tensor = layer.get_delta_weight(ADAPTER).detach().cpu()
    return update.T if layer.fan_in_fan_out else update


def picture(matrix: torch.Tensor) -> np.ndarray:
    """The matrix as float32, with at most PICTURE_SIDE rows and columns. Larger matrices are averaged down."""
    values = matrix.detach().float().cpu()
    height, width = (min(side, PICTURE_SIDE) for side in values.shape)
    pooled: np.ndarray = torch.nn.functional.adaptive_avg_pool2d(values[None, None], (height, width))[0, 0].numpy()
    return pooled


def _out_in(layer: Any) -> torch.Tensor:
    """The weights of a linear layer as [out, in]. GPT-2's Conv1D stores them transposed."""
    weight: torch.Tensor = layer.weight.detach()
    return weight if isinstance(layer, torch.nn.Linear) else weight.T


def _factors(
    lora: Run, initial: Mapping[str, torch.Tensor], full_pictures: Mapping[int, np.ndarray]
) -> tuple[Factors, ...]:
    factors = []
    for index, (name, weight) in enumerate(list(initial.items())[:MAX_PICTURES]):
        layer = lora.model.base_model.model.get_submodule(name)
        pictures = {
            "w": picture(weight),
            "b": picture(layer.lora_B[ADAPTER].weight),
            "a": picture(layer.lora_A[ADAPTER].weight),
            "ba": picture(update_of(lora, name, weight)),
        }
        if index in full_pictures:
            pictures["delta"] = full_pictures[index]
        rows, columns = weight.shape
        factors.append(Factors(pictures, (rows, columns), layer.r[ADAPTER], float(layer.scaling[ADAPTER])))
    return tuple(factors)


def _singular_values(matrix: torch.Tensor, count: int) -> np.ndarray:
    """The `count` largest singular values, descending; NaN if the matrix has NaN or infinite elements.

    For a large matrix a randomized method is used, which may underestimate the smallest of them.
    """
    if not torch.isfinite(matrix).all():
        return np.full(count, np.nan, dtype=np.float32)
    if min(matrix.shape) <= _EXACT_SIDE:
        values = torch.linalg.svdvals(matrix.float())[:count]
    else:
        values = torch.svd_lowrank(matrix.float(), q=min(count + 16, *matrix.shape), niter=4)[1][:count]
    singular_values: np.ndarray = values.numpy()
    return singular_values
