"""The names under which the fine-tuning experiment returns what the page draws.

Method ids: 'full', 'prefix-tuning', 'prompt-tuning', 'p-tuning-v2', 'lora', 'qlora', 'adalora'.
A *place* is a part of the model where parameters or vectors are: ids 'embedding', 'prompt' (vectors before the embedded input),
'layer.{i}.prefix' (keys and values put before those of the layer), 'layer.{i}.attention_norm', 'layer.{i}.q_proj', 'layer.{i}.k_proj',
'layer.{i}.v_proj', 'layer.{i}.o_proj', 'layer.{i}.mlp_norm', 'layer.{i}.gate_proj', 'layer.{i}.up_proj', 'layer.{i}.down_proj',
'final_norm', 'head', 'prefix_encoder' (the MLP that reparametrises prefix-tuning); adapters belong to the place of the matrix that they adapt.
Layers of models that are not Llama-like map onto the same kinds as far as they have them.

Arrays (numpy):
  loss.{method}        float32 [steps done]: nats per learned token of each batch
  held_out.{method}    float32 [evaluations]; held_out.steps int64 [evaluations]
  gradient.{method}    float32 [frames, places]: norm of the gradient of the trainable parameters at a place (L2, after
                       backward, before the optimizer); NaN where nothing is trainable; places in the order of the table
  gradient.frames      int64 [frames]: steps
  frozen_gradient.{method}  float32 [places]: largest |gradient| that reached a *frozen* parameter over the whole run: 0 and
                       only 0 if the method freezes it (None gradients count as 0); NaN where nothing is frozen
  mask.{method}        uint8 [queries, prefix + keys]: 1 visible, of one held-out example as the model used it
  attention_to_prefix.{method}  float32 [layers, heads, queries]: attention probability on prefix/prompt columns
Tables:
  methods      method, label, trainable_parameters, total_parameters, share, extra_parameters (new ones), where (text), steps, steps_per_s,
               learning_rate, final_loss, held_out_loss, exact_match_unseen, exact_match_untold, weights_bytes,
               gradients_bytes, optimizer_bytes, activations_bytes, memory_how, runs_on (what did the 4-bit work), error ('' or
               why it stopped)
  places       index, place, layer (-1 none), kind, parameters, and a column per method: trainable parameters there
  samples      row, wanted, split ('unseen person'|'untold fact'), before, {method}...: held-out rows, what is said before and after
  vectors      method, place, shape, count: the trainable vectors that a prompt method adds
  gradients_through   method, what ('adapters'|'frozen 4-bit weights'), tensors, with_gradient, norm: QLoRA's evidence
  mask_labels  method, position, label, is_prefix
  messages     severity, text
Metrics: '{method}.trainable', '{method}.share', '{method}.held_out', '{method}.exact_match', '{method}.steps_per_s',
  '{method}.memory', 'base.parameters', ...
A Partial carries the same names as far as known (core.partial), at most about two a second.
"""
