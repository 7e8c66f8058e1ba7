"""The names under which the lora experiment returns what the page draws.

A *matrix* is one adapted linear layer, in the order of the table 'matrices'; a *triplet* is one row of A, one singular
value E and one column of B (AdaLoRA, P Λ Q). A *frame* is a step at which triplets were recorded: `frames` [frames]
int64, ascending, steps counted from 1, the last step always among them (at most 240 frames).
Three runs on the same batches from the same model: 'lora' (rank r = target_r), 'adalora' (init_r down to target_r on
average, the same total budget at the end), and 'full' (every adapted matrix trained whole: its update is what the
spectrum shows).

Arrays (numpy):
  loss.{run}           float32 [steps done]: nats per learned token of each batch; AdaLoRA's without its regulariser
  held_out.{run}       float32 [evaluations]: loss on held-out rows at `held_out.steps` int64 [evaluations]
  rank                 int16 [steps done, matrices]: triplets of AdaLoRA whose singular value is kept after the step,
                       from peft's own allocator (its masks), whole (init_r) before the first allocation
  budget               int32 [steps]: triplets in all that the schedule allows after the step (cubic)
  total_rank           int32 [steps done]: triplets in all that were kept after the step
  orthogonality        float32 [steps done]: AdaLoRA's regulariser, mean over matrices of ||PᵀP - I||_F and
                       ||QQᵀ - I||_F, as peft computes it (before its weight)
  allocated            bool [steps done]: whether peft's allocator masked triplets at the step
  frames               int64 [frames]
  importance           float32 [frames, matrices, init_r]: score of each triplet, NaN where peft has none (after tfinal,
                       and without update_and_allocate)
  sensitivity          float32 [frames, matrices, init_r]: smoothed sensitivity of the singular value E
  uncertainty          float32 [frames, matrices, init_r]: smoothed uncertainty of E
  singular_value       float32 [frames, matrices, init_r]: E itself
  kept                 bool [frames, matrices, init_r]
  picture.{index}.{part}  float32 [at most 128, at most 128] (mean of neighbours where larger): part is 'w', 'a', 'b',
                       'ba' (scaled, as it is added to W) of LoRA's matrix {index} after training, 'delta' of the full
                       run's update; of the first 64 matrices
  spectrum.lora, spectrum.adalora, spectrum.full   float32 [matrices, k]: singular values of the update, descending,
                       k = the smallest side of all matrices (at most 128)

Tables (rows of JSON values; a number that does not exist is None):
  matrices     index, name, layer (-1 for none), kind ('q_proj', ...), rows, columns, lora_rank, final_rank, importance
               (mean over its triplets at the last frame that has scores), full_update (Frobenius norm of the full run's
               update), energy_in_rank (share of the full update's squared singular values in its first target_r),
               lora_params, adalora_params
  runs         run, label, trainable_parameters, total_parameters (of the model without adapters), share, seconds,
               steps, steps_per_s, learning_rate, final_loss (mean of the last ten steps), held_out_loss, exact_match,
               error ('' or why it stopped, e.g. NaN at step 41)   (measured (CPU) or measured)
  checks       what, value, limit, passed: B = 0 leaves the logits as they are; merged equals unmerged; ranks,
               importance and budget equal to the formulas of model/ at each step; parameter counts equal to peft's
  allocations  step, budget, before, after, changed (list of {name, from, to}: matrices whose rank changed)
  held_out_pairs  run, other, loss_difference, stderr: held-out rows, compared pair by pair
  samples      row, wanted, before, lora, adalora, full: held-out rows and what is said ('' for a run that there
               was not)
  kernels      variant ('fused', 'fused nf4', 'unfused'), function, launch, tensor, dtype, elements, read_bytes,
               written_bytes, unique_bytes   (traced)
  comparison   implementations of the forward pass, as the flash-attention topic's table (times only where measured)
  agreement    what, against, max_abs_error, limit, passed: Triton kernels against float64
  lines, sources   as in `core.trace.kernel_tables`, `kernel` being the variant: for the Source tab   (traced)
  messages     severity ('notice'|'warning'), text

Metrics: 'lora.trainable', 'adalora.trainable', 'lora.share', 'steps_per_s.{run}', 'held_out.{run}',
  'merge.max_abs_error', 'start.max_abs_change', 'rank.correlation' (Spearman of final rank and importance),
  'rank.full_correlation' (of final rank and the full run's update), 'budget.final', 'budget.target',
  'energy_in_rank' (mean), 'gpt3.reduction', 'gpt3.trainable', 'gpt3.parameters' (modelled), 'first_curve_s' (from the
  start of the run to its first curves), '{fused,fused_nf4,unfused}.{read_bytes,written_bytes}' (traced)
A Partial carries the same names as far as they are known (core.contracts.result_builder). At most about two a second.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.comparison import ImplResult

RUNS = ("lora", "adalora", "full")
"""The runs, in the order in which they take turns."""

RUN_LABELS = {"lora": "LoRA", "adalora": "AdaLoRA", "full": "Whole matrices"}
MOST_FRAMES = 240
MOST_PICTURES = 64
PICTURE_SIDE = 128


@dataclass(frozen=True)
class LoraImplResult(ImplResult):
    """One implementation of the forward pass: of `tokens` rows, a square weight `width` wide, and factors of `rank`."""

    tokens: int = 0
    width: int = 0
    rank: int = 0
