"""The result of the lora experiment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from core.comparison import ErrorCheck, ImplResult
from core.contracts import archive
from core.contracts.archive import Array
from core.contracts.result import Provenance, Result
from core.contracts.text import EMPTY, Text, tr, verbatim
from core.topics.lora.matrices import Matrix
from core.topics.lora.merges import MatrixMerge, SavedAdapter
from core.topics.lora.params import LoraParams
from core.topics.lora.schedule import Phase, Reason, Schedule, explain_ranks
from core.topics.lora.triplets import TripletFrames
from core.trace.kernel_traffic import TensorTraffic, by_tensor

RUNS = ("lora", "adalora", "full")
"""The runs, in the order of their turns."""

RUN_LABELS = {"lora": verbatim("LoRA"), "adalora": verbatim("AdaLoRA"), "full": tr("Full matrices")}
MAX_FRAMES = 240
MAX_PICTURES = 64
PICTURE_SIDE = 128
PARTS = ("w", "b", "a", "ba", "delta")


@dataclass(frozen=True)
class AdaptedMatrix(Matrix):
    """One adapted linear layer. Fields that were not measured are None.

    `lora_params` and `adalora_params` are the trainable parameters of its adapters, from its shape. `importance` is the
    mean over its triplets at the last step with scores. `full_update` is the Frobenius norm of its update in the full
    run, and `energy_in_rank` the share of that update's squared singular values in the first target_r.
    """

    lora_rank: int
    final_rank: int | None = None
    importance: float | None = None
    full_update: float | None = None
    energy_in_rank: float | None = None
    lora_params: int = 0
    adalora_params: int = 0

    @property
    def title(self) -> Text:
        """Layer and kind, such as 'Layer 2 q_proj'."""
        if self.layer < 0:
            return verbatim(self.kind)
        return tr("Layer {layer} {kind}", layer=self.layer, kind=self.kind)


@dataclass(frozen=True)
class TrainingRun:
    """One training so far. `error` says why it stopped early; it is empty if it did not.

    losses           float32 [steps]: loss of each batch in nats per labelled token, without AdaLoRA's regulariser
    held_out_losses  float32 [evaluations]: loss on held-out rows at the first steps of `LoraResult.held_out_steps`
    `total_parameters` counts the model without adapters; `share` (0 to 1) is relative to it. `seconds` is the time of
    its own steps. `final_loss` is the mean of the last ten losses, `held_out_loss` the last held-out loss, and
    `exact_match` is 0 to 1.
    """

    label: Text
    trainable_parameters: int
    total_parameters: int
    share: float
    seconds: float
    steps: int
    learning_rate: float
    steps_per_s: float | None = None
    final_loss: float | None = None
    held_out_loss: float | None = None
    exact_match: float | None = None
    error: Text = EMPTY
    losses: Array | None = None
    held_out_losses: Array | None = None


@dataclass(frozen=True)
class RankChange:
    """The rank of a matrix before and after an allocation that changed it."""

    name: str
    before: int
    after: int


@dataclass(frozen=True)
class Allocation:
    """One masking by peft: the total number of triplets that the budget allows, and that were kept before and after."""

    step: int
    budget: int
    before: int
    after: int
    changed: tuple[RankChange, ...] = ()


@dataclass(frozen=True)
class RankHistory:
    """The work of peft's allocator after each completed step; measured.

    ranks          int16 [steps done, matrices]: triplets kept by peft's masks; init_r before the first allocation
    total_rank     int32 [steps done]: triplets kept in all matrices together
    budget         int32 [steps]: triplets that the cubic schedule allows in total, for every step of the run
    allocated      bool [steps done]: whether triplets were masked at the step
    orthogonality  float32 [steps done]: the regulariser without its weight, the mean over matrices of ||PᵀP - I||_F and
                   ||QQᵀ - I||_F, as peft computes it
    """

    ranks: Array
    total_rank: Array
    budget: Array
    allocated: Array
    orthogonality: Array
    frames: TripletFrames | None = None
    allocations: tuple[Allocation, ...] = ()

    @property
    def steps_done(self) -> int:
        return int(self.ranks.shape[0])

    def mean_rank(self, step: int) -> float:
        """Mean number of triplets per matrix after a step, which counts from 1."""
        return float(self.total_rank[step - 1] / max(1, self.ranks.shape[1]))


@dataclass(frozen=True)
class Factors:
    """Pictures of one matrix after training, float32 with at most 128 rows and columns; larger ones are averaged down.

    Parts: 'w', and LoRA's 'b', 'a' and 'ba', which includes `scaling` as it is added to W. 'delta' is the update of the
    fully trained matrix; it is missing without a full run. `shape` is (rows, columns) of W, and `rank` is the inner
    dimension of B and A.
    """

    pictures: Mapping[str, Array]
    shape: tuple[int, int]
    rank: int
    scaling: float

    def size(self, part: str) -> tuple[int, int]:
        """(rows, columns) of a part at its full size."""
        rows, columns = self.shape
        return {"b": (rows, self.rank), "a": (self.rank, columns)}.get(part, (rows, columns))

    def name(self, part: str) -> Text:
        """The label of a part: W, B, A, '4 BA' or 'ΔW, full'."""
        if part == "delta":
            return tr("ΔW, full")
        return verbatim(f"{self.scaling:g} BA" if part == "ba" else part.upper())


@dataclass(frozen=True)
class Check:
    """A condition that passes if `value` is at most `limit`. A failed check with a NaN or infinite value has None."""

    what: Text
    value: float | None
    limit: float
    passed: bool


@dataclass(frozen=True)
class HeldOutPair:
    """The last held-out losses of two runs, compared row by row: `run` minus `other` in nats, with standard error."""

    run: str
    other: str
    loss_difference: float | None
    stderr: float | None


@dataclass(frozen=True)
class AnsweredRow:
    """A held-out row of the table, its expected sentence, and the answers of 'before' and of each run."""

    row: str
    expected: str
    answers: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class LaunchTraffic(TensorTraffic):
    """Traced bytes of one tensor in one launch of the forward pass. `kernel` is 'fused', 'fused nf4' or 'unfused'.

    `launch` counts the launches of that variant from 0. The tensor has `elements` elements of type `dtype`.
    """

    launch: int = 0
    dtype: str = ""
    elements: int = 0


@dataclass(frozen=True)
class LoraImplResult(ImplResult):
    """One implementation of the forward pass with `tokens` rows, a square weight of width `width` and rank `rank`."""

    tokens: int = 0
    width: int = 0
    rank: int = 0


@dataclass(frozen=True, kw_only=True)
class LoraResult(Result):
    """Three runs on the same batches from the same model: 'lora' (rank target_r), 'adalora' (from init_r down to an
    average of target_r, the same total budget at the end) and 'full' (the adapted matrices are trained in full). A
    *triplet* is one row of A, one singular value E and one column of B (AdaLoRA, P Λ Q).

    matrices        in the model's order; other fields refer to a matrix by its index here
    runs            by the ids of RUNS; 'full' only with `params.compare_full`
    held_out_steps  int64 [evaluations]: the steps, counted from 1, after which held-out rows were evaluated
    history         the history of AdaLoRA
    spectra         float32 [matrices, k] by run: singular values of the trained update, descending; k is the smallest
                    side of all matrices (at most 128)
    factors         pictures of the first 64 matrices, available after training
    checks          B = 0 leaves the logits unchanged; merged equals unmerged; ranks, importance and budget match the
                    formulas at each step; parameter counts match peft's
    merges          LoRA's update of each matrix merged into weights of each stored precision
    saved           the adapters, saved and loaded again
    launches        traced launches of the forward pass on part of the first matrix
    comparison      implementations of the forward pass; times only if measured
    agreement       errors of the Triton kernels

    Metrics: 'lora.trainable', 'adalora.trainable', 'lora.share', 'steps_per_s.{run}', 'held_out.{run}',
      'merge.max_abs_error', 'start.max_abs_change', 'rank.correlation' (Spearman of final rank and importance),
      'rank.full_correlation' (of final rank and the full run's update), 'budget.final', 'budget.target',
      'budget.arrives' (the step of the last allocation), 'merge.{bf16,fp16,nf4,nf4_dequantized,nf4_original}.rounding'
      and '....logit_error', 'saved.{run}.bytes', 'saved.{run}.max_error',
      'reach.{adapted,linear,experts,embedding,other}' (shares of the parameters), 'energy_in_rank' (mean),
      'gpt3.reduction', 'gpt3.trainable', 'gpt3.parameters' (modelled), 'first_curve_s' (time from the start of the run
      to its first curves), '{fused,fused_nf4,unfused}.{read_bytes,written_bytes}' (traced)
    """

    topic: str = "lora"
    params: LoraParams
    matrices: tuple[AdaptedMatrix, ...] = ()
    runs: Mapping[str, TrainingRun] = field(default_factory=dict)
    held_out_steps: Array | None = None
    history: RankHistory | None = None
    spectra: Mapping[str, Array] = field(default_factory=dict)
    factors: tuple[Factors, ...] = ()
    checks: tuple[Check, ...] = ()
    merges: tuple[MatrixMerge, ...] = ()
    saved: tuple[SavedAdapter, ...] = ()
    held_out_pairs: tuple[HeldOutPair, ...] = ()
    samples: tuple[AnsweredRow, ...] = ()
    launches: tuple[LaunchTraffic, ...] = ()
    comparison: tuple[LoraImplResult, ...] = ()
    agreement: tuple[ErrorCheck, ...] = ()

    @property
    def steps_done(self) -> int:
        """The number of recorded AdaLoRA steps."""
        return 0 if self.history is None else self.history.steps_done

    @property
    def schedule(self) -> Schedule:
        return Schedule.of(self.params, max(1, len(self.matrices)))

    def phase(self, step: int) -> Phase:
        return self.schedule.phase(step)

    def explain_ranks(self, step: int) -> Reason:
        """Why the ranks stay as they are after `step`."""
        return explain_ranks(self.params, step)

    @property
    def measured(self) -> Provenance:
        """The provenance of measurements on this machine."""
        return Provenance.MEASURED if self.environment.device.startswith("cuda") else Provenance.MEASURED_CPU

    @property
    def traffic(self) -> tuple[TensorTraffic, ...]:
        """Bytes of the forward pass by variant and tensor, summed over launches."""
        return by_tensor(replace(row, tensor=_tensor_name(row)) for row in self.launches)

    @classmethod
    def from_tables(cls, stored: dict[str, Any]) -> dict[str, Any]:
        """Converts results stored with dotted array names and older row keys."""
        tree = super().from_tables(stored)
        arrays, tables = archive.nested(stored["arrays"]), stored["tables"]
        losses, held_out = arrays.get("loss", {}), arrays.get("held_out", {})
        tree["runs"] = {
            row["run"]: {**row, "losses": losses.get(row["run"]), "held_out_losses": held_out.get(row["run"])}
            for row in tables.get("runs", ())
        }
        tree["held_out_steps"] = held_out.get("steps")
        tree["history"] = _history(arrays, tables.get("allocations", ()))
        tree["spectra"] = arrays.get("spectrum", {})
        tree["factors"] = _factors(arrays.get("picture", {}), tables.get("matrices", ()), stored["params"])
        tree["samples"] = [
            {
                "row": row["row"],
                "expected": row["wanted"],
                "answers": {name: row.get(name, "") for name in ("before", *RUNS)},
            }
            for row in tables.get("samples", ())
        ]
        tree["launches"] = [{**row, "kernel": row["variant"]} for row in tables.get("kernels", ())]
        return tree


def _tensor_name(row: LaunchTraffic) -> str:
    """The tensor's name. An unnamed tensor is an intermediate result between two kernels, or part of W in NF4."""
    unnamed = row.tensor.endswith("_ptr")
    if row.kernel == "fused nf4" and (unnamed or row.tensor == "codes of W"):
        return "W in NF4"
    return "in between" if unnamed else row.tensor


def _history(arrays: Mapping[str, Any], allocations: Any) -> dict[str, Any] | None:
    """The fields of `RankHistory`, from arrays by name."""
    if "rank" not in arrays:
        return None
    frames = ("importance", "sensitivity", "uncertainty", "singular_value", "kept")
    return {
        "ranks": arrays["rank"],
        **{name: arrays[name] for name in ("total_rank", "budget", "allocated", "orthogonality")},
        "frames": {"steps": arrays["frames"], **{name: arrays[name] for name in frames}}
        if "importance" in arrays
        else None,
        "allocations": [
            {
                **row,
                "changed": [
                    {"name": change["name"], "before": change["from"], "after": change["to"]}
                    for change in row["changed"]
                ],
            }
            for row in allocations
        ],
    }


def _factors(pictures: Mapping[str, Any], matrices: Any, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The fields of `Factors`, from pictures by matrix index."""
    return [
        {
            "pictures": pictures[str(index)],
            "shape": (row["rows"], row["columns"]),
            "rank": row["lora_rank"],
            "scaling": params["alpha"] / row["lora_rank"],
        }
        for index, row in enumerate(matrices)
        if "ba" in pictures.get(str(index), {})
    ]
