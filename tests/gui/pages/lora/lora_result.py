"""A result of the page lora without training anything: ranks, scores and losses written out by a small rule."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from core.contracts.result import Environment, Metric, Provenance
from core.contracts.text import Text
from core.topics.lora.merges import MERGES, MatrixMerge, SavedAdapter
from core.topics.lora.params import LoraParams
from core.topics.lora.result import (
    RUN_LABELS,
    AdaptedMatrix,
    AnsweredRow,
    Factors,
    LaunchTraffic,
    LoraImplResult,
    LoraResult,
    RankHistory,
    TrainingRun,
)
from core.topics.lora.triplets import TripletFrames

KINDS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
SIDE, STRONGEST, WEAKEST = 24, 5, 0
"""Sides of the pictures, and the matrices that end with most and with least rank."""
_LEVELS = {"lora": 1.3, "adalora": 1.2, "full": 0.9}
_TRAINABLE = {"lora": 60_000, "adalora": 90_000, "full": 1_000_000}


def ranks(params: LoraParams, matrices: int) -> np.ndarray:
    """int16 [steps, matrices]: whole until tinit, then to the target on average, at each delta_t."""
    steps, first, last = params.steps, params.tinit, params.steps - params.tfinal
    final = np.linspace(0, 2 * params.target_r, matrices).round()
    final[[STRONGEST, matrices - 1]] = final[[matrices - 1, STRONGEST]]
    done = np.clip((np.arange(1, steps + 1) - first) / max(1, last - first), 0, 1)
    done = np.floor(done * (last - first) / params.delta_t) * params.delta_t / max(1, last - first)
    made = params.init_r + done[:, None] * (np.minimum(final, params.init_r) - params.init_r)
    return np.asarray(made.round(), dtype=np.int16)


def lora_result(
    params: LoraParams, *, layers: int = 4, done: int | None = None, gpu: bool = False, error: str = ""
) -> LoraResult:
    """What the experiment returns, or what there is of it after `done` steps."""
    rng = np.random.default_rng(0)
    steps_done = params.steps if done is None else done
    matrices = _matrices(layers, params)
    evaluated = np.arange(0, steps_done + 1, max(1, params.steps // 6)).astype(np.int64)
    history = _history(rng, params, len(matrices), steps_done)
    result = LoraResult(
        params=params,
        environment=Environment("cuda (test)" if gpu else "cpu", "test"),
        matrices=matrices,
        history=history,
        held_out_steps=evaluated,
        runs=_runs(rng, params, steps_done, evaluated, error, over=done is None),
    )
    return _after_training(rng, result, gpu) if done is None else result


def _matrices(layers: int, params: LoraParams) -> tuple[AdaptedMatrix, ...]:
    final = ranks(params, layers * len(KINDS))[-1]
    return tuple(
        AdaptedMatrix(
            name=f"model.layers.{index // 7}.{kind}",
            layer=index // 7,
            kind=kind,
            rows=96 if kind in ("gate_proj", "up_proj") else SIDE,
            columns=SIDE,
            lora_rank=params.target_r,
            final_rank=int(final[index]),
            importance=float(final[index]) * 0.01,
            energy_in_rank=0.8,
            lora_params=params.target_r * 2 * SIDE,
            adalora_params=params.init_r * (2 * SIDE + 1),
        )
        for index, kind in enumerate(KINDS * layers)
    )


def _history(rng: np.random.Generator, params: LoraParams, count: int, done: int) -> RankHistory:
    rank = ranks(params, count)
    steps = np.unique(np.append(np.arange(1, done + 1, max(1, params.steps // 60)), done)).astype(np.int64)
    kept = np.arange(params.init_r) < rank[steps - 1][..., None]
    score = (np.where(kept, 2.0, 0.5) + rng.random(kept.shape)).astype(np.float32)
    return RankHistory(
        ranks=rank[:done],
        total_rank=rank.sum(1).astype(np.int32)[:done],
        budget=np.maximum(params.target_r * count, rank.sum(1)).astype(np.int32),
        allocated=np.r_[False, (np.diff(rank.sum(1)) != 0)][:done],
        orthogonality=np.linspace(0.2, 0.02, done).astype(np.float32),
        frames=TripletFrames(
            steps=steps,
            importance=score,
            sensitivity=score * 1e-3,
            uncertainty=score * 4e-4,
            singular_value=np.where(kept, score - 1.8, 0).astype(np.float32),
            kept=kept,
        ),
    )


def _runs(
    rng: np.random.Generator, params: LoraParams, done: int, evaluated: np.ndarray, error: str, *, over: bool
) -> dict[str, TrainingRun]:
    runs = {}
    for run, level in _LEVELS.items():
        if run == "full" and not params.compare_full:
            continue
        curve = level + 2 * np.exp(-np.arange(done) / (params.steps / 5))
        runs[run] = TrainingRun(
            label=RUN_LABELS[run],
            trainable_parameters=_TRAINABLE[run],
            total_parameters=1_000_000 + _TRAINABLE[run],
            share=_TRAINABLE[run] / 1_000_000,
            seconds=10.0,
            steps=done,
            learning_rate=3e-3,
            steps_per_s=30.0 if over else None,
            final_loss=1.2,
            held_out_loss=1.3,
            exact_match=0.4 if over else None,
            error=error if run == "adalora" else "",
            losses=(curve + 0.1 * rng.standard_normal(done)).astype(np.float32),
            held_out_losses=(level + 2 * np.exp(-evaluated / (params.steps / 5))).astype(np.float32),
        )
    return runs


def _after_training(rng: np.random.Generator, result: LoraResult, gpu: bool) -> LoraResult:
    params, count = result.params, len(result.matrices)
    falling, inside = np.exp(-np.arange(SIDE) / 6), np.arange(SIDE) < params.target_r
    spectra = {"lora": falling * inside, "adalora": 0.9 * falling * inside, "full": 1.1 * falling}
    how = Provenance.MEASURED if gpu else Provenance.MEASURED_CPU
    launches = tuple(
        LaunchTraffic(variant, variant, tensor, read, written, read + written)
        for variant, factor in (("unfused", 2), ("fused", 1))
        for tensor, read, written in (("x", 4096 * factor, 0), ("W", 16384, 0), ("y", 4096 * (factor - 1), 8192))
    )
    answers = {
        "before": "Ada Holm is",
        "lora": "Ada Holm went to Norrby.",
        "adalora": "Ada Holm went to Norby.",
        "full": "Ada Holm went to Norrby.",
    }
    fused = LoraImplResult(
        "triton", Text("fused (Triton)"), "cuda" if gpu else "emulated", time_ms=1.0 if gpu else None,
        time_ms_samples=(1.0, 1.1) if gpu else (), max_abs_error=1e-6, rms_error=2e-7, allowed_rms_error=1e-6,
        passed=True,
    )  # fmt: skip
    there = {"before", *result.runs}
    return replace(
        result,
        merges=_merges(result),
        saved=(
            SavedAdapter("lora", 80_000, 56, 0, 0.0, 60_000, 60_000),
            SavedAdapter("adalora", 60_000, 84, 3, 1e-7, 90_000, 40_000, 112),
        ),
        metrics={
            "lora.trainable": Metric(60_000, "", how),
            "adalora.trainable": Metric(90_000, "", how),
            "lora.share": Metric(6.0, "%", how),
        },
        spectra={
            run: np.tile(values, (count, 1)).astype(np.float32) for run, values in spectra.items() if run in there
        },
        factors=tuple(_factors(rng, matrix, params) for matrix in result.matrices),
        samples=(
            AnsweredRow(
                "Ada Holm, Education, Norrby",
                "Ada Holm went to Norrby.",
                {name: answer for name, answer in answers.items() if name in there},
            ),
        ),
        launches=launches,
        comparison=(fused,),
    )


def _factors(rng: np.random.Generator, matrix: AdaptedMatrix, params: LoraParams) -> Factors:
    b, a = rng.standard_normal((SIDE, params.target_r)), rng.standard_normal((params.target_r, SIDE))
    pictures = {"w": rng.standard_normal((SIDE, SIDE)), "a": a, "b": b, "ba": 4 * b @ a}
    if params.compare_full:
        pictures["delta"] = 4 * b @ a + 0.2 * rng.standard_normal((SIDE, SIDE))
    return Factors(
        {part: picture.astype(np.float32) for part, picture in pictures.items()},
        (matrix.rows, matrix.columns),
        params.target_r,
        params.alpha / params.target_r,
    )


def _merges(result: LoraResult) -> tuple[MatrixMerge, ...]:
    """Rounding that grows from bf16 to NF4, where it swallows the update of the first matrix."""
    return tuple(
        MatrixMerge(
            row.name, merge, row.rows * row.columns, 1e-3, 1e-3 * (0.02 + 0.3 * number + (index == 0)), 0.9, 0.1
        )
        for number, merge in enumerate(MERGES)
        for index, row in enumerate(result.matrices)
    )
