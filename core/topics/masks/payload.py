"""The names under which the masks experiment returns what the page draws.

Arrays (numpy), of the sequence shown (params.sequence) and head 0:
  schedule          int32 [steps, 4]: the block-sparse kernel's own order, one row a K tile loaded:
                    (step, q_block, iteration, kv_block). Traced; absent where that kernel did not run.
  probabilities     float32 [query_len, key_len]: softmax under the mask, computed in float64; rows that see nothing are
                    zeros. Absent over 2**20 cells.
  fully_masked_rows        int32 [n]: the queries that see nothing.

Tables (rows of JSON values):
  comparison   impl, label, runs_on ('cuda'|'cpu'|'emulated'|'unavailable'), reason, time_ms, time_ms_samples,
               tflops (of what the mask shows), peak_memory_bytes, max_abs_error, rms_error, allowed_rms_error, passed,
               nan_rows, fully_masked_rows, mask_bytes: one row an implementation, over the whole batch. Errors are over
               the rows that see something; nan_rows counts rows with a NaN among the fully_masked_rows that see nothing
  tiles        sequence, full, partial, empty, visited, visited_by_kernel (traced; null where it did not run)
  traffic      kernel ('dense'|'block-sparse'), function, tensor, read_bytes, written_bytes, unique_bytes: the flash
               kernel without the mask and the block-sparse one with it (traced)
  lines        kernel, function, file, line, op ('load'|'store'), tensor, accesses, bytes, masked_share   (traced)
  sources      kernel, function, file, first_line, text, ttir
  sweep        tiles, seq_len, visited, total, share, predicted_share: causal, n x n tiles of 16 x 16; visited traced,
               predicted_share is (n + 1) / 2n; absent without Triton
  symmetry     mask, expression, cells, differing, symmetric: the mask of this run if it is square ('this mask'), each
               square preset's by its id, and three without a direction; each against its transpose (counted)

Metrics:
  cells, cells.visible, sparsity, tiles, tiles.{full,partial,empty}, flops.{dense,visible,tiles},
  flops.saved, flops.saved_share, bytes.dense, bytes.tiles, bytes.saved, mask.dense_bytes, mask.tile_list_bytes,
  fully_masked_rows, symmetry.all, symmetry.padding, symmetry.padding_both     (modelled: from the mask)
  dense.hbm_bytes, sparse.hbm_bytes                                                        (traced)
  {naive,sdpa,flex,sparse}.{max_abs_error,rms_error,allowed_rms_error,nan_rows,time_ms}, masked.largest_weight,
  masked.cells, future.{change,change_unmasked,gradient}, padding.{change,change_unmasked,alignment_error},
  blind.rows, blind.{naive,sdpa,flex,sparse}_{nan,zero}_rows                               (measured where it ran)

A Partial of this experiment carries the same names: `core.contracts.result_builder.from_partial` makes a Result of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.comparison import ImplResult

IMPLEMENTATIONS = ("torch-naive", "sdpa-bool-mask", "flex", "block-sparse")
"""The `impl` of the comparison's rows, in their order."""


@dataclass(frozen=True)
class MaskImplResult(ImplResult):
    """Errors are over the rows that see something, and `passed` is None where there are none.

    `nan_rows` counts, over all heads and sequences, the rows with a NaN among the `fully_masked_rows`; None where it
    did not run. `mask_bytes`: what it holds of the mask.
    """

    nan_rows: int | None = None
    fully_masked_rows: int = 0
    mask_bytes: int | None = None
