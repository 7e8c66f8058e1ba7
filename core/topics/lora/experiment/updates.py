"""What training did to the matrices: the updates, their singular values, and pictures of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from core.engine.steps import ProgressCallback
from core.topics.lora.experiment.allocator import ADAPTER
from core.topics.lora.experiment.runs import Run
from core.topics.lora.result import MOST_PICTURES, PICTURE_SIDE, Factors

MOST_SINGULAR_VALUES = 128
_EXACT_SIDE = 1024
_PHASE = "singular values of the updates"


@dataclass(frozen=True)
class Updates:
    """Singular values of the updates by run, float32 [matrices, k]; pictures of the first matrices; Frobenius norms of
    the full updates and what share of their squares the first target_r singular values have, [matrices] each, NaN where
    that run is missing or stopped: a training that broke off says nothing of what training does. `approximate` says
    that matrices were too large for all their singular values."""

    spectra: Mapping[str, np.ndarray]
    factors: tuple[Factors, ...]
    full_norm: np.ndarray
    energy_in_rank: np.ndarray
    approximate: bool


def measure_updates(
    runs: Mapping[str, Run], base: Any, names: Sequence[str], rank: int, progress: ProgressCallback
) -> Updates:
    """Of the trained `runs`, LoRA's among them, against the weights of `base`, the model that they began from."""
    first = {name: _out_in(base.get_submodule(name)) for name in names}
    most = min(MOST_SINGULAR_VALUES, *(min(weight.shape) for weight in first.values()))
    spectra = {run_id: np.zeros((len(names), most), dtype=np.float32) for run_id in runs}
    full_pictures: dict[int, np.ndarray] = {}
    norms = np.full(len(names), np.nan)
    energy = np.full(len(names), np.nan)
    approximate = False
    for done, (run_id, run) in enumerate(runs.items()):
        for index, name in enumerate(names):
            progress(done * len(names) + index, len(runs) * len(names), _PHASE)
            update = update_of(run, name, first[name])
            approximate |= min(update.shape) > _EXACT_SIDE
            values = _singular_values(update, most)
            spectra[run_id][index] = values
            if run_id == "full" and not run.error:
                norms[index] = float(torch.linalg.matrix_norm(update))
                energy[index] = float((values[:rank] ** 2).sum() / norms[index] ** 2) if norms[index] else np.nan
                if index < MOST_PICTURES:
                    full_pictures[index] = picture(update)
    return Updates(spectra, _factors(runs["lora"], first, full_pictures), norms, energy, approximate)


def update_of(run: Run, name: str, first: torch.Tensor) -> torch.Tensor:
    """What the run adds to that matrix, [out, in]."""
    if run.id == "full":
        trained = _out_in(run.model.get_submodule(name))
        return (trained - first.to(trained.device)).cpu()
    layer = run.model.base_model.model.get_submodule(name)
    with torch.no_grad():
        added: torch.Tensor = layer.get_delta_weight(ADAPTER).detach().cpu()
    return added.T if layer.fan_in_fan_out else added


def picture(matrix: torch.Tensor) -> np.ndarray:
    """float32 [at most PICTURE_SIDE, at most PICTURE_SIDE], means of neighbours where the matrix is larger."""
    values = matrix.detach().float().cpu()
    height, width = (min(side, PICTURE_SIDE) for side in values.shape)
    shown: np.ndarray = torch.nn.functional.adaptive_avg_pool2d(values[None, None], (height, width))[0, 0].numpy()
    return shown


def _out_in(layer: Any) -> torch.Tensor:
    """The weights of a linear layer as [out, in]: GPT-2's Conv1D holds them the other way round."""
    weight: torch.Tensor = layer.weight.detach()
    return weight if isinstance(layer, torch.nn.Linear) else weight.T


def _factors(
    lora: Run, first: Mapping[str, torch.Tensor], full_pictures: Mapping[int, np.ndarray]
) -> tuple[Factors, ...]:
    factors = []
    for index, (name, weight) in enumerate(list(first.items())[:MOST_PICTURES]):
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


def _singular_values(matrix: torch.Tensor, most: int) -> np.ndarray:
    """The `most` largest, descending; of a large matrix by a randomised method that may understate the last of them.
    NaN of what is no number itself."""
    if not torch.isfinite(matrix).all():
        return np.full(most, np.nan, dtype=np.float32)
    if min(matrix.shape) <= _EXACT_SIDE:
        values = torch.linalg.svdvals(matrix.float())[:most]
    else:
        values = torch.svd_lowrank(matrix.float(), q=min(most + 16, *matrix.shape), niter=4)[1][:most]
    singular_values: np.ndarray = values.numpy()
    return singular_values
