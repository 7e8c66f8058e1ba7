"""What a run of the fine-tuning page returns, made up: numbers that are easy to tell apart, method by method."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from core.contracts.result import Environment, Metric, Provenance
from core.contracts.text import Text
from core.topics.fine_tuning.methods import PROMPTS, MethodId
from core.topics.fine_tuning.params import FineTuningParams
from core.topics.fine_tuning.plan import Plan, plan
from core.topics.fine_tuning.result import (
    AnsweredSample,
    FineTuningResult,
    GradientEvidence,
    MaskColumn,
    MethodResult,
    MethodSummary,
    TrainedVectors,
    gradient_range,
)

ROWS = (
    ("Breldan Jurman, Education, Tanden College", "Breldan Jurman studied at Tanden College.", "unseen person"),
    ("Dolvia Kesson, Birthplace, Hemford", "Dolvia Kesson was born in Hemford.", "unseen person"),
    ("Gristo Vadem, Profession, painter", "Gristo Vadem works as a painter.", "untold fact"),
    ("Mavel Tondick, Employer, Lorvis Works", "Mavel Tondick works for Lorvis Works.", "untold fact"),
)
BEFORE = "lived in the town of Nalford, where the river is."
TOKENS, LAYERS_HEADS = 14, (4, 4)


def run_of(
    params: FineTuningParams, done: int | None = None, *, summaries: bool = True, frames: int | None = None
) -> FineTuningResult:
    """A run of `done` steps (all by default); without `summaries` one that has curves and gradients only."""
    made = plan(params)
    done = params.steps if done is None else done
    rng = np.random.default_rng(params.seed)
    steps = np.unique(np.linspace(1, max(1, done), frames or min(done, 24)).round().astype(np.int64))
    evaluated = np.arange(0, done + 1, params.held_out_every, dtype=np.int64)
    methods = {}
    for index, method in enumerate(params.chosen):
        floor = 0.3 + 0.25 * index
        noise = 0.05 * rng.standard_normal(done)
        methods[method] = MethodResult(
            trained_at=made.counts[method].trained_at,
            losses=(floor + 3 * np.exp(-np.arange(done) / 40) + noise).astype(np.float32),
            held_out_losses=(floor + 0.1 + 3 * np.exp(-evaluated / 40)).astype(np.float32),
            gradient_norms=_gradients(made, method, steps),
            frozen_gradients=_frozen(made, method),
            **(_inspected(made, method, index, done) if summaries else {}),
        )
    return FineTuningResult(
        params=params,
        environment=Environment("cpu", "torch", {"torch": "2.13.0"}),
        metrics={
            f"{m}.trainable": Metric(made.counts[m].trainable_parameters, "", Provenance.MEASURED_CPU)
            for m in params.chosen
        },
        methods=methods,
        places=made.places,
        held_out_steps=evaluated,
        gradient_steps=steps,
        gradient_range=gradient_range([method.gradient_norms for method in methods.values()]),
        samples=_samples(params) if summaries else (),
    )


def changed(result: FineTuningResult, method: str, **fields: Any) -> FineTuningResult:
    """The run with some fields of one method replaced."""
    run = replace(result.method(method), **fields)
    return replace(result, methods={**result.methods, MethodId(method): run})


MEMORY_FROM = Text("sizes of the tensors that torch holds on the CPU")


def summary(made: Plan, method: MethodId, index: int, done: int, **changes: Any) -> MethodSummary:
    memory = replace(made.counts[method].memory, activations_bytes=3_000_000 + 1000 * index, how=MEMORY_FROM)
    return replace(
        made.summary(method),
        steps=done,
        steps_per_s=5.0 + index,
        learning_rate=1e-3,
        final_loss=0.3 + index,
        held_out_loss=0.4 + index,
        exact_match_unseen=0.9 - 0.1 * index,
        exact_match_untold=0.6 - 0.08 * index,
        memory=memory,
        runs_on="bitsandbytes" if method == "qlora" else "",
        **changes,
    )


def _gradients(made: Plan, method: MethodId, steps: np.ndarray) -> np.ndarray:
    trained = np.array([made.counts[method].trained_at.get(p.id, 0) for p in made.places])
    scale = np.sqrt(trained) * (1 + np.arange(len(trained)) % 5) / 100
    values = scale[None, :] * np.exp(-steps / 80)[:, None]
    return np.where(trained > 0, values, np.nan).astype(np.float32)


def _frozen(made: Plan, method: MethodId) -> np.ndarray:
    frozen = [p.parameters > 0 and method is not MethodId.FULL for p in made.places]
    return np.where(frozen, 0.0, np.nan).astype(np.float32)


def _inspected(made: Plan, method: MethodId, index: int, done: int) -> dict[str, Any]:
    prefix = made.params.virtual_tokens if method in PROMPTS else 0
    fields: dict[str, Any] = {
        "summary": summary(made, method, index, done),
        "mask": np.tri(TOKENS, prefix + TOKENS, prefix, dtype=np.uint8),
        "mask_columns": tuple(
            MaskColumn(f"v{column}" if column < prefix else f"tok{column - prefix}", column < prefix)
            for column in range(prefix + TOKENS)
        ),
    }
    if prefix:
        layers, heads = LAYERS_HEADS
        share = np.linspace(0.1, 0.9, layers * heads * TOKENS, dtype=np.float32)
        fields["attention_to_prefix"] = share.reshape(layers, heads, TOKENS)
        fields["vectors"] = tuple(
            TrainedVectors(place, (prefix, made.shape.hidden), count)
            for place, count in made.counts[method].trained_at.items()
        )
    if method is MethodId.QLORA:
        fields["gradient_evidence"] = (
            GradientEvidence("adapters", 56, 56, 0.42),
            GradientEvidence("adapters of the first layer", 14, 14, 0.21),
            GradientEvidence("frozen 4-bit weights", 28, 0, 0.0),
            GradientEvidence("input of a 4-bit layer", 1, 1, 1.3, 0.0),
        )
    return fields


def _samples(params: FineTuningParams) -> tuple[AnsweredSample, ...]:
    return tuple(
        AnsweredSample(
            row=row,
            expected=expected,
            split=split,
            before=BEFORE,
            answers={
                method.value: expected if (index + number) % 3 == 0 else expected.replace("in", "at") + " and"
                for number, method in enumerate(params.chosen)
            },
        )
        for index, (row, expected, split) in enumerate(ROWS)
    )
