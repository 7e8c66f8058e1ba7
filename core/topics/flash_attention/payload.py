"""The names under which the flash-attention experiment returns what the page draws.

Arrays (numpy):
  schedule                int32 [steps, 4]: launch order of the flash kernel for the inspected head (batch 0, head 0),
                          one row a K tile loaded: (step, q_block, iteration, kv_block). Traced.
  softmax.max             float32 [query_len, iterations]: running row maximum m after each KV tile, in the natural
                          domain (scaled scores); NaN where a tile was not visited, -inf before a row has seen a key.
                          Traced from the kernel's own m.
  softmax.sum             float32 [query_len, iterations]: running sum l of exp(score - m).
  softmax.acc             float32 [query_len, iterations, head_dim]: accumulator, unnormalised; absent when it would
                          pass 32 MiB (then softmax.acc_norm [query_len, iterations] alone is there, L2 norm; and
                          neither when the tracer could not hold the accumulators).
  address.{kernel}.read   uint32 [height, width]: reads per pixel of the address map, row 0 the lowest address,
  address.{kernel}.write  uint32 [height, width]: writes per pixel; {kernel} is 'standard' or 'flash'.
  address.{kernel}.program_edges  float64 [programs + 1]: x (in accesses) at which each program of the map begins; the
                          last is the end. For 'standard' the programs of the three kernels follow each other.
  timeline.sm, timeline.q_block, timeline.head, timeline.batch  int32 [programs], in launch order (x fastest);
  timeline.start_us, timeline.end_us  float64 [programs], from the first start: only on a GPU. Measured.

Tables (rows of JSON values):
  traffic      kernel, function, tensor, read_bytes, written_bytes, unique_bytes          (traced)
  lines        kernel, function, file, line, op ('load'|'store'), tensor, accesses, bytes, masked_share   (traced)
  bands        kernel, tensor, first_byte, last_byte: where each tensor lies on the address axis of its map
  address_axes kernel, accesses, bytes: full extent of x (accesses) and y (bytes)
  comparison   impl, label, runs_on ('cuda'|'cpu'|'emulated'|'unavailable'), reason, time_ms, time_ms_samples,
               tflops, peak_memory_bytes, max_abs_error, rms_error, allowed_rms_error, passed
  sources      kernel, function, file, first_line, text, ttir
  sweep        seq_len, key_len, standard_bytes, flash_bytes: one head of one sequence, at N/4, N/2 and N (traced);
               absent for sequences under 64 tokens a quarter
  paper        kernel, quantity ('FLOP'|'HBM'|'time'), unit, published, modelled, deviation_percent, assumptions,
               headline (false for an alternative reading)                                (modelled)
  paper_terms  kernel, quantity, phase, what, count, of, amount: how each figure adds up   (modelled)

Metrics are named 'standard.read_bytes', 'flash.written_bytes', 'flash.S_bytes', 'flash.max_abs_error',
'standard.flops', 'flash.hbm_bytes_modelled', ... each with its unit and provenance.

A Partial of this experiment carries the same names: `core.contracts.result_builder.from_partial` makes a Result of it.
"""

from __future__ import annotations

KERNELS = ("standard", "flash")
TENSORS = ("Q", "K", "V", "S", "P", "O", "LSE")
