"""The names under which the decoder experiment returns what the page draws.

Node ids are those of `model.flow` (plan(params).flow.nodes); 'source' positions are those of plan.inputs.source.labels
(pads included), 'target' positions those of plan.inputs.target.labels.

Arrays (numpy):
  stage.{node}        float32 [length, columns]: the tensor of that node as the block computed it; columns is its width,
                      or 128 where that is larger, each then the mean of neighbouring elements. Measured (CPU: the
                      attentions traced).
  change.{node}       float32 [length]: largest absolute change at each position when the token named by
                      plan.perturbation is replaced; exactly 0 where nothing changed (compared as floats, no tolerance).
                      Absent without a perturbation.
  attention.self      float32 [heads, target_len, target_len]: the probabilities of the decoder's self-attention,
                      exp(score - LSE) with the LSE that the flash kernel wrote. 0 where masked.
  attention.cross     float32 [heads, target_len, source_len]: of the cross-attention; encoder-decoder only.
  attention.encoder.{layer}  float32 [heads, source_len, source_len].
  influence.target    float32 [target_len, target_len]: row j: largest absolute change of the output at each position
                      when target token j is replaced. Exactly 0 left of the diagonal under a causal mask.
  influence.source    float32 [source_len, target_len]: the same for source token j; encoder-decoder only.
  gradient.whole      float32 [target_len, source_len]: row i: norm over the width of d(g_i . output_i) / d(memory_j),
                      g_i a fixed random direction of length 1; encoder-decoder only.
  gradient.k          float32, the same, with memory detached from V of the cross-attention: the path through K alone.
  gradient.v          float32, the same, with memory detached from K: the path through V alone.
  loss                float32 [steps]: nats per token of the training, when weights = 'reversal'.

Tables (rows of JSON values):
  checks       what, against, max_abs_error, limit, passed: the block and the encoder against torch.nn and float64
  traffic      attention ('self', 'cross', 'encoder.{layer}'), tensor, read_bytes, written_bytes, unique_bytes  (traced)
  paths        path ('k', 'v', 'k + v', 'whole', 'neither'), norm: of d(g . output) / d(memory), all positions at once
  predictions  position, given (label), wanted (label), predicted (label), probability: what the logits say
  sources      kernel, function, file, first_line, text, ttir

Metrics:
  block.parameters, encoder.parameters, {self,cross,feed_forward}.parameters, flops            (modelled)
  block.error_torch, encoder.error_torch    largest difference from torch.nn's layer with the same weights, fp32
  output.error_float64, torch.error_float64   largest error of the block, and of torch's layer, against float64
  self.read_bytes, self.written_bytes, cross.*, encoder.*                                       (traced)
  self.row_sum_error, cross.row_sum_error   largest deviation of a row of probabilities from 1
  future.cells, future.changed   target pairs (j replaced, i < j looked at), and how many of them changed at all
  past.cells, past.changed       target pairs (j replaced, i >= j)
  source.cells, source.changed   (source token, target position) pairs, and how many changed: pads left out
  source.decoder_self_changed    positions of the decoder's self-attention that changed with any source token
  pads.changed                   output positions that changed when a pad was replaced
  perturbation.positions         positions of the output that changed by the chosen perturbation
  gradient.whole, gradient.k, gradient.v, gradient.neither, gradient.sum_error (relative, k + v against whole)
  memory_swap.q_change, memory_swap.k_change, memory_swap.v_change   largest change of the cross-attention's Q, K, V
                                 when the memory alone is replaced; Q's is exactly 0
  stream_swap.q_change, stream_swap.k_change, stream_swap.v_change   the same when the target alone is replaced
  accuracy.held_out              share of tokens right on sequences never seen in training (weights = 'reversal')
  cross.weight_on_wanted         mean probability (best head) that cross-attention puts on the token to be written
  training.seconds, training.steps

A Partial of this experiment carries the same names: `core.partial.from_partial` makes a Result of it.
"""

from __future__ import annotations

MAX_COLUMNS = 128
"""Columns of a stage's picture."""
