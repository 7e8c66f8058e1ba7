"""A result of the page lora without training anything: ranks, scores and losses written out by a small rule."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.contracts.result import Environment, Metric, Provenance, Result, Row

KINDS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
SIDE, STRONGEST, WEAKEST = 24, 5, 0
"""Sides of the pictures, and the matrices that end with most and with least rank."""


def ranks(params: dict[str, Any], matrices: int) -> np.ndarray:
    """int16 [steps, matrices]: whole until tinit, then to the target on average, at each delta_t."""
    steps, first, last = params["steps"], params["tinit"], params["steps"] - params["tfinal"]
    final = np.linspace(0, 2 * params["target_r"], matrices).round()
    final[[STRONGEST, matrices - 1]] = final[[matrices - 1, STRONGEST]]
    done = np.clip((np.arange(1, steps + 1) - first) / max(1, last - first), 0, 1)
    done = np.floor(done * (last - first) / params["delta_t"]) * params["delta_t"] / max(1, last - first)
    made = params["init_r"] + done[:, None] * (np.minimum(final, params["init_r"]) - params["init_r"])
    return np.asarray(made.round(), dtype=np.int16)


def lora_result(
    params: dict[str, Any], *, layers: int = 4, done: int | None = None, gpu: bool = False, error: str = ""
) -> Result:
    """What the experiment returns, or what there is of it after `done` steps."""
    rng = np.random.default_rng(0)
    steps, init_r, target = params["steps"], params["init_r"], params["target_r"]
    so_far = steps if done is None else done
    matrices = _matrices(layers, target, init_r, params)
    count = len(matrices)
    rank = ranks(params, count)
    budget = np.maximum(target * count, rank.sum(1)).astype(np.int32)
    frames = np.unique(np.append(np.arange(1, so_far + 1, max(1, steps // 60)), so_far)).astype(np.int64)
    kept = np.arange(init_r) < rank[frames - 1][..., None]
    score = (np.where(kept, 2.0, 0.5) + rng.random(kept.shape)).astype(np.float32)
    evaluations = np.arange(0, so_far + 1, max(1, steps // 6)).astype(np.int64)
    arrays: dict[str, np.ndarray] = {
        "rank": rank[:so_far], "budget": budget, "total_rank": rank.sum(1).astype(np.int32)[:so_far],
        "orthogonality": np.linspace(0.2, 0.02, so_far).astype(np.float32),
        "allocated": np.r_[False, (np.diff(rank.sum(1)) != 0)][:so_far],
        "frames": frames, "importance": score, "sensitivity": score * 1e-3, "uncertainty": score * 4e-4,
        "singular_value": np.where(kept, score - 1.8, 0).astype(np.float32), "kept": kept,
        "held_out.steps": evaluations,
    }  # fmt: skip
    for run, level in (("lora", 1.3), ("adalora", 1.2), ("full", 0.9)):
        if run == "full" and not params["compare_full"]:
            continue
        curve = level + 2 * np.exp(-np.arange(so_far) / (steps / 5))
        arrays[f"loss.{run}"] = (curve + 0.1 * rng.standard_normal(so_far)).astype(np.float32)
        arrays[f"held_out.{run}"] = (level + 2 * np.exp(-evaluations / (steps / 5))).astype(np.float32)
    tables: dict[str, list[Row]] = {"matrices": matrices}
    metrics: dict[str, Metric] = {}
    if done is None:
        arrays |= _after_training(rng, count, target, params)
        tables |= _tables(params, gpu, error)
        metrics = _metrics(gpu)
    environment = Environment("cuda (test)" if gpu else "cpu", "test")
    return Result("lora", params, environment, metrics, arrays, tables)


def _matrices(layers: int, target: int, init_r: int, params: dict[str, Any]) -> list[Row]:
    count = layers * len(KINDS)
    final = ranks(params, count)[-1]
    return [
        {"index": index, "name": f"model.layers.{index // 7}.{kind}", "layer": index // 7, "kind": kind,
         "rows": 96 if kind in ("gate_proj", "up_proj") else SIDE, "columns": SIDE, "lora_rank": target,
         "final_rank": int(final[index]), "importance": float(final[index]) * 0.01, "energy_in_rank": 0.8,
         "lora_params": target * 2 * SIDE, "adalora_params": init_r * (2 * SIDE + 1)}
        for index, kind in enumerate(KINDS * layers)
    ]  # fmt: skip


def _after_training(rng: np.random.Generator, count: int, target: int, params: dict[str, Any]) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    for index in range(count):
        b, a = rng.standard_normal((SIDE, target)), rng.standard_normal((target, SIDE))
        made = {"w": rng.standard_normal((SIDE, SIDE)), "a": a, "b": b, "ba": 4 * b @ a}
        if params["compare_full"]:
            made["delta"] = 4 * b @ a + 0.2 * rng.standard_normal((SIDE, SIDE))
        arrays |= {f"picture.{index}.{part}": values.astype(np.float32) for part, values in made.items()}
    falling = np.exp(-np.arange(SIDE) / 6)
    inside = np.arange(SIDE) < target
    arrays["spectrum.lora"] = np.tile(falling * inside, (count, 1)).astype(np.float32)
    arrays["spectrum.adalora"] = np.tile(0.9 * falling * inside, (count, 1)).astype(np.float32)
    if params["compare_full"]:
        arrays["spectrum.full"] = np.tile(1.1 * falling, (count, 1)).astype(np.float32)
    return arrays


def _tables(params: dict[str, Any], gpu: bool, error: str) -> dict[str, list[Row]]:
    runs = [("lora", "LoRA", 60_000), ("adalora", "AdaLoRA", 90_000), ("full", "full", 1_000_000)]
    rows: list[Row] = [
        {"run": run, "label": label, "trainable_parameters": trainable, "total_parameters": 1_000_000 + trainable,
         "share": trainable / 1_000_000, "seconds": 10.0, "steps_per_s": 30.0, "final_loss": 1.2,
         "held_out_loss": 1.3, "exact_match": 0.4, "learning_rate": 3e-3, "error": error if run == "adalora" else ""}
        for run, label, trainable in runs if run != "full" or params["compare_full"]
    ]  # fmt: skip
    samples = [
        {"row": "Ada Holm, Education, Norrby", "wanted": "Ada Holm went to Norrby.", "before": "Ada Holm is",
         "lora": "Ada Holm went to Norrby.", "adalora": "Ada Holm went to Norby.",
         "full": "Ada Holm went to Norrby." if params["compare_full"] else ""}
    ]  # fmt: skip
    kernels = [
        {"variant": variant, "function": variant, "tensor": tensor, "read_bytes": read, "written_bytes": written}
        for variant, factor in (("unfused", 2), ("fused", 1))
        for tensor, read, written in (("x", 4096 * factor, 0), ("weight", 16384, 0), ("y", 4096 * (factor - 1), 8192))
    ]
    comparison = [
        {"impl": "triton", "label": "fused (Triton)", "runs_on": "cuda" if gpu else "emulated", "reason": "",
         "time_ms": 1.0 if gpu else None, "time_ms_samples": [1.0, 1.1] if gpu else [], "tflops": None,
         "peak_memory_bytes": None, "max_abs_error": 1e-6, "rms_error": 2e-7, "allowed_rms_error": 1e-6,
         "passed": True}
    ]  # fmt: skip
    return {"runs": rows, "samples": samples, "kernels": kernels, "comparison": comparison}


def _metrics(gpu: bool) -> dict[str, Metric]:
    how = Provenance.MEASURED if gpu else Provenance.MEASURED_CPU
    return {
        "lora.trainable": Metric(60_000, "", how),
        "adalora.trainable": Metric(90_000, "", how),
        "lora.share": Metric(6.0, "%", how),
    }
