"""The result of a run of the flash-attention experiment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.comparison import ImplResult
from core.contracts.archive import Array
from core.contracts.result import Result
from core.topics.flash_attention.paper import PaperFigure, Term
from core.topics.flash_attention.params import FlashAttentionParams
from core.topics.flash_attention.plan import KERNELS, TENSORS
from core.topics.flash_attention.softmax import RowSoftmax
from core.trace.file import EncodedTrace
from core.trace.kernel_traffic import TensorTraffic, by_tensor

_OLD_STATES = {"max": "maximum", "sum": "total", "acc": "accumulator", "acc_norm": "accumulator_norm"}


@dataclass(frozen=True, eq=False)
class SoftmaxStates:
    """The online softmax of all rows of batch 0, head 0, from the kernel's own loop-carried values. Traced.

    maximum, total    float32 [query_len, iterations]: running row maximum m after each KV tile, in the natural domain
                      (scaled scores), and running sum l of exp(score - m); NaN for a tile that was not visited; m is
                      -inf before a row has seen a key. None if the tracer could not hold them.
    accumulator       float32 [query_len, iterations, head_dim], unnormalised; None if larger than 32 MiB, or if
                      the tracer could not hold it
    accumulator_norm  float32 [query_len, iterations]: L2 norm, if the accumulator is larger than 32 MiB
    """

    maximum: Array | None = None
    total: Array | None = None
    accumulator: Array | None = None
    accumulator_norm: Array | None = None

    def row(self, row: int) -> RowSoftmax | None:
        """The states of one query row; None if the run did not keep them."""
        if self.maximum is None or self.total is None or row >= len(self.maximum):
            return None
        return RowSoftmax(
            row,
            self.maximum[row],
            self.total[row],
            None if self.accumulator is None else self.accumulator[row],
            None if self.accumulator_norm is None else self.accumulator_norm[row],
        )


@dataclass(frozen=True, eq=False)
class GpuTimeline:
    """Which SM ran which program of the flash kernel when. Measured; one entry per program, in launch order.

    `sm`, `q_block`, `head`, `batch` int32 [programs]; `start_us`, `end_us` float64 [programs], from the first start.
    """

    sm: Array
    start_us: Array
    end_us: Array
    q_block: Array | None = None
    head: Array | None = None
    batch: Array | None = None

    @property
    def programs(self) -> int:
        return int(self.sm.size)

    @property
    def duration_us(self) -> float:
        return float(self.end_us.max() - self.start_us.min())

    @property
    def busy_share(self) -> float:
        """The share of time in which an SM ran at least one program, over the SMs that ran any."""
        busy = sum(_covered(self.start_us[self.sm == sm], self.end_us[self.sm == sm]) for sm in np.unique(self.sm))
        return busy / (self.duration_us * np.unique(self.sm).size) if self.duration_us else 0.0


@dataclass(frozen=True)
class SweepStep:
    """Bytes that both kernels move for one head of one sequence. Traced."""

    seq_len: int
    key_len: int
    standard_bytes: int
    flash_bytes: int


@dataclass(frozen=True, kw_only=True)
class FlashAttentionResult(Result):
    """Kernels are 'standard' (three launches) and 'flash' (one); tensors are those of `plan.TENSORS`.

    schedule     int32 [steps, 4] of (step, q_block, iteration, kv_block): launch order of the flash kernel for batch 0,
                 head 0, one row per loaded K tile. Traced.
    traces       by kernel, every access: the launches without their sources, which are in `sources`. Empty in a run
                 stored by an older version.
    timeline     None unless a GPU with a global timer ran the kernel
    traffic      traced, as are `lines`
    sweep        at N/4, N/2 and N; empty if N/4 is below 64 tokens
    paper        Figure 2 of the paper, then alternative readings; `paper_terms` are the parts of each figure. Modelled.

    Metrics:
      {standard,flash}.{flops,hbm_bytes_modelled,training_hbm_bytes_modelled,roofline_ms}, gain.limit,
      gpu.{hbm,sram}_bandwidth,
      paper.{standard,flash}.{flops,hbm_bytes,roofline_ms,product_flops}                               (modelled)
      {standard,flash}.{read_bytes,written_bytes,hbm_bytes,TENSOR_bytes,tile_flops,training_hbm_bytes},
      traffic.{ratio,training_ratio}, gain.{quarter,half,full}_length                                 (traced)
      {standard,flash}.{max_abs_error,rms_error,allowed_rms_error}, IMPL.time_ms              (measured where it ran)
      scores.{cells,raw_std,scaled_std,raw_peak,scaled_peak,overflows,overflows_shifted,shift_error}  (measured, CPU)
    """

    topic: str = "flash-attention"
    params: FlashAttentionParams
    schedule: Array | None = None
    softmax: SoftmaxStates = SoftmaxStates()
    traces: Mapping[str, EncodedTrace] = field(default_factory=dict)
    timeline: GpuTimeline | None = None
    traffic: tuple[TensorTraffic, ...] = ()
    comparison: tuple[ImplResult, ...] = ()
    sweep: tuple[SweepStep, ...] = ()
    paper: tuple[PaperFigure, ...] = ()
    paper_terms: tuple[Term, ...] = ()

    @classmethod
    def from_tables(cls, stored: dict[str, Any]) -> dict[str, Any]:
        """Older versions had shorter names for the softmax, and address maps (no zoom) instead of traces."""
        tree = super().from_tables(stored)
        if "softmax" in tree:
            tree["softmax"] = {_OLD_STATES[name]: array for name, array in tree["softmax"].items()}
        return tree

    @property
    def traffic_by_tensor(self) -> tuple[TensorTraffic, ...]:
        """One entry per kernel and tensor, in the order of the plan's."""
        order = {name: place for place, name in enumerate((*KERNELS, *TENSORS))}
        last = len(order)
        return tuple(
            sorted(
                by_tensor(self.traffic),
                key=lambda row: (order.get(row.kernel, last), order.get(row.tensor, last)),
            )
        )

    @property
    def swept_bytes(self) -> tuple[Array, Array, Array]:
        """Lengths, and at each the bytes of standard and of flash attention for all heads: float64 [steps]."""
        rows = [(step.seq_len, step.standard_bytes, step.flash_bytes) for step in self.sweep]
        lengths, standard, flash = np.array(rows, dtype=np.float64).reshape(-1, 3).T
        heads = self.params.batch * self.params.heads
        return lengths, heads * standard, heads * flash

    def load_line(self, tensor: str) -> tuple[str, int] | None:
        """(function, line) that loads, or else stores, most of a tensor; of the flash kernel if that has one."""
        lines = [line for line in self.lines if line.tensor == tensor]
        lines = [line for line in lines if line.kernel == "flash"] or lines
        if not lines:
            return None
        most = max(lines, key=lambda line: (line.op == "load", line.bytes))
        return most.function, most.line

    def tensor_of_line(self, function: str, line: int) -> str | None:
        """The tensor that a source line loads or stores."""
        return next((row.tensor for row in self.lines if (row.function, row.line) == (function, line)), None)


def _covered(start: np.ndarray, end: np.ndarray) -> float:
    """The length of the union of intervals."""
    order = np.argsort(start)
    start, latest = start[order], np.maximum.accumulate(end[order])
    gaps = np.maximum(0.0, start[1:] - latest[:-1]).sum()
    return float(latest[-1] - start[0] - gaps)
