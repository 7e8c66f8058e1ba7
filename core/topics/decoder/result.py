"""What a run of the decoder experiment returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

from core.comparison import ErrorCheck
from core.contracts.archive import Array
from core.contracts.params import Params
from core.contracts.result import Result
from core.contracts.text import Text, tr, tr_in
from core.topics.decoder.inputs import Perturbation
from core.topics.decoder.params import DecoderParams
from core.topics.decoder.plan import Plan
from core.trace.kernel_traffic import TensorTraffic

BLOCK, ENCODER, OUTPUT = tr_in("decoder", "block"), tr("encoder"), tr("output")
TORCH, FLOAT64 = Text("torch.nn"), Text("float64")
"""What a check compares, and the references besides the layers of torch.nn."""
MAX_COLUMNS = 128
"""Columns of a tensor's picture."""
_CHANGED_TOKEN = {"perturb", "position"}
"""The parameters that select the replaced token. A run's tensors do not depend on them."""
_OF_ALL_TOKENS = ("influence.", "gradient.", "past.", "future.", "source.", "pads.")
"""Metrics over every token in turn; they do not depend on the token that the run replaces."""


@dataclass(frozen=True)
class Attention:
    """One attention of the recorded pass.

    probabilities  float32 [heads, query_len, key_len]: exp(score - LSE) with the kernel's LSE, 0 where masked.
    traffic        bytes that its kernel moved, per tensor. Traced.
    """

    probabilities: Array
    traffic: tuple[TensorTraffic, ...] = ()


@dataclass(frozen=True)
class Influence:
    """Every token replaced in turn: row j holds the largest absolute change of the output at each position.

    target  float32 [target_len, target_len]; exactly 0 left of the diagonal under a causal mask. None without a
            decoder.
    source  float32 [source_len, target_len], or [source_len, source_len] of the memory in an encoder alone; None
            without an encoder.
    """

    target: Array | None = None
    source: Array | None = None

    def of(self, change: Perturbation | None) -> Array | None:
        """The row of one change, float32 [length]; None if the tables do not have it."""
        rows = None if change is None else (self.target if change.stack == "target" else self.source)
        return None if change is None or rows is None else rows[change.position]


@dataclass(frozen=True)
class MemoryGradient:
    """How the output depends on the memory, by path. Measured in float64; encoder-decoder only.

    whole  float32 [target_len, source_len]: row i: norm over the width of d(g_i . output_i) / d(memory_j), g_i a fixed
           random direction of length 1.
    k, v   the same along the path through K, or V, of the cross-attention alone.
    norms  of d(g . output) / d(memory) with all positions at once, by path: 'whole', 'k', 'v', 'k + v', 'neither'.
    """

    whole: Array | None = None
    k: Array | None = None
    v: Array | None = None
    norms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Prediction:
    """The prediction at one position of the target: labels of the input token, the next token and the prediction."""

    position: int
    given: str
    expected: str
    predicted: str
    probability: float
    is_right: bool


class Outcome(StrEnum):
    """What comes out of an attention that sees no key: NaN, zeros, the mean of all values, or something else.

    Of a layer, ZEROS says that it goes on as if its attention had given zeros.
    """

    NAN = "nan"
    ZEROS = "zeros"
    MEAN = "mean"
    OTHER = "other"


@dataclass(frozen=True)
class EmptyMemory:
    """What one implementation makes of a memory of padding alone; `nan_rows` of `rows` have a NaN."""

    impl: str
    label: Text
    outcome: str
    nan_rows: int
    rows: int


@dataclass(frozen=True, kw_only=True)
class DecoderResult(Result):
    """The result of a run. Node ids are those of plan(params).flow.nodes; source and target positions are those of
    plan.inputs.source.labels (padding included) and plan.inputs.target.labels.

    tensors        by node id, float32 [length, columns], as the block computed it. A tensor wider than MAX_COLUMNS has
                   MAX_COLUMNS columns, each the mean of neighbouring elements. Measured (CPU: the attentions traced).
    changes        by node id, float32 [length]: largest absolute change at each position when the token named by
                   plan.perturbation is replaced; exactly 0 where nothing changed (compared as floats, no tolerance).
                   Empty without a perturbation.
    attentions     'self', 'cross' and 'encoder.{layer}', as far as this model type has them.
    influence      the effect of every token on the output.
    gradient       the gradient into the memory.
    training_loss  float32 [steps]: nats per token, when weights = 'reversal'.
    checks         'encoder', 'block', 'output' and 'torch.nn' against torch.nn's layers or float64.
    predictions    the most probable next token at each target position.
    empty_memory   with a memory of padding alone: what each implementation makes of it.

    Metrics:
      parameters, flops, embedding.elements, {encoder,decoder}.parameters,
      {encoder,decoder}.{self,cross,feed_forward,output}.{parameters,flops}                              (modelled)
      block.error_torch, encoder.error_torch    largest difference from torch.nn's layers with the same weights
      output.error_float64, torch.error_float64   largest error of the block, and of torch's layer, against float64
      torch_cross.{query,key,value}_error   inputs of torch's cross-attention against our stream and memory
      torch_cross.query_embedding_error     that query against the embedded target
      {attention}.read_bytes, .written_bytes, .query_len, .key_len, .visible_keys                        (traced)
      {attention}.row_sum_error             largest deviation of a row of probabilities from 1
      {future,past,source,pads}.{cells,changed}   (replaced token, output position) pairs; those that changed
      source.decoder_self_changed           positions of the masked self-attention that any source token changed
      perturbation.positions, .forbidden_cells, .forbidden_moved   of the chosen change; the masks forbid any change
      {memory,stream}_swap.{q,k,v}_change   largest change of the cross-attention's Q, K, V when one alone is replaced
      gradient.{whole,k,v,k+v,neither}, gradient.sum_error, gradient.torch_error                         (float64)
      gradient.{kernel,float32}_error       the full gradient in float32, by our kernels and by PyTorch, against float64
      shorter.query_len, shorter.error_torch      the same with the last target token left out
      block.attentions, decoder_only.{attentions,parameters,error_torch}   the decoder-only block beside this one
      empty_memory.{impl}.nan_rows          rows with NaN, with a memory of padding alone
      accuracy.typed                        share of the typed target that the model predicts correctly
      accuracy.held_out, training.{steps,seconds,loss}, cross.weight_on_wanted   with weights = 'reversal'
    """

    topic: str = "decoder"
    params: DecoderParams
    tensors: Mapping[str, Array] = field(default_factory=dict)
    changes: Mapping[str, Array] = field(default_factory=dict)
    attentions: Mapping[str, Attention] = field(default_factory=dict)
    influence: Influence = Influence()
    gradient: MemoryGradient = MemoryGradient()
    training_loss: Array | None = None
    checks: tuple[ErrorCheck, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    empty_memory: tuple[EmptyMemory, ...] = ()

    def is_run_of(self, params: Params) -> bool:
        """Whether the tensors are those of `params`. They do not depend on the replaced token."""
        return type(params) is DecoderParams and (
            params.model_dump(exclude=_CHANGED_TOKEN) == self.params.model_dump(exclude=_CHANGED_TOKEN)
        )

    def changes_of(self, params: DecoderParams) -> Mapping[str, Array]:
        """`changes` if this run replaced the token of `params`, else empty."""
        return self.changes if params == self.params else {}

    def output_change(self, plan: Plan) -> Array | None:
        """The change of the output, float32 [length], from this run's own change or from the table of all tokens."""
        change = self.changes_of(plan.params).get(plan.end.id)
        return self.influence.of(plan.perturbation) if change is None else change

    def with_all_tokens_of(self, earlier: DecoderResult | None) -> Self:
        """A partial run with the per-token tables of an earlier run on the same texts and weights."""
        if earlier is None or not earlier.is_run_of(self.params):
            return self
        kept = {name: metric for name, metric in earlier.metrics.items() if name.startswith(_OF_ALL_TOKENS)}
        return replace(self, influence=earlier.influence, gradient=earlier.gradient, metrics={**kept, **self.metrics})

    @classmethod
    def from_tables(cls, stored: dict[str, Any]) -> dict[str, Any]:
        """Older files hold tensors and attentions as named arrays, 'stage.{node}' and 'attention.{name}'."""
        arrays, tables = stored["arrays"], stored["tables"]

        def named(prefix: str) -> dict[str, Any]:
            return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}

        tree = super().from_tables({**stored, "arrays": {}})
        traffic: dict[str, list[dict[str, Any]]] = {}
        for row in tables.get("traffic", ()):
            traffic.setdefault(row["attention"], []).append(row)
        tree["attentions"] = {
            name: {"probabilities": probabilities, "traffic": traffic.get(name, [])}
            for name, probabilities in named("attention.").items()
        }
        tree["predictions"] = [
            {**row, "expected": row["wanted"], "is_right": row["right"]} for row in tables.get("predictions", ())
        ]
        norms = {row["path"]: row["norm"] for row in tables.get("paths", ())}
        return tree | {
            "tensors": named("stage."),
            "changes": named("change."),
            "influence": named("influence."),
            "gradient": {**named("gradient."), "norms": norms},
            "training_loss": arrays.get("loss"),
        }
