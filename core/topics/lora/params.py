"""The parameters of the lora page."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from core.contracts.errors import InvalidParams
from core.contracts.params import Params, choice, number, switch, text
from core.contracts.text import listed, quoted, tr, verbatim
from core.language_model.dtypes import dtype_param
from core.language_model.target_modules import ALL, target_parameters_param
from core.model_presets import GPT_3, PRESETS, Architecture

MAX_STEPS = 100_000
GPT_3_ID = "gpt-3"
ARCHITECTURES: dict[str, Architecture] = {GPT_3_ID: GPT_3, **PRESETS}


class LoraParams(Params):
    """The small model or the model in the folder `model`, trained with LoRA of rank target_r and with AdaLoRA, which
    goes from init_r down to target_r."""

    model: str = text(
        "",
        label=tr("Model folder"),
        help=tr(
            "A Hugging Face folder with a causal language model. Its weights are read; none of its code runs. Empty: "
            "the small model that comes with the program."
        ),
        group=tr("Model"),
    )
    target_modules: str = text(
        ALL,
        label=tr("Target modules"),
        help=tr("The linear layers to adapt: {all}, or names separated by commas, such as q_proj, v_proj.", all=ALL),
        group=tr("Model"),
        max_length=400,
    )
    target_parameters: str = target_parameters_param(tr("Model"))
    dtype: str = dtype_param()
    seed: int = number(
        0,
        minimum=0,
        maximum=2**31 - 1,
        label=tr("Seed"),
        help=tr("Seed of the batches and of the adapters' initial weights."),
        group=tr("Training"),
    )
    steps: int = number(
        300,
        minimum=2,
        maximum=MAX_STEPS,
        label=tr("Steps"),
        unit="steps",
        help=tr("Training steps per run. The schedule of AdaLoRA is drawn without a run, for any number of steps."),
        group=tr("Training"),
    )
    batch: int = number(
        8,
        minimum=1,
        maximum=256,
        scale="log2",
        label=tr("Batch"),
        unit="rows",
        help=tr("Rows of the table per step."),
        group=tr("Training"),
    )
    learning_rate: float = number(
        3e-3,
        minimum=1e-6,
        maximum=100.0,
        step=1e-3,
        label=tr("Learning rate"),
        help=tr("LoRA's constant learning rate with AdamW. Full matrices train with a fifth of it."),
        group=tr("Training"),
    )
    adalora_learning_rate: float = number(
        1e-2,
        minimum=1e-6,
        maximum=100.0,
        step=1e-3,
        label=tr("AdaLoRA learning rate"),
        help=tr("AdaLoRA needs its own learning rate, because its singular values start at 0 between small factors."),
        group=tr("Training"),
    )
    held_out_every: int = number(
        25,
        minimum=1,
        maximum=MAX_STEPS,
        label=tr("Held-out loss every"),
        unit="steps",
        help=tr("How often the loss on held-out rows is measured. It is always measured after the last step."),
        group=tr("Training"),
    )
    compare_full: bool = switch(
        True,
        label=tr("Also train full matrices"),
        help=tr(
            "Also train the adapted matrices in full, next to the adapters. This gives the update that a low-rank "
            "product approximates."
        ),
        group=tr("Training"),
    )
    exact_match: bool = switch(
        True,
        label=tr("Answers"),
        help=tr("At the end, let each model answer held-out rows and count the answers that match exactly."),
        group=tr("Training"),
    )
    target_r: int = number(
        4,
        minimum=1,
        maximum=256,
        label=tr("Target rank"),
        unit="triplets",
        help=tr("LoRA's rank, and AdaLoRA's average rank at the end (target_r). Both have the same budget."),
        group=tr("Adapters"),
    )
    init_r: int = number(
        12,
        minimum=1,
        maximum=256,
        label=tr("Initial rank"),
        unit="triplets",
        help=tr("AdaLoRA's rank of every matrix before pruning (init_r)."),
        group=tr("Adapters"),
    )
    alpha: int = number(
        16,
        minimum=1,
        maximum=1024,
        scale="log2",
        label=tr("Alpha"),
        help=tr("LoRA adds B A scaled by alpha / rank. AdaLoRA in PEFT adds P E Q scaled by alpha / init_r."),
        group=tr("Adapters"),
    )
    tinit: int = number(
        40,
        minimum=0,
        maximum=MAX_STEPS,
        label=tr("Warm-up"),
        unit="steps",
        help=tr("Steps before the budget starts to fall (tinit)."),
        group=verbatim("AdaLoRA"),
    )
    tfinal: int = number(
        100,
        minimum=0,
        maximum=MAX_STEPS,
        label=tr("Final phase"),
        unit="steps",
        help=tr("Steps at the end with the final budget and fixed ranks (tfinal)."),
        group=verbatim("AdaLoRA"),
    )
    delta_t: int = number(
        10,
        minimum=1,
        maximum=MAX_STEPS,
        label=tr("Allocate every"),
        unit="steps",
        help=tr("Steps between two allocations (deltaT)."),
        group=verbatim("AdaLoRA"),
    )
    total_step: int = number(
        0,
        minimum=0,
        maximum=MAX_STEPS,
        label=tr("Planned steps"),
        unit="steps",
        help=tr(
            "The steps that AdaLoRA's schedule is planned for (total_step). 0: as many as are trained. If it is "
            "another number, the budget arrives too early or never."
        ),
        group=verbatim("AdaLoRA"),
    )
    beta1: float = number(
        0.85,
        minimum=0.01,
        maximum=0.99,
        step=0.01,
        label=verbatim("β₁"),
        help=tr("Smoothing factor of the sensitivity. Larger values react to changes more slowly."),
        group=verbatim("AdaLoRA"),
    )
    beta2: float = number(
        0.85,
        minimum=0.01,
        maximum=0.99,
        step=0.01,
        label=verbatim("β₂"),
        help=tr("Smoothing factor of the uncertainty. Larger values react to changes more slowly."),
        group=verbatim("AdaLoRA"),
    )
    orth_reg_weight: float = number(
        0.5,
        minimum=0.0,
        maximum=10.0,
        step=0.1,
        label=tr("Orthogonality"),
        help=tr("Weight of the regulariser that keeps P and Q orthogonal."),
        group=verbatim("AdaLoRA"),
    )
    call_update: bool = switch(
        True,
        label=tr("Call update_and_allocate"),
        help=tr("Call it after every step, as PEFT requires. Off shows a common mistake: no rank ever changes."),
        group=verbatim("AdaLoRA"),
    )
    model_preset: str = choice(
        GPT_3_ID,
        *ARCHITECTURES,
        label=tr("Public model"),
        help=tr("The public model whose trainable parameters are counted."),
        labels={name: verbatim(architecture.name) for name, architecture in ARCHITECTURES.items()},
        group=tr("Parameters by rank"),
        view_only=True,
    )
    preset_rank: int = number(
        4,
        minimum=1,
        maximum=512,
        scale="log2",
        label=tr("Preset rank"),
        help=tr("LoRA's rank in the public model."),
        group=tr("Parameters by rank"),
        view_only=True,
    )
    preset_targets: str = text(
        "q_proj, v_proj",
        label=tr("Preset targets"),
        help=tr("The matrices to adapt in the public model: {all}, or names separated by commas.", all=ALL),
        group=tr("Parameters by rank"),
        max_length=200,
        view_only=True,
    )
    kernels: bool = switch(
        True,
        label=tr("Triton kernels"),
        help=tr(
            "Trace the fused and the unfused forward pass on a small matrix: their memory traffic and their error "
            "against float64. With a GPU, also time them."
        ),
        group=tr("Kernels"),
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.init_r < self.target_r:
            raise InvalidParams(
                tr(
                    "init_r = {init_r} is below target_r = {target_r}: AdaLoRA can only reduce ranks, so use "
                    "{target_r} or more.",
                    init_r=self.init_r,
                    target_r=self.target_r,
                ),
                "init_r",
            )
        if self.tinit + self.tfinal >= self.planned_steps:
            raise InvalidParams(
                tr(
                    "tinit + tfinal = {tinit} + {tfinal} leaves none of the {steps} steps for pruning: make their sum "
                    "less than {steps}, or use more steps.",
                    tinit=self.tinit,
                    tfinal=self.tfinal,
                    steps=self.planned_steps,
                ),
                "tfinal" if self.tfinal >= self.tinit else "tinit",
            )
        if self.call_update and self.init_r > self.target_r and self.planned_steps - self.tfinal < 2:
            raise InvalidParams(
                tr(
                    "tfinal = {tfinal} of {steps} steps puts the last allocation at step 1, before there are any "
                    "scores: use {largest} or less, or use more steps.",
                    tfinal=self.tfinal,
                    steps=self.planned_steps,
                    largest=self.planned_steps - 2,
                ),
                "tfinal",
            )
        kinds = tuple(self.architecture.linear_shapes)
        unknown = [name for name in _names(self.preset_targets) if name not in (*kinds, ALL)]
        if unknown:
            raise InvalidParams(
                tr(
                    "preset_targets names {name}, which {model} does not have: use {all}, or one or more of {kinds}.",
                    name=quoted(unknown[0][:40]),
                    model=self.architecture.name,
                    all=ALL,
                    kinds=listed(kinds),
                ),
                "preset_targets",
            )
        if not _names(self.preset_targets):
            raise InvalidParams(
                tr(
                    "preset_targets names no matrix: use {all}, or one or more of {kinds}.",
                    all=ALL,
                    kinds=listed(kinds),
                ),
                "preset_targets",
            )
        return self

    @property
    def planned_steps(self) -> int:
        """peft's total_step: the steps that AdaLoRA's schedule is planned for."""
        return self.total_step or self.steps

    @property
    def architecture(self) -> Architecture:
        """The public model whose parameters are counted."""
        return ARCHITECTURES[self.model_preset]

    @property
    def preset_kinds(self) -> tuple[str, ...]:
        """The kinds of matrices adapted in the public model, in the model's order."""
        targets = _names(self.preset_targets)
        return tuple(kind for kind in self.architecture.linear_shapes if ALL in targets or kind in targets)

    @property
    def targets(self) -> tuple[str, ...]:
        """The target modules that the user named; ('all',) for all of them."""
        targets = tuple(_names(self.target_modules))
        return (ALL,) if ALL in targets else targets


def _names(text_: str) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in text_.split(",") if name.strip()))
