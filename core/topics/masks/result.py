"""What a run of the masks experiment returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.comparison import ImplResult
from core.contracts.archive import Array
from core.contracts.result import Result
from core.topics.masks.params import MasksParams
from core.trace.kernel_traffic import TensorTraffic

IMPLEMENTATIONS = ("torch-naive", "sdpa-bool-mask", "flex", "block-sparse")
"""The `impl` of the rows of `comparison`, in their order."""
_OLD_METRICS = {"blind_rows": "fully_masked_rows", "blind.": "fully_masked."}


@dataclass(frozen=True)
class MaskImplResult(ImplResult):
    """One implementation over the whole batch. Errors cover the rows that see a key.

    `nan_rows` counts rows with a NaN among the `fully_masked_rows`, over all heads. `mask_bytes` is the size of the
    mask in the form that this implementation takes.
    """

    nan_rows: int | None = None
    fully_masked_rows: int = 0
    mask_bytes: int | None = None


@dataclass(frozen=True)
class TileCounts:
    """Tiles of one sequence by class. `visited_by_kernel` is traced; None if the block-sparse kernel did not run."""

    sequence: int
    full: int
    partial: int
    empty: int
    visited: int
    visited_by_kernel: int | None


@dataclass(frozen=True)
class SweepStep:
    """Tiles that the flash kernel visits under causal, n x n of 16 x 16 (traced), against (n + 1) / 2n."""

    tiles: int
    seq_len: int
    visited: int
    total: int
    share: float
    predicted_share: float


@dataclass(frozen=True)
class Transposed:
    """A mask against its transpose, cell by cell (counted)."""

    mask: str
    expression: str
    cells: int
    differing: int
    symmetric: bool


@dataclass(frozen=True, kw_only=True)
class MasksResult(Result):
    """Arrays refer to the sequence shown (`params.sequence`) and head 0.

    schedule           int32 [steps, 4] of (step, q_block, iteration, kv_block): the block-sparse kernel's own order,
                       one row per loaded K tile. Traced; None if that kernel did not run.
    probabilities      float32 [query_len, key_len]: softmax under the mask, computed in float64; fully masked rows are
                       zeros. None above 2**20 cells.
    fully_masked_rows  int32 [n]: the queries that see no key.
    traffic            of the flash kernel without the mask ('dense') and of the 'block-sparse' one with it.
    sweep              empty without Triton.
    symmetry           the mask of this run if it is square ('this mask'), each square preset by its id, and three
                       without a direction.

    Metrics:
      cells, cells.visible, sparsity, tiles, tiles.{full,partial,empty}, flops.{dense,visible,tiles},
      flops.saved, flops.saved_share, bytes.dense, bytes.tiles, bytes.saved, mask.dense_bytes, mask.tile_list_bytes,
      fully_masked_rows, symmetry.all, symmetry.padding, symmetry.padding_both     (modelled: from the mask)
      dense.hbm_bytes, sparse.hbm_bytes                                            (traced)
      {naive,sdpa,flex,sparse}.{max_abs_error,rms_error,allowed_rms_error,nan_rows,time_ms}, masked.largest_weight,
      masked.cells, future.{change,change_unmasked,gradient}, padding.{change,change_unmasked,alignment_error},
      positions.{tokens,document}.changed_pairs (modelled), .rotary_change, where a way of counting differs,
      fully_masked.rows, fully_masked.{naive,sdpa,flex,sparse}_{nan,zero}_rows     (measured where it ran)
    """

    topic: str = "masks"
    params: MasksParams
    schedule: Array | None = None
    probabilities: Array | None = None
    fully_masked_rows: Array | None = None
    tiles: tuple[TileCounts, ...] = ()
    traffic: tuple[TensorTraffic, ...] = ()
    comparison: tuple[MaskImplResult, ...] = ()
    sweep: tuple[SweepStep, ...] = ()
    symmetry: tuple[Transposed, ...] = ()

    @classmethod
    def from_tables(cls, stored: dict[str, Any]) -> dict[str, Any]:
        """Fully masked rows used to be called blind rows."""
        tree = super().from_tables(stored)
        tree["metrics"] = {_renamed(name): metric for name, metric in tree["metrics"].items()}
        if "blind_rows" in stored["arrays"]:
            tree["fully_masked_rows"] = stored["arrays"]["blind_rows"]
        for row in tree.get("comparison", ()):
            if "blind_rows" in row:
                row["fully_masked_rows"] = row.pop("blind_rows")
        return tree


def _renamed(name: str) -> str:
    old: Mapping[str, str] = _OLD_METRICS
    return next((name.replace(before, after) for before, after in old.items() if name.startswith(before)), name)
