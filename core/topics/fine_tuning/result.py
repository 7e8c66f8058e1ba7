"""The result of the fine-tuning experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from core.contracts.archive import Array
from core.contracts.result import Provenance, Result
from core.contracts.text import EMPTY, Text
from core.topics.fine_tuning.methods import METHODS, MethodId
from core.topics.fine_tuning.params import FineTuningParams
from core.topics.fine_tuning.trained_modules import Place, StepMemory

_DECADES = 4
"""The largest range of a colour scale, in decades."""


@dataclass(frozen=True)
class MethodSummary:
    """What one method trained and its results. None means that a number does not exist or is not known yet.

    `total_parameters` includes the method's own `extra_parameters`. `learning_rate` is AdamW's peak. Losses are in nats
    per labelled token: `final_loss` is the mean of the last ten steps, `held_out_loss` belongs to the last evaluation
    after a step. Exact matches are the shares of rows with exactly the expected answer; `exact_match_untold` is the
    share for unstated facts. `runs_on` names the 4-bit implementation, '' if there is none. `frozen_unchanged` says
    whether the frozen parameters are equal to the bit. `error` says why the method stopped early, '' if it did not. A
    plan fills in the fields that follow from shapes.
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
    runs_on: Text = EMPTY
    frozen_unchanged: bool | None = None
    error: Text = EMPTY

    @property
    def share(self) -> float:
        """The share of all parameters that are trained."""
        return self.trainable_parameters / self.total_parameters

    @property
    def frozen_parameters(self) -> int:
        return self.total_parameters - self.trainable_parameters


@dataclass(frozen=True)
class MaskColumn:
    """A column of a mask: a token, or a vector that the method prepends to the input."""

    label: str
    is_prefix: bool


@dataclass(frozen=True)
class LayerMask:
    """The mask that `layers` share, uint8 [queries, prefix + keys]: 1 is visible. `stored` of the prefix columns are in
    the cache of these layers; a sliding window drops the others."""

    layers: tuple[int, ...]
    mask: Array
    stored: int

    def cuts(self, prefix: int) -> bool:
        """Whether a window hides some of the `prefix` columns from the query of some token. The vectors of prompt
        tuning are queries before the tokens."""
        tokens = self.mask.shape[1] - prefix
        return bool(prefix) and not self.mask[-tokens:, :prefix].all()


@dataclass(frozen=True)
class TrainedVectors:
    """Vectors that a prompt method adds at a place. For a layer of P-tuning v2 the shape is [2 (keys, values), virtual
    tokens, heads, head dimension]."""

    place: str
    shape: tuple[int, ...]
    count: int


@dataclass(frozen=True)
class PrefixObjective:
    """The objective of a prefix method on one held-out example, in nats per token.

    `loss` is the model's own loss. `by_hand` is -log p(y | prefix, x) from the logits, averaged over y.
    `without_prefix` is the loss without the prefix, `base_model` the loss of the untrained model. `target_tokens`
    counts the tokens of y, `input_tokens` those of x, and `prefix_tokens` those of the prefix.
    """

    loss: float
    by_hand: float
    target_tokens: int
    input_tokens: int
    prefix_tokens: int
    without_prefix: float
    base_model: float


ADAPTERS, FIRST_ADAPTERS, FROZEN_WEIGHTS, LAYER_INPUT = EVIDENCE_KINDS = (
    "adapters",
    "adapters of the first layer",
    "frozen 4-bit weights",
    "input of a 4-bit layer",
)
"""Ids of the evidence about QLoRA's gradients."""
UNSEEN_PERSON, UNSTATED_FACT = "unseen person", "untold fact"
"""Ids of the splits of held-out rows. An unstated fact appears in no training text."""


@dataclass(frozen=True)
class GradientEvidence:
    """QLoRA's evidence: which tensors get gradients in one backward pass.

    `what` is one of EVIDENCE_KINDS.
    `with_gradient` counts the tensors with a nonzero gradient. `max_abs_difference` compares the input's gradient with
    dy W for the dequantized W; None for the other kinds.
    """

    what: str
    tensors: int
    with_gradient: int
    norm: float
    max_abs_difference: float | None = None


@dataclass(frozen=True)
class AnsweredSample:
    """A held-out row, its expected sentence, and the answers before training and by method.

    `split` is UNSEEN_PERSON or UNSTATED_FACT.
    """

    row: str
    expected: str
    split: str
    before: str | None = None
    answers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class MethodResult:
    """The results of one method so far.

    trained_at           trainable parameters by place id; places without any are omitted.
    losses               float32 [steps done]: loss of each batch in nats per labelled token, without AdaLoRA's
                         regulariser.
    held_out_losses      float32 [evaluations]: at the first of `held_out_steps`.
    gradient_norms       float32 [frames, places]: L2 norm of the gradient of the trainable parameters at a place, after
                         backward and before clipping; NaN if nothing is trainable there or the frame is not reached.
    frozen_gradients     float32 [places]: the largest |gradient| of a *frozen* parameter over the run. It is 0 if the
                         method freezes the parameters (None gradients count as 0), NaN if nothing is frozen there.
    mask                 uint8 [queries, prefix + keys]: 1 is visible; the mask of one held-out example in the model, of
                         the layers without a window if there are any. A
                         key-value prefix adds no queries; the vectors of prompt tuning are the first queries.
    window_masks         of layers with another mask than `mask`: a sliding window hides keys there.
    mask_columns         one per column of the mask.
    attention_to_prefix  float32 [layers, heads, queries]: attention probability on the prefix columns.
    """

    summary: MethodSummary | None = None
    trained_at: Mapping[str, int] | None = None
    losses: Array | None = None
    held_out_losses: Array | None = None
    gradient_norms: Array | None = None
    frozen_gradients: Array | None = None
    mask: Array | None = None
    window_masks: tuple[LayerMask, ...] = ()
    mask_columns: tuple[MaskColumn, ...] = ()
    attention_to_prefix: Array | None = None
    vectors: tuple[TrainedVectors, ...] = ()
    objective: PrefixObjective | None = None
    gradient_evidence: tuple[GradientEvidence, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FineTuningResult(Result):
    """Measurements of all trained methods.

    A *place* is a part of the model that has parameters or vectors. Ids: 'embedding', 'prompt' (vectors before the
    embedded input), 'layer.{i}.prefix' (keys and values prepended to those of the layer), 'layer.{i}.attention_norm',
    'layer.{i}.q_proj', ..., 'final_norm', 'head' (without parameters if tied to the embedding), 'prefix_encoder' (the
    input vectors of prefix-tuning's MLP and its first layer; the rows of its last layer belong to the prefix that they
    produce). Adapters belong to the place of their matrix. Models outside the Llama family use the same kinds if they
    have them, and also 'layer.{i}.qkv_proj' (all three in one matrix), 'layer.{i}.other' and 'other'.

    methods         by id, in the order of METHODS.
    places          the places of the model, including those that only a method fills.
    held_out_steps  int64 [evaluations]: begins with step 0 (before training).
    gradient_steps  int64 [frames]: the steps, from 1, with recorded gradients.
    gradient_range  the range of the colour scale for gradient norms, shared by all methods: see `gradient_range`.
    samples         held-out rows with answers before and after training.

    Metrics: '{method}.trainable', '{method}.share', '{method}.held_out', '{method}.exact_match' (unseen people),
      '{method}.steps_per_s', '{method}.memory' (sum of all four parts), 'base.parameters', 'base.held_out',
      'base.exact_match' (before training), 'qlora.unquantized' and
      'reach.{adapted,linear,experts,embedding,other}' (shares of the parameters).
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
        """The provenance of the run's measurements."""
        metric = self.metrics.get("base.parameters")
        return Provenance.MEASURED_CPU if metric is None else metric.provenance

    @property
    def has_summaries(self) -> bool:
        return any(method.summary is not None for method in self.methods.values())

    def method(self, method: str) -> MethodResult:
        """The results of a method; empty if it is not trained (yet)."""
        return self.methods.get(MethodId(method), _NO_RESULT)

    def gradients_at(self, method: str, step: int | None) -> Array | None:
        """The gradient norms of a method, float32 [places], at its last frame not after `step`, or at its newest frame
        if `step` is None. None before its first frame.

        A method that is behind the others or stopped has NaN in its remaining frames.
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
        """Converts older results, which stored one array per method and kind, and table columns or rows per method."""
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


_NO_RESULT = MethodResult()


def gradient_range(norms: Sequence[Array]) -> tuple[float, float]:
    """The norms at both ends of the colour scale, at most four decades apart; (0.1, 1) without norms."""
    positive = [values[np.isfinite(values) & (values > 0)] for values in norms]
    all_norms = np.concatenate(positive) if positive else np.empty(0)
    if not all_norms.size:
        return 0.1, 1.0
    high = float(all_norms.max())
    low = max(float(all_norms.min()), high / 10.0**_DECADES)
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

    def fields_of(kind: type, row: Mapping[str, Any]) -> dict[str, Any]:
        return {item.name: row[item.name] for item in fields(kind) if item.name in row}

    summary, objective = next(iter(rows("methods")), None), next(iter(rows("objective")), None)
    memory = None if summary is None else fields_of(StepMemory, summary) | {"how": summary.get("memory_how") or ""}
    places = tables.get("places", [])
    return {
        **{name: arrays.get(f"{old}.{method}") for name, old in _OLD_ARRAYS.items()},
        "summary": None if summary is None else fields_of(MethodSummary, summary) | {"memory": memory},
        "trained_at": {row["place"]: row[method] for row in places if row[method]}
        if any(method in row for row in places)
        else None,
        "mask_columns": [
            fields_of(MaskColumn, row) for row in sorted(rows("mask_labels"), key=lambda row: int(row["position"]))
        ],
        "vectors": [fields_of(TrainedVectors, row) for row in rows("vectors")],
        "objective": None if objective is None else fields_of(PrefixObjective, objective),
        "gradient_evidence": [fields_of(GradientEvidence, row) for row in rows("gradients_through")],
    }


def _old_sample(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "row": row["row"],
        "expected": row["wanted"],
        "split": row["split"],
        "before": row.get("before"),
        "answers": {method.value: row[method.value] for method in METHODS if row.get(method.value) is not None},
    }
