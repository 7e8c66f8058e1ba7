"""The names under which the quantization experiment returns what the page draws.

{format} is an id of `kernels.quantization.formats.FormatId` ('nf4', 'fp4-e2m1', ...). A row of weights is a tensor: of
the checkpoint, or 'weights' where they were drawn from a distribution.

Arrays (numpy):
  error_map.{format}        float32 [rows, 64]: relative RMSE (error over weights, root mean square) of the blocks that
                            fall into each column, in the order of the tensor; NaN where there is none or it is zero.
                            Rows are those of the table 'map_rows'.
  weights.edges             float64 [bins + 1]: -1 to 1
  weights.counts            int64 [bins]: weights over their block's absmax
  weights.affine_counts     int64 [bins]: the place of weights between their block's minimum (-1) and maximum (1)
  codes.{format}            int64 [levels]: weights that each level of the format wins
  error.edges               float64 [bins + 1]: errors over the block's absmax, -0.3 to 0.3
  error.{format}            int64 [bins]: counts of those errors; what lies beyond is in the outermost bins
  scales.absmax             float32 [scales]: the first scales of one tensor, as float32 (at most 4096)
  scales.codes              uint8 [scales]: what double quantization stores of them
  scales.restored           float32 [scales]: what it gives back
The histograms and 'codes' are of a sample: the first 65,536 weights of at most 64 tensors, spread evenly.

Tables (rows of JSON values; a number that does not exist is None):
  tensors      tensor, layer (-1 for none), kind, shape, dtype, elements, bytes, nonfinite, std, absmax, kurtosis (3 for
               a normal distribution), max_over_sigma, format, snr_db, relative_rmse, max_abs_error, bits_per_parameter,
               quantized_bytes, signal_power, error_power: a row a tensor and format                   (measured on CPU)
  layers       layer, format, tensors, elements, bytes, quantized_bytes, bits_per_parameter, snr_db, relative_rmse,
               max_abs_error, nonfinite, worst_tensor
  totals       the same without layer
  worst        rows of 'tensors' in the chosen format, the lowest SNR first, 20 at most
  skipped      tensor, dtype, shape, bytes, why
  map_rows     row, tensor, layer, kind: rows of the error maps
  sweep        format, block_size, nested (bool), bits_per_parameter, relative_rmse, snr_db, pareto (bool: nothing
               smaller is as exact): block sizes 16 to 4096, on the sample                             (measured on CPU)
  outliers     format, outlier_scale, relative_rmse, snr_db: the chosen distribution (normal beside a checkpoint) with
               one weight in a thousand an outlier, at the chosen block size                           (measured on CPU)
  distributions distribution, format, block_size, relative_rmse, snr_db: normal, Student-t, Laplace, uniform; a control
               that does not depend on the parameters but for the seed                                 (measured on CPU)
  scale_levels what, count, bytes, bits_per_parameter: how a weight's bits come together, scales in float32 and nested
  kernels      kernel, launch, tensor, dtype, read_bytes, written_bytes, unique_bytes, elements: what the Triton
               kernels touch; `step` is 'quantize', 'dequantize' or 'matmul'                           (traced)
  agreement    format, elements, differing_codes, max_abs_difference: Triton kernels against this page's own numbers
  outputs      model ('small model' or the folder's name), format ('' for the weights as they are), loss, perplexity,
               loss_increase, tokens, quantized_layers, bits_per_parameter                             (measured on CPU)
  memory       model (preset's name), format, bits_per_parameter, bytes, of_bf16 (share): linear layers quantized, the
               rest in 16 bits                                                                         (modelled)
  messages     severity ('notice'|'warning'), text: what a person should know, such as tensors that were not read again

Metrics (those of formats only for the formats measured):
  '{format}.snr_db', '{format}.relative_rmse', '{format}.max_abs_error', '{format}.bits_per_parameter',
  '{format}.bytes'; 'weights.elements', 'weights.bytes', 'weights.nonfinite', 'weights.kurtosis'; 'scales.plain_bits',
  'scales.nested_bits', 'scales.saved_bits', 'scales.relative_rmse' (of the scales themselves); 'report.tensors',
  'report.resumed_tensors', 'report.read_bytes', 'report.bytes_per_s'; 'matmul.code_bytes', 'matmul.scale_bytes',
  'matmul.weight_bytes_bf16'; 'outputs.{format}.loss', 'outputs.reference.loss', and 'folder.{format}.perplexity'.

A Partial of this experiment carries the same names as far as they are known: `core.partial.from_partial` makes a
Result of it. A report of a checkpoint sends one about every second, with the tensors so far.
"""

from __future__ import annotations

MAP_PREFIX = "error_map."
CODES_PREFIX = "codes."
ERROR_PREFIX = "error."
SYNTHETIC = "weights"
"""The name of the tensor that is drawn from a distribution."""

REFERENCE = ""
"""The format of the rows of 'outputs' whose weights are as they were."""
