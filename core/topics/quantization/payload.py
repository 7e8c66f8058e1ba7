"""The names under which the quantization experiment returns what the page draws.

{format} is an id of `kernels.quantization.formats.FormatId` ('nf4', 'fp4-e2m1', ...). A row of weights is a tensor: of
the checkpoint, or 'weights' where they were drawn from a distribution.

Arrays (numpy):
  error_map.{format}        float32 [rows, 64]: relative RMSE (error over weights, root mean square) of the blocks that
                            fall into each column, in the order of the tensor; NaN where there is none or it is zero.
                            Rows are those of the table 'map_rows'. Of a drawn tensor a cell is one block, 64 to a row.
  weights.edges             float64 [bins + 1]: -1 to 1
  weights.counts            int64 [bins]: weights over their block's absmax
  weights.affine_counts     int64 [bins]: the place of weights between their block's minimum (-1) and maximum (1)
  codes.{format}            int64 [levels]: weights that each level of the format wins
  error.edges               float64 [bins + 1]: errors over the block's absmax, -0.3 to 0.3
  error.{format}            int64 [bins]: counts of those errors; what lies beyond is in the outermost bins
  scales.absmax             float32 [scales]: the first scales of one tensor, as float32 (at most 4096)
  scales.codes              uint8 [scales]: what double quantization stores of them
  scales.restored           float32 [scales]: what it gives back
The histograms and 'codes' are of a sample: the first 65,536 weights of at most 64 matrices, spread evenly; of a drawn
tensor the first million.

Tables (rows of JSON values; a number that does not exist is None):
  tensors      tensor, layer (-1 for none), kind, shape, dtype, elements, bytes, nonfinite, std, absmax, kurtosis (3 for
               a normal distribution), max_over_sigma, format, snr_db, relative_rmse, max_abs_error, bits_per_parameter,
               quantized_bytes, signal_power, error_power: a row a tensor and format                   (measured on CPU)
  layers       layer, format, tensors, elements, bytes, quantized_bytes, bits_per_parameter, snr_db, relative_rmse,
               max_abs_error, nonfinite, worst_tensor
  totals       the same without layer
  worst        rows of 'tensors' in the chosen format, the lowest SNR first, 20 at most
  skipped      tensor, dtype, shape, bytes, why
  map_rows     row, tensor, layer, kind: rows of the error maps; of a drawn tensor `kind` says 'blocks 64 to 127'
  sweep        format, block_size, nested (bool), bits_per_parameter, relative_rmse, snr_db, pareto (bool: nothing
               smaller is as exact): block sizes 16 to 4096 that the sample fills                      (measured on CPU)
  outliers     format, outlier_scale, relative_rmse, snr_db, others_relative_rmse (of the weights that are no outliers,
               over their own power: what outliers cost; relative_rmse may fall, as their power counts): the chosen
               distribution with one weight in a thousand an outlier, at the chosen block size; beside a checkpoint too
                                                                                                       (measured on CPU)
  distributions distribution, format, block_size, relative_rmse, snr_db: normal, Student-t, Laplace, uniform; a control
               that does not depend on the parameters but for the seed                                 (measured on CPU)
  scale_levels what, scheme ('plain'|'nested'), count, bytes, bits_per_parameter: how a weight's bits come together with
               scales in float32 (plain) and with double quantization (nested), of the tensor behind 'scales.*'; in the
               order in which they stack up, codes first. A group of scales that is begun counts whole, and the
               float32 mean of the scales once, as in the bits_per_parameter of a tensor               (modelled)
  kernels      step ('quantize'|'dequantize'|'matmul'), format, function, launch (index within the step), tensor, dtype,
               elements, read_bytes, written_bytes, unique_bytes: what the Triton kernels touch on a small matrix of the
               weights, in the chosen format; the product in NF4 where that has no fused kernel        (traced)
  lines, sources  as in `core.trace.kernel_tables`, `kernel` being the step: for the Source tab        (traced)
  products     step, function, left, right, accumulator: element types of each tl.dot in the TTIR      (traced)
  agreement    format, block_size, other, elements, differing_codes, differing_scales, max_abs_difference (of restored
               weights), runs_on ('cuda'|'emulated'), reason ('' or why nothing is compared, and then the counts are
               None): the Triton kernels against `other`, 'numpy' (this page's own numbers) or, with `timing`,
               'bitsandbytes' (NF4 and FP4 E2M1). Codes differ where their levels do: FP4 has two for zero
  comparison   operation ('error'|'dequantize'|'gemv'|'matmul'), impl, label, runs_on ('cuda'|'cpu'|'unavailable'),
               reason, elements, bytes (asked of memory), time_ms, time_ms_samples, bytes_per_s, peak_memory_bytes,
               max_abs_error, rms_error, allowed_rms_error, passed: with `timing` alone; times only of what the device
               itself ran and that passed its check, and none of emulated kernels    (measured, or measured on CPU)
  outputs      model ('small model' or the folder's name), format ('' for the weights as they are), loss, loss_stderr,
               perplexity, loss_increase, increase_stderr, tokens, vocabulary (tokens the model knows: a perplexity
               above that is worse than guessing), quantized_layers, bits_per_parameter (32 for the weights as they
               are: computed in float32). A stderr is over windows of text, that of the increase over
               pairs of them; a number that does not exist is None                                     (measured on CPU)
  output_pairs model, format, other, loss_difference (format less other), stderr: every two rows of 'outputs' of one
               model on the same windows. Under two stderr the order is noise                          (measured on CPU)
  memory       model (preset's name), format, bits_per_parameter, bytes, of_bf16 (share): linear layers quantized, the
               rest in 16 bits                                                                         (modelled)
  messages     severity ('notice'|'warning'), text: what a person should know, such as tensors that were not read again

Metrics (those of formats only for the formats measured):
  '{format}.snr_db', '{format}.relative_rmse', '{format}.max_abs_error', '{format}.bits_per_parameter',
  '{format}.bytes'; 'weights.elements', 'weights.bytes', 'weights.nonfinite', 'weights.kurtosis'; 'scales.plain_bits',
  'scales.nested_bits', 'scales.saved_bits', 'scales.relative_rmse' (of the scales themselves);
  'agreement.{format}.differing_codes' (against numpy, of every format that could be compared);
  'stored.plain_bits' and 'stored.nested_bits' (bits a parameter by the bytes of stored tensors, NF4 at QLoRA's
  block sizes); of a checkpoint 'report.tensors', 'report.resumed_tensors', 'report.read_bytes', 'report.bytes_per_s';
  'matmul.weights',
  'matmul.code_bytes' and 'matmul.scale_bytes' (distinct bytes read), 'matmul.read_bytes', 'matmul.weight_bytes_bf16',
  'matmul.computes_bf16' (1 when every tl.dot of the kernel takes bf16 tiles); 'outputs.{format}.loss',
  'outputs.reference.loss', 'folder.{format}.perplexity' and 'folder.reference.perplexity'; '{operation}.{impl}.time_ms'
  and '{operation}.{impl}.bytes_per_s' of the rows of 'comparison' that have a time.

A Partial of this experiment carries the same names as far as they are known. A report of a checkpoint sends one about
every second (fewer of many tensors), with the tensors so far.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.comparison import ImplResult

MAP_PREFIX = "error_map."
CODES_PREFIX = "codes."
ERROR_PREFIX = "error."
SYNTHETIC = "weights"
"""The name of the tensor that is drawn from a distribution."""

PAPER_BLOCK, PAPER_NESTED = 64, 256
"""QLoRA's weights to a scale, and scales to a float32."""

SMALL_MODEL = "small model"
"""The model of 'outputs' that the app trained itself."""

REFERENCE = ""
"""The format of the rows of 'outputs' whose weights are as they were."""


@dataclass(frozen=True)
class WeightImplResult(ImplResult):
    """One implementation of an `operation` ('error', 'dequantize', 'gemv' or 'matmul') on `elements` weights.

    `bytes` is what it must at least read and write, `bytes_per_s` those over the time.
    """

    operation: str = ""
    elements: int = 0
    bytes: float = 0.0
    bytes_per_s: float | None = None

    @property
    def name(self) -> str:
        return f"{self.operation}.{self.impl}"
