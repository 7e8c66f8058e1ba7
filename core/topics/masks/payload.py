"""The names under which the masks experiment returns what the page draws.

Arrays (numpy), of the sequence shown (params.sequence) and head 0:
  schedule          int32 [steps, 4]: the block-sparse kernel's own order, one row a K tile loaded:
                    (step, q_block, iteration, kv_block). Traced; absent where the kernel cannot take the mask.
  probabilities     float32 [query_len, key_len]: softmax under the mask in float64; rows that see nothing are zeros.
                    Absent over 1,024 x 1,024.
  blind_rows        int32 [n]: the queries that see nothing, over the first sequence shown.

Tables (rows of JSON values):
  comparison   impl, label, runs_on ('cuda'|'cpu'|'emulated'|'unavailable'), reason, time_ms, time_ms_samples,
               tflops, peak_memory_bytes, max_abs_error, rms_error, allowed_rms_error, passed, nan_rows, blind_rows,
               mask_bytes: one row an implementation, over the whole batch. Errors are taken over the rows that see
               something; nan_rows counts rows with a NaN among the blind_rows that see nothing
  traffic      kernel ('dense'|'block-sparse'), tensor, read_bytes, written_bytes: the same kernel without and with the
               mask (traced)
  tiles        sequence, full, partial, empty, visited, visited_by_kernel (traced; null where it did not run)
  sweep        tiles, seq_len, visited, total, share, predicted_share: causal, n x n tiles; visited is traced,
               predicted_share is (n + 1) / 2n
  symmetry     mask, cells, differing, symmetric: each preset's square mask against its transpose (counted)
  sources      kernel, function, file, first_line, text, ttir: as on every page

Metrics: 'cells', 'cells.visible', 'sparsity', 'tiles', 'tiles.full', 'tiles.partial', 'tiles.empty', 'flops.dense',
'flops.visible', 'flops.tiles', 'flops.saved', 'bytes.dense', 'bytes.tiles', 'bytes.saved', 'mask.dense_bytes',
'mask.tile_list_bytes' (modelled); 'dense.hbm_bytes', 'sparse.hbm_bytes', 'sparse.tile_flops' (traced);
'sparse.max_abs_error', 'sparse.rms_error', 'masked.largest_weight', 'masked.cells', 'future.leak', 'padding.leak', ...
measured on the device that ran.

A Partial of this experiment carries the same names: `core.partial.from_partial` makes a Result of it.
"""

from __future__ import annotations

IMPLEMENTATIONS = ("torch-naive", "sdpa-bool-mask", "flex", "block-sparse")
"""The `impl` of the comparison's rows, in their order."""
