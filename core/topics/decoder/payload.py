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
  traffic      attention ('self', 'cross', 'encoder.{layer}'), kernel, function, tensor, read_bytes, written_bytes,
               unique_bytes                                                                          (traced)
  lines        attention, kernel, function, file, line, op, tensor, accesses, bytes, masked_share     (traced)
  paths        path ('k', 'v', 'k + v', 'whole', 'neither'), norm: of d(g . output) / d(memory), all positions at once
  predictions  position, given (label), wanted (label), predicted (label), probability, right: what the logits say
  sources      kernel, function, file, first_line, text, ttir

Metrics:
  parameters, flops, embedding.elements, {encoder,decoder}.parameters,
  {encoder,decoder}.{self,cross,feed_forward,output}.{parameters,flops}                              (modelled)
  block.error_torch, encoder.error_torch    largest difference from torch.nn's layers with the same weights
  output.error_float64, torch.error_float64   largest error of the block, and of torch's layer, against float64
  torch_cross.{query,key,value}_error   what torch's cross-attention is given against our stream and memory
  torch_cross.query_embedding_error     that query against the embedded target
  {attention}.read_bytes, .written_bytes, .query_len, .key_len, .visible_keys                        (traced)
  {attention}.row_sum_error             largest deviation of a row of probabilities from 1
  {future,past,source,pads}.{cells,changed}   (token replaced, output position looked at) pairs, and those that moved
  source.decoder_self_changed           positions of the masked self-attention that any source token moved
  perturbation.positions, .forbidden_cells, .forbidden_moved   of the chosen change; by the masks none may be moved
  {memory,stream}_swap.{q,k,v}_change   largest change of the cross-attention's Q, K, V when one alone is replaced
  gradient.{whole,k,v,k+v,neither}, gradient.sum_error, gradient.torch_error                         (float64)
  shorter.query_len, shorter.error_torch      the same with the last target token left out
  block.attentions, decoder_only.{attentions,parameters,error_torch}   the decoder-only block beside this one
  accuracy.typed                        share of the typed target that the model would write
  accuracy.held_out, training.{steps,seconds,loss}, cross.weight_on_wanted   with weights = 'reversal'

A Partial of this experiment carries the same names: `core.contracts.result_builder.from_partial` makes a Result of it.
"""

from __future__ import annotations

MAX_COLUMNS = 128
"""Columns of a stage's picture."""
