"""The names under which the fine-tuning experiment returns what the page draws.

Method ids: 'full', 'prefix-tuning', 'prompt-tuning', 'p-tuning-v2', 'lora', 'qlora', 'adalora'.
A *place* is a part of the model where parameters or vectors are: ids 'embedding', 'prompt' (vectors before the embedded
input), 'layer.{i}.prefix' (keys and values put before those of the layer), 'layer.{i}.attention_norm',
'layer.{i}.q_proj', 'layer.{i}.k_proj', 'layer.{i}.v_proj', 'layer.{i}.o_proj', 'layer.{i}.mlp_norm',
'layer.{i}.gate_proj', 'layer.{i}.up_proj', 'layer.{i}.down_proj', 'final_norm', 'head' (no parameters where it is the
embedding again), 'prefix_encoder' (what the MLP of prefix-tuning reads, and its first layer; the rows of its last layer
belong to the prefix that they write). Adapters belong to the place of the matrix that they adapt. Models that are not
Llama-like have the same kinds as far as they have them; besides, 'layer.{i}.qkv_proj' (all three in one matrix),
'layer.{i}.other' and 'other'.

Arrays (numpy):
  loss.{method}        float32 [steps done]: nats per learned token of each batch; AdaLoRA's without its regulariser
  held_out.{method}    float32 [evaluations]; held_out.steps int64 [evaluations], step 0 (before training) first; of a
                       method that is behind, or stopped, the first ones
  gradient.{method}    float32 [frames, places]: norm of the gradient of the trainable parameters at a place (L2, after
                       backward, before clipping and the optimizer); NaN where nothing is trainable, or a method is not
                       yet that far; places in the order of the table
  gradient.frames      int64 [frames]: steps, from 1
  frozen_gradient.{method}  float32 [places]: largest |gradient| that reached a *frozen* parameter over the whole run: 0
                       and only 0 if the method freezes it (None gradients count as 0); NaN where nothing is frozen
  mask.{method}        uint8 [queries, prefix + keys]: 1 visible, of one held-out example as the model used it. A
                       key-value prefix is no query; the vectors of prompt tuning are, the first rows
  attention_to_prefix.{method}  float32 [layers, heads, queries]: attention probability on prefix/prompt columns
Tables (a number that does not exist, or is not known yet, is None):
  methods      method, label, trainable_parameters, total_parameters (the method's own among them), share (of
               total_parameters), extra_parameters (new ones), where (text), steps, steps_per_s, learning_rate (its
               peak), final_loss (mean of the last ten steps), held_out_loss (of the last evaluation after a step),
               exact_match_unseen, exact_match_untold, weights_bytes, gradients_bytes, optimizer_bytes,
               activations_bytes, memory_how, runs_on (what did the 4-bit work), frozen_parameters, frozen_unchanged
               (whether they are, to the bit, what they were), error ('' or why it stopped)
  places       index, place, layer (-1 none), kind, parameters, and a column per method: trainable parameters there
  samples      row, wanted, split ('unseen person'|'untold fact'), before, {method}...: held-out rows, and what is said
               before and after
  vectors      method, place, shape, count: the trainable vectors that a prompt method adds; a layer's of P-tuning v2
               are [2 (keys, values), virtual tokens, heads, head dimension]
  objective    method, loss (the model's own, of the held-out example), by_hand (-log p(y | prefix, x) from the logits,
               mean over y), target_tokens (of y), input_tokens (of x), prefix_tokens, without_prefix (the loss with the
               prefix taken off), base_model (the loss of the model before any training)
  gradients_through   method, what ('adapters'|'adapters of the first layer'|'frozen 4-bit weights'|'input of a 4-bit
               layer'), tensors, with_gradient (those whose gradient is not zero), norm, max_abs_difference (of the
               input's gradient from dy W, W restored; else None): QLoRA's evidence
  mask_labels  method, position, label, is_prefix: the columns of the mask
  messages     severity, text
Metrics: '{method}.trainable', '{method}.share', '{method}.held_out', '{method}.exact_match' (unseen people),
  '{method}.steps_per_s', '{method}.memory' (all four parts), 'base.parameters', 'base.held_out', 'base.exact_match'
  (before training).
A Partial carries the same names as far as known (core.contracts.result_builder), at most about two a second.
"""
