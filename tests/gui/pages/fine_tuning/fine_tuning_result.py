"""What a run of the fine-tuning page returns, made up: numbers that are easy to tell apart, method by method."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.contracts.result import Environment, Metric, Provenance, Result, Row
from core.topics.fine_tuning.methods import PROMPTS, MethodId
from core.topics.fine_tuning.model.plan import Plan, plan
from core.topics.fine_tuning.params import FineTuningParams

ROWS = (
    ("Breldan Jurman, Education, Tanden College", "Breldan Jurman studied at Tanden College.", "unseen person"),
    ("Dolvia Kesson, Birthplace, Hemford", "Dolvia Kesson was born in Hemford.", "unseen person"),
    ("Gristo Vadem, Profession, painter", "Gristo Vadem works as a painter.", "untold fact"),
    ("Mavel Tondick, Employer, Lorvis Works", "Mavel Tondick works for Lorvis Works.", "untold fact"),
)
BEFORE = "lived in the town of Nalford, where the river is."
TOKENS, LAYERS_HEADS = 14, (4, 4)


def run_of(
    params: FineTuningParams, done: int | None = None, *, tables: bool = True, frames: int | None = None
) -> Result:
    """A run of `done` steps (all by default); `tables` False is one that has curves and gradients only."""
    made = plan(params)
    done = params.steps if done is None else done
    rng = np.random.default_rng(params.seed)
    kept = np.unique(np.linspace(1, max(1, done), frames or min(done, 24)).round().astype(np.int64))
    asked = np.arange(0, done + 1, params.held_out_every, dtype=np.int64)
    arrays: dict[str, np.ndarray] = {"gradient.frames": kept, "held_out.steps": asked}
    for at, method in enumerate(params.chosen):
        floor = 0.3 + 0.25 * at
        noise = 0.05 * rng.standard_normal(done)
        arrays[f"loss.{method}"] = (floor + 3 * np.exp(-np.arange(done) / 40) + noise).astype(np.float32)
        arrays[f"held_out.{method}"] = (floor + 0.1 + 3 * np.exp(-asked / 40)).astype(np.float32)
        arrays[f"gradient.{method}"] = _gradients(made, method, kept)
        arrays[f"frozen_gradient.{method}"] = _frozen(made, method)
        if tables:
            prefix = params.virtual_tokens if method in PROMPTS else 0
            arrays[f"mask.{method}"] = np.tri(TOKENS, prefix + TOKENS, prefix, dtype=np.uint8)
            if prefix:
                layers, heads = LAYERS_HEADS
                share = np.linspace(0.1, 0.9, layers * heads * TOKENS, dtype=np.float32)
                arrays[f"attention_to_prefix.{method}"] = share.reshape(layers, heads, TOKENS)
    found: dict[str, list[Row]] = {"places": places(made)}
    if tables:
        found |= _tables(made, params, done)
    metrics = {
        f"{m}.trainable": Metric(made.counts[m].trainable_parameters, "", Provenance.MEASURED_CPU)
        for m in params.chosen
    }
    environment = Environment("cpu", "torch", {"torch": "2.13.0"})
    return Result("fine-tuning", params.model_dump(mode="json"), environment, metrics, arrays, found)


def places(made: Plan) -> list[Row]:
    return [
        {"index": p.index, "place": p.id, "layer": p.layer, "kind": p.kind, "parameters": p.parameters}
        | {m.value: made.counts[m].trained_at.get(p.id, 0) for m in made.params.chosen}
        for p in made.places
    ]


def _gradients(made: Plan, method: MethodId, kept: np.ndarray) -> np.ndarray:
    trained = np.array([made.counts[method].trained_at.get(p.id, 0) for p in made.places])
    scale = np.sqrt(trained) * (1 + np.arange(len(trained)) % 5) / 100
    values = scale[None, :] * np.exp(-kept / 80)[:, None]
    return np.where(trained > 0, values, np.nan).astype(np.float32)


def _frozen(made: Plan, method: MethodId) -> np.ndarray:
    frozen = [p.parameters > 0 and method is not MethodId.FULL for p in made.places]
    return np.where(frozen, 0.0, np.nan).astype(np.float32)


def _tables(made: Plan, params: FineTuningParams, done: int) -> dict[str, list[Row]]:
    return {
        "methods": [method_row(made, method, at, done) for at, method in enumerate(params.chosen)],
        "samples": [
            {"row": asked, "wanted": wanted, "split": split, "before": BEFORE}
            | {
                m.value: wanted if (at + k) % 3 == 0 else wanted.replace("in", "at") + " and"
                for k, m in enumerate(params.chosen)
            }
            for at, (asked, wanted, split) in enumerate(ROWS)
        ],
        "vectors": [
            {
                "method": m.value,
                "place": place,
                "shape": f"{params.virtual_tokens} x {made.shape.hidden}",
                "count": count,
            }
            for m in params.chosen
            if m in PROMPTS
            for place, count in made.counts[m].trained_at.items()
        ],
        "gradients_through": [
            {"method": "qlora", "what": "adapters", "tensors": 56, "with_gradient": 56, "norm": 0.42},
            {"method": "qlora", "what": "frozen 4-bit weights", "tensors": 28, "with_gradient": 0, "norm": 0.0},
        ],
        "mask_labels": [
            {
                "method": m.value,
                "position": at,
                "label": f"v{at}" if at < prefix else f"tok{at - prefix}",
                "is_prefix": at < prefix,
            }
            for m in params.chosen
            for prefix in [params.virtual_tokens if m in PROMPTS else 0]
            for at in range(prefix + TOKENS)
        ],
        "messages": [],
    }


def method_row(made: Plan, method: MethodId, at: int, done: int, **changes: Any) -> Row:
    count = made.counts[method]
    return {
        "method": method.value, "label": count.label, "trainable_parameters": count.trainable_parameters,
        "total_parameters": count.total_parameters, "share": count.share, "extra_parameters": count.extra_parameters,
        "where": "somewhere", "steps": done, "steps_per_s": 5.0 + at, "learning_rate": 1e-3, "final_loss": 0.3 + at,
        "held_out_loss": 0.4 + at, "exact_match_unseen": 0.9 - 0.1 * at, "exact_match_untold": 0.6 - 0.08 * at,
        "weights_bytes": int(count.weights_bytes), "gradients_bytes": count.gradients_bytes,
        "optimizer_bytes": count.optimizer_bytes, "activations_bytes": 3_000_000 + 1000 * at,
        "memory_how": "tensor sizes", "runs_on": "bitsandbytes" if method == "qlora" else "", "error": "", **changes,
    }  # fmt: skip
