"""The parameters of the lora page."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from core.contracts.errors import InvalidParams
from core.contracts.params import Params, choice, number, switch, text
from core.model_presets import GPT_3, PRESETS, Architecture

ALL = "all"
GPT_3_ID = "gpt-3"
ARCHITECTURES: dict[str, Architecture] = {GPT_3_ID: GPT_3, **PRESETS}


class LoraParams(Params):
    """The small model or the model in the folder `model`, trained with LoRA of rank target_r and with AdaLoRA, which
    goes from init_r down to target_r."""

    model: str = text(
        "",
        label="Model folder",
        help="A Hugging Face folder of a causal language model, read and never run as code. Empty: the small one, "
        "which is trained first where it is not kept yet (about a minute).",
        group="Model",
    )
    target_modules: str = text(
        ALL,
        label="Target modules",
        help=f"The linear layers to adapt: {ALL}, or names with commas between, such as q_proj, v_proj.",
        group="Model",
        max_length=400,
    )
    seed: int = number(
        0, minimum=0, maximum=2**31 - 1, label="Seed", help="Seed of the batches and the adapters.", group="Training"
    )
    steps: int = number(
        300, minimum=2, maximum=10_000, label="Steps", unit="steps", help="Steps of each run.", group="Training"
    )
    batch: int = number(
        8, minimum=1, maximum=256, scale="log2", label="Batch", unit="rows", help="Rows per step.", group="Training"
    )
    learning_rate: float = number(
        3e-3,
        minimum=1e-6,
        maximum=100.0,
        step=1e-3,
        label="Learning rate",
        help="LoRA's, AdamW, constant. Whole matrices take a fifth of it.",
        group="Training",
    )
    adalora_learning_rate: float = number(
        1e-2,
        minimum=1e-6,
        maximum=100.0,
        step=1e-3,
        label="AdaLoRA's rate",
        help="AdaLoRA's own learning rate: its singular values begin at 0 between two small factors.",
        group="Training",
    )
    held_out_every: int = number(
        25,
        minimum=1,
        maximum=10_000,
        label="Held-out loss every",
        unit="steps",
        help="How often the loss on held-out rows is measured; after the last step always.",
        group="Training",
    )
    compare_full: bool = switch(
        True,
        label="Also train full matrices",
        help="Train the adapted matrices whole beside the adapters: the update that low rank is to stand for.",
        group="Training",
    )
    exact_match: bool = switch(
        True,
        label="Answers",
        help="Let each model answer held-out rows at the end, and count sentences that are right to the letter.",
        group="Training",
    )
    target_r: int = number(
        4,
        minimum=1,
        maximum=256,
        label="Rank",
        unit="triplets",
        help="LoRA's rank, and AdaLoRA's average rank at the end (target_r): the same budget.",
        group="Adapters",
    )
    init_r: int = number(
        12,
        minimum=1,
        maximum=256,
        label="First rank",
        unit="triplets",
        help="AdaLoRA's rank of every matrix before anything is pruned (init_r).",
        group="Adapters",
    )
    alpha: int = number(
        16,
        minimum=1,
        maximum=1024,
        scale="log2",
        label="Alpha",
        help="LoRA adds alpha / rank times B A; AdaLoRA, in peft, alpha / init_r times P E Q.",
        group="Adapters",
    )
    tinit: int = number(
        40,
        minimum=0,
        maximum=10_000,
        label="Warm-up",
        unit="steps",
        help="Steps before the budget begins to fall (tinit).",
        group="AdaLoRA",
    )
    tfinal: int = number(
        100,
        minimum=0,
        maximum=10_000,
        label="Last phase",
        unit="steps",
        help="Steps at the end in which the budget is met and ranks are fixed (tfinal).",
        group="AdaLoRA",
    )
    delta_t: int = number(
        10,
        minimum=1,
        maximum=10_000,
        label="Allocate every",
        unit="steps",
        help="Steps between two allocations (deltaT).",
        group="AdaLoRA",
    )
    beta1: float = number(
        0.85,
        minimum=0.01,
        maximum=0.99,
        step=0.01,
        label="β₁",
        help="How slowly the smoothed sensitivity follows.",
        group="AdaLoRA",
    )
    beta2: float = number(
        0.85,
        minimum=0.01,
        maximum=0.99,
        step=0.01,
        label="β₂",
        help="How slowly the smoothed uncertainty follows.",
        group="AdaLoRA",
    )
    orth_reg_weight: float = number(
        0.5,
        minimum=0.0,
        maximum=10.0,
        step=0.1,
        label="Orthogonality",
        help="Weight of the regulariser that keeps P and Q orthogonal.",
        group="AdaLoRA",
    )
    call_update: bool = switch(
        True,
        label="Call update_and_allocate",
        help="After each step, as peft asks for. Off: the usual mistake, and no rank ever changes.",
        group="AdaLoRA",
    )
    model_preset: str = choice(
        GPT_3_ID,
        *ARCHITECTURES,
        label="Whole model",
        help="The public model whose trainable parameters are counted.",
        group="Parameters against rank",
        view_only=True,
    )
    preset_rank: int = number(
        4,
        minimum=1,
        maximum=512,
        scale="log2",
        label="Preset rank",
        help="LoRA's rank in that model.",
        group="Parameters against rank",
        view_only=True,
    )
    preset_targets: str = text(
        "q_proj, v_proj",
        label="Preset targets",
        help=f"Which of its matrices are adapted: {ALL}, or names with commas between.",
        group="Parameters against rank",
        max_length=200,
        view_only=True,
    )
    kernels: bool = switch(
        True,
        label="Triton kernels",
        help="Trace the fused forward pass and the unfused one on a small matrix: what they read and write, and how "
        "near they come to float64. With a GPU they are timed too.",
        group="Kernels",
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.init_r < self.target_r:
            raise InvalidParams(
                f"init_r = {self.init_r} is below target_r = {self.target_r}: AdaLoRA only takes rank away, so begin "
                f"with {self.target_r} or more.",
                "init_r",
            )
        if self.tinit + self.tfinal >= self.steps:
            raise InvalidParams(
                f"tinit + tfinal = {self.tinit} + {self.tfinal} leaves none of the {self.steps} steps to prune in: "
                f"make them less than {self.steps} together, or take more steps.",
                "tfinal" if self.tfinal >= self.tinit else "tinit",
            )
        if self.call_update and self.init_r > self.target_r and self.steps - self.tfinal < 2:
            raise InvalidParams(
                f"tfinal = {self.tfinal} of {self.steps} steps puts the last allocation at step 1, before anything was "
                f"scored: make it {self.steps - 2} or less, or take more steps.",
                "tfinal",
            )
        kinds = tuple(self.architecture.linear_shapes)
        unknown = [name for name in _names(self.preset_targets) if name not in (*kinds, ALL)]
        if unknown or not _names(self.preset_targets):
            raise InvalidParams(
                f"preset_targets names {unknown[0][:40]!r}, which {self.architecture.name} does not have: use {ALL}, "
                f"or some of {', '.join(kinds)}."
                if unknown
                else f"preset_targets names no matrix: use {ALL}, or some of {', '.join(kinds)}.",
                "preset_targets",
            )
        return self

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
