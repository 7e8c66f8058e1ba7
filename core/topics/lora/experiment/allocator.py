"""Observes peft's AdaLoRA allocator and computes the paper's formulas for comparison. It influences nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from core.topics.lora.params import LoraParams
from core.topics.lora.result import MAX_FRAMES
from core.topics.lora.schedule import Schedule
from core.topics.lora.triplets import SmoothedScores, kept_triplets, triplet_scores

ADAPTER = "default"
_PARTS = ("lora_A", "lora_E", "lora_B")
_MAX_RECORDED = 1 << 21  # triplets in all frames together


@dataclass
class Differences:
    """The largest differences between peft and the formulas over all steps so far. `importance` is relative to peft's
    largest value. `compared` counts the compared steps."""

    budget: int = 0
    triplets: int = 0
    importance: float = 0.0
    allocations: int = 0
    compared: int = 0


@dataclass
class Frame:
    """Triplets of all matrices after a step, each float32 [matrices, init_r]. Scores are NaN if peft has none."""

    step: int
    importance: np.ndarray
    sensitivity: np.ndarray
    uncertainty: np.ndarray
    singular_value: np.ndarray
    kept: np.ndarray


@dataclass
class Masking:
    """One masking by peft: the number of triplets kept per matrix before and after it, int [matrices]."""

    step: int
    budget: int
    before: np.ndarray
    after: np.ndarray


@dataclass
class Recorder:
    """Everything recorded of AdaLoRA so far. `names` are the full names of the adapted layers, in matrix order."""

    params: LoraParams
    schedule: Schedule
    names: Sequence[str]
    model: Any
    differences: Differences = field(default_factory=Differences)
    ranks: list[np.ndarray] = field(default_factory=list)
    orthogonality: list[float] = field(default_factory=list)
    allocated: list[bool] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    maskings: list[Masking] = field(default_factory=list)
    last_scores: np.ndarray | None = None

    def __post_init__(self) -> None:
        self._tuner = self.model.base_model
        self._allocator = self._tuner.rankallocator
        weights = dict(self._tuner.model.named_parameters())
        self._weights = {
            f"{name}.{part}.{ADAPTER}": weights[f"{name}.{part}.{ADAPTER}"] for name in self.names for part in _PARTS
        }
        self._smoothed = {name: SmoothedScores.zeros(_numpy(weight)) for name, weight in self._weights.items()}
        self._kept = np.ones((len(self.names), self.params.init_r), dtype=bool)
        self._masked: np.ndarray | None = None
        self._stride = self._frame_stride()
        self._peft_masks = self._allocator.mask_to_budget
        self._allocator.mask_to_budget = self._recorded_masking

    def before_update(self, step: int) -> None:
        """Call after backward. Records the regulariser that is part of the loss of this step."""
        self.orthogonality.append(self._orthogonality())

    def after_update(self, step: int) -> None:
        """Call after the optimizer step. Lets peft update its allocation, then records the result."""
        self._masked = None
        if self.params.call_update:
            self._update_formulas(step)
            self._update_peft(step)
            self._compare(step)
        self._record(step)

    def _update_peft(self, step: int) -> None:
        if self.schedule.first > self.schedule.target:
            self._tuner.update_and_allocate(step)
        elif self.schedule.scores(step):
            # With nothing to prune, peft asks torch for the 0th smallest score, which raises. So update only scores.
            self._allocator.update_ipt(self._tuner.model)

    def _recorded_masking(self, model: Any, budget: int) -> Any:
        pattern = self._peft_masks(model, budget)
        self.last_scores = self._peft_scores()
        self._masked = np.array([pattern[f"{name}.lora_E.{ADAPTER}"] for name in self.names], dtype=bool)
        self._compare_masks(budget, self._masked)
        return pattern

    def _update_formulas(self, step: int) -> None:
        """Update the formulas from the same weights and gradients that peft uses next."""
        if not self.schedule.scores(step):
            return
        for name, weight in self._weights.items():
            self._smoothed[name] = self._smoothed[name].updated(
                _numpy(weight), _numpy(weight.grad), self.params.beta1, self.params.beta2
            )

    def _compare_masks(self, budget: int, peft_mask: np.ndarray) -> None:
        formula_mask = np.array(kept_triplets(self._formula_scores(), budget))
        self.differences.triplets += int((formula_mask != peft_mask).sum())
        self.differences.allocations += 1

    def _compare(self, step: int) -> None:
        differences = self.differences
        differences.budget = max(
            differences.budget, abs(self._allocator.budget_schedule(step)[0] - self.schedule.budget(step))
        )
        if not self._allocator.exp_avg_ipt:
            return
        differences.compared += 1
        pairs = (
            (self._formula_tensors("sensitivity"), self._allocator.exp_avg_ipt),
            (self._formula_tensors("uncertainty"), self._allocator.exp_avg_unc),
        )
        for formula, peft in pairs:
            differences.importance = max(
                differences.importance,
                max_relative_difference((formula[name], _numpy(peft[name])) for name in self._weights),
            )

    def _formula_tensors(self, quantity: str) -> dict[str, np.ndarray]:
        return {name: getattr(smoothed, quantity) for name, smoothed in self._smoothed.items()}

    def _formula_scores(self) -> list[np.ndarray]:
        return [
            triplet_scores(*(self._smoothed[f"{name}.{part}.{ADAPTER}"].score for part in _PARTS))
            for name in self.names
        ]

    def _peft_scores(self) -> np.ndarray:
        """Triplet scores computed from peft's allocator state, float32 [matrices, init_r]."""
        element = self._allocator._element_score
        return np.array(
            [triplet_scores(*(_numpy(element(f"{name}.{part}.{ADAPTER}")) for part in _PARTS)) for name in self.names]
        )

    def _record(self, step: int) -> None:
        before = self._kept.sum(axis=1)
        if self._masked is not None:
            self._kept = self._masked
            self.maskings.append(Masking(step, self.schedule.budget(step), before, self._kept.sum(axis=1)))
        self.allocated.append(self._masked is not None)
        self.ranks.append(self._kept.sum(axis=1).astype(np.int16))
        if step % self._stride == 0 or step == self.params.steps:
            self.frames.append(self._frame(step))

    def truncate(self, steps: int) -> None:
        """Call when training stops early. Drops the records of unfinished steps and adds a frame for the last finished
        one."""
        del self.orthogonality[steps:], self.allocated[steps:], self.ranks[steps:]
        self.frames[:] = [frame for frame in self.frames if frame.step <= steps]
        self.maskings[:] = [masking for masking in self.maskings if masking.step <= steps]
        if self.ranks and (not self.frames or self.frames[-1].step != len(self.ranks)):
            self.frames.append(self._frame(len(self.ranks)))

    def _frame(self, step: int) -> Frame:
        values = [f"{name}.lora_E.{ADAPTER}" for name in self.names]
        no_scores = np.full(self._kept.shape, np.nan, dtype=np.float32)
        scored = bool(self._allocator.exp_avg_ipt)
        importance = self._peft_scores() if scored else no_scores
        if scored:
            self.last_scores = importance
        return Frame(
            step,
            importance,
            _stacked(self._allocator.exp_avg_ipt, values) if scored else no_scores,
            _stacked(self._allocator.exp_avg_unc, values) if scored else no_scores,
            _stacked(self._weights, values),
            self._kept.copy(),
        )

    def _orthogonality(self) -> float:
        """The mean of ||Q Qᵀ - I||_F and ||Pᵀ P - I||_F over all A and B, as in peft's loss (eq. 4, which squares
        them)."""
        norms: list[torch.Tensor] = []
        by_shape: dict[tuple[int, ...], list[torch.Tensor]] = {}
        for name, weight in self._weights.items():
            if ".lora_E." not in name:
                rows = weight if ".lora_A." in name else weight.T
                by_shape.setdefault(tuple(rows.shape), []).append(rows)
        with torch.no_grad():
            for same_shape in by_shape.values():
                rows = torch.stack(same_shape)
                deviation = rows @ rows.mT - torch.eye(rows.shape[1], device=rows.device, dtype=rows.dtype)
                norms.append(torch.linalg.matrix_norm(deviation))
            return float(torch.cat(norms).mean())

    def _frame_stride(self) -> int:
        triplets_per_frame = max(1, self._kept.size)
        max_frames = max(2, min(MAX_FRAMES, _MAX_RECORDED // triplets_per_frame))
        return max(1, -(-self.params.steps // (max_frames - 1)))


def max_relative_difference(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> float:
    """The largest |ours - theirs| over pairs (ours, theirs), divided by the largest |theirs|.

    NaN and infinite values must match exactly; otherwise the difference is infinite.
    """
    difference, largest = 0.0, 0.0
    for ours, theirs in pairs:
        if not np.array_equal(np.isfinite(ours), np.isfinite(theirs)):
            return float("inf")
        finite = np.isfinite(theirs)
        if not np.array_equal(ours[~finite], theirs[~finite], equal_nan=True):
            return float("inf")
        difference = max(difference, float(np.abs(ours[finite] - theirs[finite]).max(initial=0.0)))
        largest = max(largest, float(np.abs(theirs[finite]).max(initial=0.0)))
    return difference / (largest or 1.0)


def _numpy(tensor: torch.Tensor | None) -> np.ndarray:
    assert tensor is not None, "a trainable weight has no gradient"
    array: np.ndarray = tensor.detach().cpu().numpy()
    return array


def _stacked(tensors: Any, names: Sequence[str]) -> np.ndarray:
    return np.stack([_numpy(tensors[name]).ravel() for name in names])
