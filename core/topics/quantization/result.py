"""What a run of the quantization experiment returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from core.checkpoint.errors import MAP_COLUMNS
from core.checkpoint.names import NO_LAYER
from core.checkpoint.nested_scales import NestedScales
from core.checkpoint.quantized.storage import StorageRow
from core.checkpoint.report import LayerTotals, SkippedTensor, TensorErrors, Totals, layer_rows, role_rows, total_rows
from core.checkpoint.shape_errors import ExpertErrors, ShapeErrors
from core.checkpoint.tensor_table import FormatReport, MapRow, TensorTable
from core.checkpoint.versions import VersionErrors, VersionTotals
from core.comparison import ImplResult, RunsOn
from core.contracts import archive
from core.contracts.archive import Array
from core.contracts.result import Result
from core.contracts.text import EMPTY, Text
from core.topics.quantization.codebooks import Codebook, Histogram
from core.topics.quantization.labels import DRAWN_TENSOR
from core.topics.quantization.params import QuantizationParams
from core.topics.quantization.sweep import Point
from core.trace.kernel_traffic import TensorTraffic
from kernels.quantization.formats import FormatId

PAPER_BLOCK, PAPER_NESTED = 64, 256
"""QLoRA's weights per scale, and scales per float32."""

REFERENCE = ""
"""The format of the rows of `outputs` with unquantized weights."""


@dataclass(frozen=True)
class OutlierErrors:
    """The errors of one format if one weight in a thousand has a magnitude of `outlier_scale` standard deviations.

    `others_relative_rmse` is the error of the other weights over their own power: the cost of the outliers.
    `relative_rmse` is of all weights; it may fall, since the power of the outliers counts.
    """

    format: str
    outlier_scale: float
    relative_rmse: float | None
    snr_db: float | None
    others_relative_rmse: float


@dataclass(frozen=True)
class DistributionErrors:
    """The errors of one format at one block size on one of DISTRIBUTIONS."""

    distribution: str
    format: str
    block_size: int
    relative_rmse: float | None
    snr_db: float | None


@dataclass(frozen=True)
class ScaleLevel:
    """One part of the stored data, `count` numbers in `bytes`: 'codes', or one of the levels of scales.

    `scheme` is 'plain' (scales in float32) or 'nested' (double quantization).
    """

    what: str
    scheme: str
    count: int
    bytes: int
    bits_per_parameter: float


@dataclass(frozen=True)
class StepTraffic(TensorTraffic):
    """The traffic of one tensor in launch `launch` of a step (the `kernel`: 'quantize', 'dequantize' or 'matmul')."""

    format: str = ""
    launch: int = 0
    dtype: str = ""
    elements: int = 0


@dataclass(frozen=True)
class Product:
    """Element types of one tl.dot in the TTIR of a step's kernel, such as 'bf16'."""

    step: str
    function: str
    left: str
    right: str
    accumulator: str


@dataclass(frozen=True)
class Agreement:
    """The Triton kernels compared with `other`: 'numpy' (this page's own code) or 'bitsandbytes'.

    Codes differ if their levels do, since FP4 has two codes for zero. The difference is that of restored weights. If
    nothing is compared, `reason` says why, and the counts are None.
    """

    format: str
    block_size: int
    other: str
    elements: int
    runs_on: RunsOn
    differing_codes: int | None = None
    differing_scales: int | None = None
    max_abs_difference: float | None = None
    reason: Text = EMPTY


@dataclass(frozen=True)
class WeightImplResult(ImplResult):
    """One implementation of an `operation` ('error', 'dequantize', 'gemv' or 'matmul') on `elements` weights.

    `bytes` is the least number of bytes that it reads and writes, `bytes_per_s` that number over the time.
    """

    operation: str = ""
    elements: int = 0
    bytes: float = 0.0
    bytes_per_s: float | None = None

    @property
    def name(self) -> str:
        return f"{self.operation}.{self.impl}"


@dataclass(frozen=True)
class OutputLoss:
    """The loss of one model with its linear layers in one format, in nats per token; None for NaN and inf.

    `format` is '' for unquantized weights. `bits_per_parameter` is of the quantized layers; unquantized it is 32, since
    the model computes in float32. Standard errors are over windows of text, that of the increase over pairs of windows.
    `vocabulary` is the number of tokens in the model's vocabulary: a perplexity above it is worse than guessing.
    """

    model: str
    format: str
    loss: float | None
    loss_stderr: float | None
    perplexity: float | None
    loss_increase: float | None
    increase_stderr: float | None
    tokens: int
    quantized_layers: int
    bits_per_parameter: float
    vocabulary: int = 0
    quantized_experts: int = 0


@dataclass(frozen=True)
class LossDifference:
    """The loss in `format` minus that in `other`, of one model on the same windows. Below two stderr it is noise."""

    model: str
    format: str
    other: str
    loss_difference: float | None
    stderr: float | None


@dataclass(frozen=True, kw_only=True)
class QuantizationResult(Result):
    """Mappings are by id of a format ('nf4', 'fp4-e2m1', ...). A Partial has what is known so far. The report of a
    checkpoint sends one about every second, with the tensors measured so far.

    tensors        every tensor of the checkpoint, or the drawn one (DRAWN_TENSOR), in every format: measured (CPU),
                   sizes modelled. `layers`, `totals`, `roles` and `skipped` go with it. `totals` are over the weight
                   matrices, `roles` per role (norms, biases, routers, embeddings), which are not added up together.
                   `storage` is the formats that the bytes of the checkpoint are stored in.
    versions       every tensor against the quantized file, and in the types of GGUF that were asked for; drawn weights
                   in the latter. Measured (CPU), bits modelled. `version_totals` adds up the weight matrices.
    shapes         every tensor of a checkpoint in the format chosen for the run, by its shape: blocks over two rows,
                   errors by row and column; `experts` those of each expert of a tensor. Measured (CPU) on a part.
    error_maps     float32 [rows, 64]: relative RMSE of the blocks in each column, in the order of the tensor; NaN for
                   no blocks and for zeros. One row per tensor. For a drawn tensor each cell is a block, 64 per row.
    histogram, codebooks
                   of a sample: the first 65,536 weights of at most 64 matrices, picked evenly, or the first million
                   weights of a drawn tensor. Measured (CPU).
    scales         the first 4096 scales of one tensor. Measured (CPU).
    scale_levels   the bits per parameter of codes and of each level of scales, for those scales; codes first. A short
                   group of scales counts as a whole one, the mean of the scales once. Modelled.
    sweep          block sizes from 16 to 4096, as far as the sample fills them. Measured (CPU).
    outliers       the chosen distribution with one weight in a thousand an outlier, at the chosen block size; also if
                   there is a checkpoint. Measured (CPU).
    distributions  a control that depends on no parameter but the seed. Measured (CPU).
    traffic, products
                   of the Triton kernels on a small matrix of the weights, in the chosen format. The product is in NF4
                   if the chosen format has no fused kernel. Traced.
    agreement      every format against numpy; with `timing` also NF4 and FP4 E2M1 against bitsandbytes.
    comparison     only with `timing`. There are times only for what ran on the device and passed its check.
    outputs, output_pairs
                   of the small model, and of the user's folder; pairs are every two formats of a model. Measured (CPU).

    Metrics (those of formats only for the formats measured):
      '{format}.snr_db', '{format}.block_snr_db' (the median over the blocks), '{format}.relative_rmse',
      '{format}.lost' (weights that come back as NaN or inf), '{format}.{role}.snr_db' of what is no weight matrix,
      '{format}.max_abs_error', '{format}.bits_per_parameter',
      '{format}.bytes'; 'weights.elements', 'weights.bytes', 'weights.nonfinite', 'weights.kurtosis';
      'file.snr_db', 'file.relative_rmse', 'file.bits_per_weight', also as 'file.{format}.…', and 'gguf.{type}.…' of the
      types of GGUF; 'file.tensors', 'file.apart' (tensors that could not be compared);
      'shapes.straddling_blocks' (of two rows), 'shapes.straddling_expert_blocks', 'shapes.straddling_tensors' and their
      'shapes.straddling_snr_db', 'shapes.aligned_snr_db', 'shapes.aligned_extra_bits', '….…_worst_row_rmse';
      'shapes.rows_snr_db' and
      'shapes.columns_snr_db' (blocks along rows and columns); 'shapes.outlier_power'; 'experts.count',
      'experts.median_snr_db', 'experts.worst_snr_db';
      'scales.plain_bits', 'scales.nested_bits', 'scales.saved_bits', 'scales.relative_rmse' (of the scales themselves);
      'agreement.{format}.differing_codes' (against numpy, of every format that could be compared);
      'stored.plain_bits' and 'stored.nested_bits' (bits per parameter by the bytes of stored tensors, NF4 at QLoRA's
      block sizes); of a checkpoint 'report.tensors', 'report.resumed_tensors', 'report.read_bytes',
      'report.bytes_per_s'; 'matmul.weights', 'matmul.code_bytes' and 'matmul.scale_bytes' (distinct bytes read),
      'matmul.read_bytes', 'matmul.weight_bytes_bf16', 'matmul.computes_bf16' (1 when every tl.dot of the kernel takes
      bf16 tiles); 'outputs.{format}.loss', 'outputs.reference.loss', 'folder.{format}.perplexity' and
      'folder.reference.perplexity'; '{operation}.{impl}.time_ms' and '{operation}.{impl}.bytes_per_s' of the rows of
      `comparison` that have a time.
    """

    topic: str = "quantization"
    params: QuantizationParams
    tensors: TensorTable = field(default_factory=TensorTable)
    layers: tuple[LayerTotals, ...] = ()
    totals: tuple[Totals, ...] = ()
    roles: tuple[Totals, ...] = ()
    skipped: tuple[SkippedTensor, ...] = ()
    storage: tuple[StorageRow, ...] = ()
    versions: tuple[VersionErrors, ...] = ()
    version_totals: tuple[VersionTotals, ...] = ()
    shapes: tuple[ShapeErrors, ...] = ()
    experts: tuple[ExpertErrors, ...] = ()
    error_maps: Mapping[str, Array] = field(default_factory=dict)
    histogram: Histogram | None = None
    codebooks: Mapping[str, Codebook] = field(default_factory=dict)
    scales: NestedScales | None = None
    scale_levels: tuple[ScaleLevel, ...] = ()
    sweep: tuple[Point, ...] = ()
    outliers: tuple[OutlierErrors, ...] = ()
    distributions: tuple[DistributionErrors, ...] = ()
    traffic: tuple[StepTraffic, ...] = ()
    products: tuple[Product, ...] = ()
    agreement: tuple[Agreement, ...] = ()
    comparison: tuple[WeightImplResult, ...] = ()
    outputs: tuple[OutputLoss, ...] = ()
    output_pairs: tuple[LossDifference, ...] = ()

    @property
    def has_whole_report(self) -> bool:
        """Whether the report is complete: the results after it are there."""
        return bool(self.distributions)

    def totals_in(self, format_id: str) -> Totals | None:
        """The totals of a format; None if no tensor was measured in it (yet)."""
        return next((row for row in self.totals if row.format == format_id), None)

    def report(self, format_id: str) -> FormatReport | None:
        """The report in one format, made once; None if the format was not measured."""
        if format_id not in self.error_maps:
            return None
        if format_id not in self._reports:
            rows = {row.tensor: row for row in self.tensors.rows_in(format_id)}
            self._reports[format_id] = FormatReport(
                format=format_id,
                percent=100 * self.error_maps[format_id].astype(np.float64),
                map_rows=self.map_rows,
                row_of=rows,
                worst_first=tuple(row.tensor for row in self.tensors.by_error(format_id)),
                blocks=None if self.params.checkpoint.strip() else self.params.blocks,
            )
        return self._reports[format_id]

    @cached_property
    def map_rows(self) -> tuple[MapRow, ...]:
        """The rows of the error maps: tensors, or stretches of the drawn tensor."""
        formats = self.tensors.formats[:1]
        rows = [MapRow(row.tensor, row.layer, row.kind) for name in formats for row in self.tensors.rows_in(name)]
        if [row.tensor for row in rows] != [DRAWN_TENSOR]:
            return tuple(rows)
        blocks = self.params.blocks
        stretches = ((begin, min(begin + MAP_COLUMNS, blocks) - 1) for begin in range(0, blocks, MAP_COLUMNS))
        return tuple(MapRow(DRAWN_TENSOR, NO_LAYER, DRAWN_TENSOR, stretch) for stretch in stretches)

    @cached_property
    def _reports(self) -> dict[str, FormatReport]:
        return {}

    @classmethod
    def from_tables(cls, stored: dict[str, Any]) -> dict[str, Any]:
        """Older results stored 'error_map.{format}', 'codes.{format}' and 'error.{format}', and a row per tensor and
        format."""
        tree, arrays, tables = super().from_tables(stored), archive.nested(stored["arrays"]), stored["tables"]
        rows = [TensorErrors(**row) for row in tables.get("tensors", ())]
        tree |= {"tensors": TensorTable.of(rows), "layers": layer_rows(rows), "totals": total_rows(rows)}
        tree["roles"] = role_rows(rows)
        tree["error_maps"] = arrays.get("error_map", {})
        tree["histogram"] = arrays.get("weights")
        tree["codebooks"] = {
            name: Codebook.of_counts(FormatId(name), won, arrays["error"][name])
            for name, won in arrays.get("codes", {}).items()
        }
        if "scales" in arrays:
            params = tree["params"]
            tensor = "" if params["checkpoint"].strip() else params["distribution"]
            sizes = {name: params[name] for name in ("block_size", "nested_block")}
            tree["scales"] = {"tensor": tensor, **sizes, **arrays["scales"]}
        tree["traffic"] = [{**row, "kernel": row["step"]} for row in tables.get("kernels", ())]
        return tree
