"""What a run of the fine-tuning experiment returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from core.contracts.archive import Array
from core.contracts.result import Provenance, Result
from core.topics.fine_tuning.methods import METHODS, MethodId
from core.topics.fine_tuning.params import FineTuningParams
from core.topics.fine_tuning.trained_modules import Place, StepMemory

_DECADES = 4
"""How far apart the norms of the first and the last colour of a scale are at most."""


@dataclass(frozen=True)
class MethodSummary:
    """What one method trained and what came of it. None is a number that does not exist, or is not known yet.

    `total_parameters` has the method's own, `extra_parameters`, among them. `learning_rate` is AdamW's peak. Losses are
    in nats per learned token: `final_loss` the mean of the last ten steps, `held_out_loss` of the last evaluation after
    a step. Exact matches are shares of the rows that were answered letter by letter. `runs_on` says what did the 4-bit
    work, '' if nothing did; `frozen_unchanged` whether the frozen parameters are, to the bit, what they were; `error`
    is '' or why the method stopped. A plan fills in what follows from shapes.
    """

    method: MethodId
    trainable_parameters: int
    total_parameters: int
    extra_parameters: int
    learning_rate: float
    memory: StepMemory
    steps: int | None = None
    steps_per_s: float | None = None
    final_loss: float | None = None
    held_out_loss: float | None = None
    exact_match_unseen: float | None = None
    exact_match_untold: float | None = None
    runs_on: str = ""
    frozen_unchanged: bool | None = None
    error: str = ""

    @property
    def share(self) -> float:
        """Of all parameters, those that train."""
        return self.trainable_parameters / self.total_parameters

    @property
    def frozen_parameters(self) -> int:
        return self.total_parameters - self.trainable_parameters


@dataclass(frozen=True)
class MaskColumn:
    """A column of a mask: a token, or a vector that the method put before the input."""

    label: str
    is_prefix: bool


@dataclass(frozen=True)
class TrainedVectors:
    """Vectors that a prompt method adds at a place; a layer's of P-tuning v2 are [2 (keys, values), virtual tokens,
    heads, head dimension]."""

    place: str
    shape: tuple[int, ...]
    count: int


@dataclass(frozen=True)
class PrefixObjective:
    """What the loss of a method with a prefix is of, on one held-out example, in nats per token.

    `loss` is the model's own, `by_hand` -log p(y | prefix, x) from the logits, the mean over y, `without_prefix` the
    loss with the prefix taken off, `base_model` that of the model before any training. Tokens are those of y
    (`target_tokens`), of x (`input_tokens`) and of the prefix.
    """

    loss: float
    by_hand: float
    target_tokens: int
    input_tokens: int
    prefix_tokens: int
    without_prefix: float
    base_model: float


@dataclass(frozen=True)
class GradientEvidence:
    """QLoRA's evidence: where one backward pass put gradients.

    `what` is 'adapters', 'adapters of the first layer', 'frozen 4-bit weights' or 'input of a 4-bit layer';
    `with_gradient` counts the tensors whose gradient is not zero. `max_abs_difference` is of the input's gradient from
    dy W, W restored; else None.
    """

    what: str
    tensors: int
    with_gradient: int
    norm: float
    max_abs_difference: float | None = None


@dataclass(frozen=True)
class AnsweredSample:
    """A held-out row, the expected sentence, and what the model answered: before any training, and by method.

    `split` is 'unseen person' or 'untold fact'.
    """

    row: str
    expected: str
    split: str
    before: str | None = None
    answers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class MethodResult:
    """What a run says of one method, as far as it has come.

    trained_at           trainable parameters by id of the place, places without any left out.
    losses               float32 [steps done]: nats per learned token of each batch; AdaLoRA's without its regulariser.
    held_out_losses      float32 [evaluations]: at the first of `held_out_steps`.
    gradient_norms       float32 [frames, places]: norm of the gradient of the trainable parameters at a place (L2,
                         after backward, before clipping and the optimizer); NaN where nothing is trainable, or the
                         method is not yet that far.
    frozen_gradients     float32 [places]: largest |gradient| that reached a *frozen* parameter over the whole run: 0
                         and only 0 if the method freezes it (None gradients count as 0); NaN where nothing is frozen.
    mask                 uint8 [queries, prefix + keys]: 1 visible, of one held-out example as the model used it. A
                         key-value prefix is no query; the vectors of prompt tuning are, the first rows.
    mask_columns         one per column of the mask.
    attention_to_prefix  float32 [layers, heads, queries]: attention probability on the prefix's columns.
    """

    summary: MethodSummary | None = None
    trained_at: Mapping[str, int] | None = None
    losses: Array | None = None
    held_out_losses: Array | None = None
    gradient_norms: Array | None = None
    frozen_gradients: Array | None = None
    mask: Array | None = None
    mask_columns: tuple[MaskColumn, ...] = ()
    attention_to_prefix: Array | None = None
    vectors: tuple[TrainedVectors, ...] = ()
    objective: PrefixObjective | None = None
    gradient_evidence: tuple[GradientEvidence, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FineTuningResult(Result):
    """Measured, of every method that was trained, by its id.

    A *place* is a part of the model where parameters or vectors are: ids 'embedding', 'prompt' (vectors before the
    embedded input), 'layer.{i}.prefix' (keys and values put before those of the layer), 'layer.{i}.attention_norm',
    'layer.{i}.q_proj', ..., 'final_norm', 'head' (no parameters where it is the embedding again), 'prefix_encoder'
    (what the MLP of prefix-tuning reads, and its first layer; the rows of its last layer belong to the prefix that they
    write). Adapters belong to the place of the matrix that they adapt. Models that are not Llama-like have the same
    kinds as far as they have them; besides, 'layer.{i}.qkv_proj' (all three in one matrix), 'layer.{i}.other', 'other'.

    methods         by id, in the order of METHODS.
    places          of the model, those that only a method fills among them.
    held_out_steps  int64 [evaluations]: step 0 (before training) first.
    gradient_steps  int64 [frames]: the steps, from 1, whose gradients were kept.
    gradient_range  the norms that the ends of a scale stand for, the same for all methods: see `gradient_range`.
    samples         held-out rows, answered before and after.

    Metrics: '{method}.trainable', '{method}.share', '{method}.held_out', '{method}.exact_match' (unseen people),
      '{method}.steps_per_s', '{method}.memory' (all four parts), 'base.parameters', 'base.held_out',
      'base.exact_match' (before training).
    """

    topic: str = "fine-tuning"
    params: FineTuningParams
    methods: Mapping[MethodId, MethodResult] = field(default_factory=dict)
    places: tuple[Place, ...] = ()
    held_out_steps: Array | None = None
    gradient_steps: Array | None = None
    gradient_range: tuple[float, float] = (0.1, 1.0)
    samples: tuple[AnsweredSample, ...] = ()

    @property
    def measured(self) -> Provenance:
        """How the numbers of the run were obtained."""
        metric = self.metrics.get("base.parameters")
        return Provenance.MEASURED_CPU if metric is None else metric.provenance

    @property
    def has_summaries(self) -> bool:
        return any(method.summary is not None for method in self.methods.values())

    def method(self, method: str) -> MethodResult:
        """What is known of a method; nothing of one that was not trained, or not yet."""
        return self.methods.get(MethodId(method), _NOTHING)

    def gradients_at(self, method: str, step: int | None) -> Array | None:
        """float32 [places]: the gradient norms of the last frame of a method that is not after a step, of its newest
        one for None; None before its first.

        A method that is behind the others, or stopped, has rows of NaN from there on.
        """
        norms, steps = self.method(method).gradient_norms, self.gradient_steps
        if norms is None or steps is None:
            return None
        frames = np.flatnonzero(np.isfinite(norms).any(axis=1))
        if not frames.size:
            return None
        last = len(steps) if step is None else int(np.searchsorted(steps, step, side="right"))
        newest = max(0, int(np.searchsorted(frames, last)) - 1)
        frame: Array = norms[int(frames[newest])]
        return frame

    @classmethod
    def from_tables(cls, stored: dict[str, Any]) -> dict[str, Any]:
        """Methods had an array each of every kind by name, and a column or a row in every table."""
        arrays, tables = stored["arrays"], stored["tables"]
        tree = super().from_tables({**stored, "arrays": {}, "tables": {"messages": tables.get("messages", [])}})
        trained = [method.value for method in METHODS if _is_in(method.value, arrays, tables)]
        norms = [arrays[f"gradient.{method}"] for method in trained if f"gradient.{method}" in arrays]
        return tree | {
            "methods": {method: _old_method(method, arrays, tables) for method in trained},
            "places": [
                {"id": row["place"], **{name: row[name] for name in ("index", "layer", "kind", "parameters")}}
                for row in tables.get("places", [])
            ],
            "held_out_steps": arrays.get("held_out.steps"),
            "gradient_steps": arrays.get("gradient.frames"),
            "gradient_range": gradient_range(norms),
            "samples": [_old_sample(row) for row in tables.get("samples", [])],
        }


_NOTHING = MethodResult()


def gradient_range(norms: Sequence[Array]) -> tuple[float, float]:
    """The norms that the first and the last colour stand for, at most four decades apart; (0.1, 1) without any."""
    known = [values[np.isfinite(values) & (values > 0)] for values in norms]
    joined = np.concatenate(known) if known else np.empty(0)
    if not joined.size:
        return 0.1, 1.0
    high = float(joined.max())
    low = max(float(joined.min()), high / 10.0**_DECADES)
    return (low, high) if high > 1.01 * low else (high / 10, high)


_OLD_ARRAYS = {
    "losses": "loss",
    "held_out_losses": "held_out",
    "gradient_norms": "gradient",
    "frozen_gradients": "frozen_gradient",
    "mask": "mask",
    "attention_to_prefix": "attention_to_prefix",
}


def _is_in(method: str, arrays: Mapping[str, Any], tables: Mapping[str, Any]) -> bool:
    return f"loss.{method}" in arrays or any(row["method"] == method for row in tables.get("methods", []))


def _old_method(method: str, arrays: Mapping[str, Any], tables: Mapping[str, Any]) -> dict[str, Any]:
    def rows(table: str) -> list[dict[str, Any]]:
        return [row for row in tables.get(table, []) if row["method"] == method]

    def taken(kind: type, row: Mapping[str, Any]) -> dict[str, Any]:
        return {item.name: row[item.name] for item in fields(kind) if item.name in row}

    summary, objective = next(iter(rows("methods")), None), next(iter(rows("objective")), None)
    memory = None if summary is None else taken(StepMemory, summary) | {"how": summary.get("memory_how") or ""}
    places = tables.get("places", [])
    return {
        **{name: arrays.get(f"{old}.{method}") for name, old in _OLD_ARRAYS.items()},
        "summary": None if summary is None else taken(MethodSummary, summary) | {"memory": memory},
        "trained_at": {row["place"]: row[method] for row in places if row[method]}
        if any(method in row for row in places)
        else None,
        "mask_columns": [
            taken(MaskColumn, row) for row in sorted(rows("mask_labels"), key=lambda row: int(row["position"]))
        ],
        "vectors": [taken(TrainedVectors, row) for row in rows("vectors")],
        "objective": None if objective is None else taken(PrefixObjective, objective),
        "gradient_evidence": [taken(GradientEvidence, row) for row in rows("gradients_through")],
    }


def _old_sample(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "row": row["row"],
        "expected": row["wanted"],
        "split": row["split"],
        "before": row.get("before"),
        "answers": {method.value: row[method.value] for method in METHODS if row.get(method.value) is not None},
    }
